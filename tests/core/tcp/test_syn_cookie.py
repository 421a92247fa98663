"""SYN cookies: what comes back is what was agreed, and nothing else is taken."""

from random import Random

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import MASK, seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, OPENING, PEER_TS, peer_syn
from gossamer.core.tcp import listen, syn_cookie
from gossamer.core.tcp.actions import Signal
from gossamer.core.tcp.constants import MSS_FLOOR, SYN_COOKIE_MSS, SYN_COOKIE_PERIOD_US
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.syn_cookie import CookieSecrets, Returned
from gossamer.core.tcp.tcb import Listener, State, Tcb
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK, CWR, ECE, FIN, NO_TIMESTAMP, PSH, SYN, Segment, SynOptions

FLOW = pack_flow(("10.0.0.2", 80), ("10.0.0.1", 50_001))
SECRET, BEFORE = b"s" * 32, b"b" * 32
SECRETS = CookieSecrets(NOW_US // SYN_COOKIE_PERIOD_US, SECRET, BEFORE)
LISTENER = Listener()


def answered(syn: Segment, listener: Listener = LISTENER, secret: bytes = SECRET) -> Segment:
    return syn_cookie.answer(listener, FLOW, syn, OPENING, secret)


def ack_of(syn: Segment, syn_ack: Segment, flags: int = ACK, payload: bytes = b"") -> Segment:
    ts_val = syn.ts_val + 7 if syn_ack.ts_val != NO_TIMESTAMP else NO_TIMESTAMP
    ts_ecr = syn_ack.ts_val if syn_ack.ts_val != NO_TIMESTAMP else 0
    return Segment(seq_add(syn.seq, 1), seq_add(syn_ack.seq, 1), flags, 500, ts_val, ts_ecr, payload)


def returned(ack: Segment, secrets: CookieSecrets = SECRETS, flow: bytes = FLOW) -> Returned | None:
    return syn_cookie.returned(secrets, flow, ack, True)


def opened(ack: Segment, listener: Listener = LISTENER) -> tuple[Tcb, tuple[object, ...]]:
    found = syn_cookie.returned(SECRETS, FLOW, ack, listener.parameters.timestamps)
    assert found is not None
    half_open = syn_cookie.half_open(listener, ack, OPENING, found.mss)
    assert half_open.state is State.SYN_RECEIVED
    tcb, actions = step(half_open, SegmentArrives(ack, NOW_US))
    assert isinstance(tcb, Tcb)
    return tcb, actions


OFFERS = [
    SynOptions(1460, 7, True),
    SynOptions(1460, 0, False),
    SynOptions(1460, -1, True),
    SynOptions(1460, 14, True),
    SynOptions(1460, 127, True),
    SynOptions(536, -1, False),
    SynOptions(),
]


@pytest.mark.parametrize("options", OFFERS, ids=str)
@pytest.mark.parametrize("ts_val", [PEER_TS, NO_TIMESTAMP], ids=["timestamps", "none"])
@pytest.mark.parametrize("flags", [SYN, SYN | ECE | CWR], ids=["plain", "ECN"])
def test_listen__cookie_returned__the_connection_that_a_record_would_have_made(
    options: SynOptions, ts_val: int, flags: int
) -> None:
    """Nothing of the SYN is lost, but without timestamps its window scale, SACK and ECN."""
    syn = Segment(states.PEER_ISS, 0, flags, 65_535, ts_val, syn_options=options)
    answer = answered(syn)
    assert bool(answer.flags & ECE) is (flags != SYN and ts_val != NO_TIMESTAMP)
    tcb, actions = opened(ack_of(syn, answer))
    assert tcb.state is State.ESTABLISHED
    assert Signal.ESTABLISHED in actions
    if ts_val == NO_TIMESTAMP:
        syn = replace(syn, flags=SYN, syn_options=SynOptions(options.mss))
    kept, _ = listen.segment_arrives(LISTENER, syn, OPENING)
    assert kept is not None
    assert replace(tcb.agreed, iss=kept.agreed.iss) == kept.agreed
    assert (tcb.rcv_nxt, tcb.snd_una, tcb.snd_nxt) == (kept.rcv_nxt, tcb.snd_nxt, seq_add(tcb.agreed.iss, 1))
    assert tcb.snd_wnd == 500 << kept.agreed.snd_wind_shift


@pytest.mark.parametrize("parameters", [TcpParameters(timestamps=False), TcpParameters(window_scaling=False)])
def test_listen__options_switched_off__neither_offered_nor_taken(parameters: TcpParameters) -> None:
    listener = Listener(parameters)
    syn = peer_syn(options=SynOptions(1460, 7, True))
    answer = answered(syn, listener)
    assert (answer.ts_val != NO_TIMESTAMP) is parameters.timestamps
    assert answer.syn_options == SynOptions(OPENING.mss, -1, parameters.timestamps)
    tcb, _ = opened(ack_of(syn, answer), listener)
    assert (tcb.agreed.snd_wind_shift, tcb.agreed.rcv_wind_shift) == (0, 0)
    assert tcb.agreed.timestamps is parameters.timestamps


@pytest.mark.parametrize("mss", [1, MSS_FLOOR, 87, 89, 535, 536, 1219, 1220, 1459, 1460, 1461, 8960, 65_535])
def test_listen__mss__never_rounded_up_beyond_what_the_peer_takes(mss: int) -> None:
    syn = peer_syn(options=SynOptions(mss))
    found = returned(ack_of(syn, answered(syn)))
    assert found is not None
    assert found.mss in SYN_COOKIE_MSS
    assert found.mss <= max(mss, MSS_FLOOR)
    higher = [each for each in SYN_COOKIE_MSS if found.mss < each <= mss]
    assert not higher, "rounded down too far"


def test_listen__syn__answer_says_what_a_record_would_say() -> None:
    """But for ISS and the low bits of TSval, a peer cannot see whether it was answered with a cookie."""
    _, actions = listen.segment_arrives(LISTENER, peer_syn(), OPENING)
    answer, kept = answered(peer_syn()), states.only_segment(actions)
    assert replace(answer, seq=kept.seq, ts_val=kept.ts_val) == kept
    assert 0 <= (kept.ts_val - answer.ts_val) & MASK < 128


@pytest.mark.parametrize("later_us", range(0, 130_000, 7_000))
def test_listen__ts_val_with_options__never_ahead_of_the_clock_and_never_far_behind(later_us: int) -> None:
    """Else the peer would take the connection's first segments for old ones (PAWS)."""
    opening = replace(OPENING, now_us=NOW_US + later_us, ts_offset=MASK - 100_040)
    answer = syn_cookie.answer(LISTENER, FLOW, peer_syn(), opening, SECRET)
    behind = (ts_value(opening.ts_offset, opening.now_us) - answer.ts_val) & MASK
    assert 0 <= behind <= 2 * syn_cookie.OPTIONS_MASK


@pytest.mark.parametrize("later", [1, 1448, 65_535, -1, -70_000])
def test_listen__cookie_on_a_later_segment__the_peer_is_real_but_opens_nothing(later: int) -> None:
    """The ACK was lost or overtaken: a RST would end a connection that the peer takes for open."""
    ack = ack_of(peer_syn(), answered(peer_syn()))
    assert returned(ack) == Returned(1460, is_first=True)
    assert returned(replace(ack, seq=seq_add(ack.seq, later))) == Returned(1460, is_first=False)


def test_listen__cookie_without_the_timestamps_that_were_agreed__not_taken() -> None:
    ack = ack_of(peer_syn(), answered(peer_syn()))
    assert returned(replace(ack, ts_val=NO_TIMESTAMP)) is None


def test_listen__cookie_of_another_flow_or_secret_or_number__not_taken() -> None:
    ack = ack_of(peer_syn(), answered(peer_syn()))
    for other in (("10.0.0.3", 50_001), ("10.0.0.1", 50_002)):
        assert returned(ack, flow=pack_flow(("10.0.0.2", 80), other)) is None
    assert returned(ack, replace(SECRETS, current=b"x" * 32)) is None
    for bit in range(32):
        wrong = returned(replace(ack, ack=seq_add(ack.ack, -1) ^ 1 << bit))
        assert wrong is None or not wrong.is_first


def test_listen__guessed_cookies__none_in_ten_thousand() -> None:
    random = Random(4987)
    ack = ack_of(peer_syn(), answered(peer_syn()))
    guesses = (replace(ack, ack=random.randrange(1 << 32)) for _ in range(10_000))
    found = [each for each in map(returned, guesses) if each is not None]
    assert not any(each.is_first for each in found)
    assert len(found) < 20, "two secrets, and 12 bits"


def test_cookie__ages_out_between_one_and_two_periods() -> None:
    secrets = CookieSecrets(5, SECRET)
    at_us = 5 * SYN_COOKIE_PERIOD_US
    assert syn_cookie.rolled(secrets, at_us + SYN_COOKIE_PERIOD_US - 1) is secrets
    after_one = syn_cookie.rolled(secrets, at_us + SYN_COOKIE_PERIOD_US)
    assert after_one == CookieSecrets(6, None, SECRET)
    assert syn_cookie.rolled(after_one, at_us + 2 * SYN_COOKIE_PERIOD_US) == CookieSecrets(7)
    assert syn_cookie.rolled(secrets, at_us + 2 * SYN_COOKIE_PERIOD_US) == CookieSecrets(7)


def test_cookie__of_the_period_before__taken() -> None:
    ack = ack_of(peer_syn(), answered(peer_syn(), secret=BEFORE))
    assert returned(ack) == Returned(1460, is_first=True)


def test_listen__the_ack_was_lost__data_with_the_cookie_opens_and_is_delivered() -> None:
    ack = ack_of(peer_syn(), answered(peer_syn()), ACK | PSH, b"GET /")
    tcb, actions = opened(ack)
    assert (tcb.state, tcb.rcv_buf_bytes) == (State.ESTABLISHED, 5)
    assert Signal.ESTABLISHED in actions


def test_listen__data_and_fin_with_the_cookie__close_wait() -> None:
    tcb, actions = opened(ack_of(peer_syn(), answered(peer_syn()), ACK | FIN, b"bye"))
    assert (tcb.state, tcb.rcv_buf_bytes) == (State.CLOSE_WAIT, 3)
    assert Signal.ESTABLISHED in actions


def test_listen__cookie_returned_late__no_round_trip_is_measured() -> None:
    """The low bits of TSecr are options: it is up to 63 ms too old."""
    tcb, _ = opened(ack_of(peer_syn(), answered(peer_syn())))
    assert tcb.round_trip.srtt_us == 0
    syn = replace(peer_syn(), ts_val=NO_TIMESTAMP)
    tcb, _ = opened(ack_of(syn, answered(syn)))
    assert tcb.round_trip.srtt_us == 0


def test_secret_of__each_period_and_each_key_its_own() -> None:
    found = {syn_cookie.secret_of(period, key) for period in range(50) for key in (SECRET, bytes(32))}
    assert len(found) == 100
    assert syn_cookie.secret_of(3, SECRET) in found
    assert {len(secret) for secret in found} == {32}
