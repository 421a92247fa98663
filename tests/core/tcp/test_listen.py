"""LISTEN: what a listener answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, OPENING, only_segment, peer_syn
from gossamer.core.tcp import handshake, listen
from gossamer.core.tcp.actions import Dropped
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Opening
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Listener, State
from gossamer.core.wire.segment import ACK, CWR, ECE, FIN, NO_TIMESTAMP, PSH, RST, SYN, Segment, SynOptions


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (RST, None),
        (RST | ACK, None),
        (RST | SYN, None),
        (ACK, RST),
        (SYN | ACK, RST),
        (FIN | ACK, RST),
        (FIN, None),
        (0, None),
        (PSH, None),
        (SYN | FIN, None),
    ],
)
def test_listen__anything_but_syn__dropped_or_reset(flags: int, answer: int | None) -> None:
    """RFC 9293 3.10.7.2."""
    segment = Segment(77, 99, flags, 1000)
    tcb, actions = listen.segment_arrives(Listener(), segment, OPENING)
    assert tcb is None
    assert actions[0] == Dropped(SegmentDrop.LISTEN_NOT_SYN)
    assert actions[1:] == (() if answer is None else (Segment(99, 0, RST, 0),))


@pytest.mark.parametrize(
    "flags", [SYN, SYN | PSH, SYN | 0x20, SYN | 0xC0], ids=["syn", "push", "urgent", "ecn"]
)
def test_listen__syn__syn_ack(flags: int) -> None:
    tcb, actions = listen.segment_arrives(Listener(), peer_syn(flags), OPENING)
    assert tcb is not None
    assert tcb.state is State.SYN_RECEIVED
    answer = only_segment(actions)
    assert (answer.seq, answer.ack, answer.flags) == (
        OPENING.iss,
        seq_add(states.PEER_ISS, 1),
        SYN | ACK | (flags & ECE),
    )
    assert answer.syn_options == SynOptions(mss=1460, window_scale=5, sack_permitted=True)
    assert answer.ts_ecr == states.PEER_TS
    assert answer.window == 65_535, "the window of a SYN is not scaled"


@pytest.mark.parametrize(
    ("options", "ts_val"),
    [
        (SynOptions(mss=1460, window_scale=2), NO_TIMESTAMP),
        (SynOptions(mss=1460), 5),
        (SynOptions(sack_permitted=True), NO_TIMESTAMP),
        (None, NO_TIMESTAMP),
    ],
)
def test_listen__syn_with_fewer_options__answered_with_no_others(
    options: SynOptions | None, ts_val: int
) -> None:
    """RFC 7323 2.2 and 3.2, RFC 2018 2: an option is answered only where it was offered."""
    syn = Segment(5, 0, SYN, 1000, ts_val, syn_options=options)
    tcb, actions = listen.segment_arrives(Listener(), syn, OPENING)
    assert tcb is not None
    answer = only_segment(actions)
    assert answer.syn_options is not None
    offered = options or SynOptions()
    assert (answer.syn_options.window_scale >= 0) == (offered.window_scale >= 0)
    assert answer.syn_options.sack_permitted == offered.sack_permitted
    assert (answer.ts_val != NO_TIMESTAMP) == (ts_val != NO_TIMESTAMP)


def test_listen__window_scale_over_14__is_14() -> None:
    """RFC 7323 2.3."""
    tcb = states.syn_received(options=SynOptions(mss=1460, window_scale=127))
    assert tcb.agreed.snd_wind_shift == 14


def test_listen__no_mss__536_less_the_timestamps() -> None:
    """RFC 9293 3.7.1, MUST-15."""
    assert states.syn_received(options=SynOptions()).agreed.smss == 536 - 12


@given(
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from([NO_TIMESTAMP, 0, 5, 0xFFFFFFFF]),
    st.builds(SynOptions, st.sampled_from([0, 88, 1460]), st.integers(-1, 15), st.booleans()) | st.none(),
    st.sampled_from([SYN, SYN | ECE | CWR, SYN | ECE]),
    st.integers(0, 0xFFFF),
    st.booleans(),
    st.sampled_from([0, 300]),
)
def test_opened__any_syn__what_the_rules_make_of_it_one_by_one(
    iss: int,
    irs: int,
    ts_val: int,
    options: SynOptions | None,
    flags: int,
    window: int,
    is_ipv6: bool,
    user_timeout_s: int,
) -> None:
    parameters = TcpParameters(user_timeout_option=True)
    syn = Segment(irs, 0, flags, window, ts_val, syn_options=options, user_timeout_s=user_timeout_s)
    opening = Opening(now_us=NOW_US, iss=iss, ts_offset=9, mss=1440, is_ipv6=is_ipv6)
    agreed = handshake.agreement(handshake.wanted(parameters, opening, passive=True), syn)
    assert listen.opened(parameters, syn, opening) == listen.open_passive(agreed, syn, NOW_US)
