"""ICMP errors: which of them count, and for what."""

from functools import partial

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.seq import seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, segment_arrives, send
from gossamer.core.tcp import icmp_error
from gossamer.core.tcp.actions import Dropped, Failed, Failure, Signal, SoftFailure
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import IcmpError, Report, Timeout
from gossamer.core.tcp.icmp_error import event_of
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import SoftError, State, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire import icmp
from gossamer.core.wire.flow import pack_flow

from ...parts import ask_each

IGNORED = (Dropped(SegmentDrop.ICMP_IGNORED),)
HARD, SOFT, TOO_BIG = Report.HARD, Report.SOFT, Report.TOO_BIG
FLOW = pack_flow(("10.0.0.1", 1), ("10.0.0.2", 2))

KINDS = [
    # is_ipv4, type, codes, what it says, the failure that the user gets
    (True, 3, (0, 5, 6, 11), SOFT, Failure.NETWORK_UNREACHABLE),
    (True, 3, (1, 7, 8, 12, 14, 15, 99), SOFT, Failure.UNREACHABLE),
    (True, 3, (2,), HARD, Failure.PROTOCOL_REFUSED),
    (True, 3, (3,), HARD, Failure.REFUSED),
    (True, 3, (4,), TOO_BIG, Failure.UNREACHABLE),
    (True, 3, (9, 10, 13), HARD, Failure.UNREACHABLE),
    (True, 11, (0, 1), SOFT, Failure.UNREACHABLE),
    (True, 12, (0, 1, 2), SOFT, Failure.BAD_HEADER),
    (False, 1, (0,), SOFT, Failure.NETWORK_UNREACHABLE),
    (False, 1, (2, 3, 99), SOFT, Failure.UNREACHABLE),
    (False, 1, (1, 5, 6), HARD, Failure.UNREACHABLE),
    (False, 1, (4,), HARD, Failure.REFUSED),
    (False, 2, (0, 7), TOO_BIG, Failure.UNREACHABLE),
    (False, 3, (0, 1), SOFT, Failure.UNREACHABLE),
    (False, 4, (0, 1, 2), SOFT, Failure.BAD_HEADER),
]
EVERY = [(v4, kind, code, says, failure) for v4, kind, codes, says, failure in KINDS for code in codes]


def test_meaning__every_kind_and_code() -> None:
    """RFC 9293 3.9.2.2."""
    for is_ipv4, kind, code, says, failure in EVERY:
        event = event_of(icmp.IcmpMessage(FLOW, kind, code, 77, 1400), is_ipv4, NOW_US)
        assert event == IcmpError(77, says, NOW_US, failure, 1400), (is_ipv4, kind, code)


def test_source_quench__is_no_error_of_the_wire() -> None:
    """MUST-55; RFC 6633."""
    assert 4 not in icmp.V4_ERRORS
    assert {kind for v4, kind, *_ in EVERY if v4} == icmp.V4_ERRORS
    assert {kind for v4, kind, *_ in EVERY if not v4} == icmp.V6_ERRORS


def in_flight(state: State) -> Tcb:
    tcb = states.IN_STATE[state](TcpParameters())
    return send(tcb, b"x")[0] if state in (State.ESTABLISHED, State.CLOSE_WAIT) else tcb


@pytest.mark.parametrize("state", State)
def test_report__kind_code_state_and_whether_in_flight(state: State) -> None:
    """RFC 9293 3.9.2.2, RFC 5927 4.1 and 5.2, RFC 5461: the table."""
    ask_each((str(row[:3]), partial(check_report, state, *row)) for row in EVERY)


def check_report(state: State, is_ipv4: bool, kind: int, code: int, says: Report, failure: Failure) -> None:
    tcb = in_flight(state)
    has_flight = tcb.snd_una != tcb.snd_nxt
    for offset in (-1, 1, 100_000):
        event = event_of(icmp.IcmpMessage(FLOW, kind, code, seq_add(tcb.snd_una, offset), 0), is_ipv4, NOW_US)
        assert step(tcb, event) == (tcb, IGNORED), "a segment that is not in flight"
    event = event_of(icmp.IcmpMessage(FLOW, kind, code, tcb.snd_una, 9_000), is_ipv4, NOW_US)
    outcome = step(tcb, event)
    if not has_flight or says is TOO_BIG:
        assert outcome == (tcb, IGNORED), "nothing in flight, or an MTU that was never sent"
    elif says is SOFT or state > State.SYN_RECEIVED:
        after, actions = outcome
        assert isinstance(after, Tcb)
        assert after.soft_error == SoftError(failure, NOW_US)
        assert actions == (SoftFailure(failure),)
        assert decode(encode(after)) == after
    elif state is State.SYN_SENT:
        assert outcome == (None, (Failed(failure),))
    else:
        assert outcome == (None, (Signal.HALF_OPEN_GONE,))


def test_crossed_syn__hard_error__the_opener_gets_it() -> None:
    tcb = states.crossed()
    event = IcmpError(tcb.snd_una, HARD, NOW_US, Failure.REFUSED)
    assert step(tcb, event) == (None, (Failed(Failure.REFUSED),))


def test_time_wait__report__ignored() -> None:
    record = states.time_wait()
    assert step(record, IcmpError(record.snd_nxt, HARD, NOW_US)) == (record, IGNORED)


def given_up(tcb: Tcb) -> Failure:
    """The failure that the user gets once the connection has timed out."""
    after: object = tcb
    while isinstance(after, Tcb):
        after, actions = step(after, Timeout(deadline_us(after)))
    (failure,) = [action.failure for action in actions if isinstance(action, Failed)]
    return failure


@pytest.mark.parametrize("state", [State.SYN_SENT, State.ESTABLISHED, State.FIN_WAIT_1, State.LAST_ACK])
def test_soft_error__then_a_timeout__the_user_gets_the_soft_error(state: State) -> None:
    """SHLD-25."""
    tcb = in_flight(state)
    assert given_up(tcb) is Failure.TIMED_OUT
    event = IcmpError(tcb.snd_una, SOFT, NOW_US + 1, Failure.NETWORK_UNREACHABLE)
    assert given_up(states.after(tcb, event)) is Failure.NETWORK_UNREACHABLE


def test_soft_error__peer_was_heard_since__timed_out() -> None:
    tcb = in_flight(State.ESTABLISHED)
    tcb = states.after(tcb, IcmpError(tcb.snd_una, SOFT, NOW_US + 1, Failure.NETWORK_UNREACHABLE))
    tcb, _ = segment_arrives(tcb, from_peer(tcb), NOW_US + SECOND_US)
    tcb, _ = send(tcb, b"y", NOW_US + SECOND_US)
    assert given_up(tcb) is Failure.TIMED_OUT


def test_report_names__nothing_is_left_unnamed() -> None:
    assert set(icmp_error.UNREACHABLE_IPV4) == set(range(14)) - {8}
    assert set(icmp_error.UNREACHABLE_IPV6) == set(range(7))
