"""User timeouts: what is in force, what is advertised, what is adopted."""

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, from_peer, only_segment, peer_syn, segment_arrives, send, stepped
from gossamer.core.tcp import listen
from gossamer.core.tcp.actions import Failed, Failure, Signal
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.constants import DELIVERY_PROBLEM_RETRIES
from gossamer.core.tcp.events import SetOptions, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Listener, Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.tcp.user_timeout import advertised_s, in_force_us
from gossamer.core.wire.segment import ACK, SYN

ON = TcpParameters(user_timeout_option=True)
MINUTES = 60 * SECOND_US


def lasts(tcb: Tcb) -> tuple[int, tuple[object, ...]]:
    """How long a connection lasts whose peer is silent, and its last actions."""
    after: object = tcb
    now_us = NOW_US
    while isinstance(after, Tcb):
        now_us = deadline_us(after)
        after, actions = step(after, Timeout(now_us))
    return now_us - NOW_US, actions


@pytest.mark.parametrize("timeout_us", [2 * SECOND_US, 7 * SECOND_US, 100 * SECOND_US, 3_000 * SECOND_US])
def test_in_force__data_unacknowledged__ends_then_and_no_other_count_matters(timeout_us: int) -> None:
    """MUST-21."""
    tcb, _ = send(states.established(TcpParameters(user_timeout_us=timeout_us)), b"x")
    assert lasts(tcb) == (timeout_us, (Failed(Failure.TIMED_OUT),))


def test_in_force__set_while_under_way__holds() -> None:
    tcb, _ = send(states.established(), b"x")
    tcb, _ = stepped(tcb, SetOptions(SocketOptions(user_timeout_us=7 * SECOND_US), NOW_US))
    assert lasts(tcb)[0] == 7 * SECOND_US


def test_not_in_force__the_number_of_retransmissions_decides() -> None:
    tcb, _ = send(states.established(TcpParameters(retries=4, tail_loss_probe=False)), b"x")
    assert lasts(tcb)[0] == sum(tcb.round_trip.rto_us << n for n in range(5))


def test_in_force__idle_peer_is_gone__keepalive_ends_by_time_and_not_by_count() -> None:
    """RFC 5482 4.2."""
    alive = TcpParameters(keepalive_idle_us=MINUTES, keepalive_interval_us=MINUTES, keepalive_probes=2)
    assert lasts(states.established(alive))[0] == 3 * MINUTES
    longer = replace(alive, user_timeout_us=10 * MINUTES)
    assert lasts(states.established(longer))[0] == 10 * MINUTES


def test_retransmitted__r1_is_reached__reported_once() -> None:
    """SHLD-9, SHLD-10."""
    tcb, _ = send(states.established(TcpParameters(tail_loss_probe=False)), b"x")
    notices = []
    for count in range(1, 8):
        after, actions = step(tcb, Timeout(deadline_us(tcb)))
        assert isinstance(after, Tcb)
        tcb = after
        notices += [count] * (Signal.DELIVERY_PROBLEM in actions)
    assert notices == [DELIVERY_PROBLEM_RETRIES]
    assert notices[0] >= 3


# Advertised


@pytest.mark.parametrize(
    ("timeout_us", "seconds"),
    [(NEVER_US, 300), (90 * SECOND_US, 90), (1_000, 1), (100 * 3_600 * SECOND_US, 3_600)],
)
def test_advertised__ours_or_five_minutes(timeout_us: int, seconds: int) -> None:
    parameters = replace(ON, user_timeout_us=timeout_us)
    assert advertised_s(parameters) == seconds
    assert advertised_s(replace(parameters, user_timeout_option=False)) == 0


def test_advertised__in_both_syns__only_when_on() -> None:
    for parameters, seconds in ((ON, 300), (TcpParameters(), 0)):
        _, actions = open_active(parameters, states.OPENING)
        assert only_segment(actions).user_timeout_s == seconds
        _, actions = listen.segment_arrives(Listener(parameters), peer_syn(), states.OPENING)
        assert only_segment(actions).user_timeout_s == seconds


def test_advertised__when_the_user_changes_it__at_once() -> None:
    """RFC 5482 3.1."""
    change = SetOptions(SocketOptions(user_timeout_us=200 * SECOND_US), NOW_US)
    _, sent = stepped(states.established(ON), change)
    assert [(s.flags, s.payload, s.user_timeout_s) for s in sent] == [(ACK, b"", 200)]
    assert not stepped(states.established(), change)[1]
    assert not stepped(states.established(ON), SetOptions(SocketOptions(nodelay=True), NOW_US))[1]


# Adopted


def with_timeout(tcb: Tcb, seconds: int, payload: bytes = b"") -> Tcb:
    segment = replace(from_peer(tcb, payload=payload), user_timeout_s=seconds)
    return segment_arrives(tcb, segment)[0]


@pytest.mark.parametrize("payload", [b"", b"x"])
@pytest.mark.parametrize(("remote_s", "adopted_s"), [(1, 300), (299, 300), (900, 900), (1_000_000, 3_600)])
def test_adopted__the_formula_with_its_bounds(remote_s: int, adopted_s: int, payload: bytes) -> None:
    """RFC 5482 3.1: min(U_LIMIT, max(ADV_UTO, REMOTE_UTO, L_LIMIT))."""
    tcb = with_timeout(states.established(ON), remote_s, payload)
    assert in_force_us(tcb) == adopted_s * SECOND_US
    assert decode(encode(tcb)) == tcb
    tcb, _ = send(tcb, b"x")
    assert lasts(tcb)[0] == adopted_s * SECOND_US


def test_adopted__ours_is_short__the_lower_limit_holds() -> None:
    parameters = replace(ON, user_timeout_us=5 * SECOND_US)
    assert in_force_us(with_timeout(states.established(parameters), 10)) == 100 * SECOND_US


def test_adopted__a_smaller_one_comes_later__follows_it() -> None:
    tcb = with_timeout(with_timeout(states.established(ON), 900), 600)
    assert in_force_us(tcb) == 600 * SECOND_US


def test_adopted__from_the_syn() -> None:
    syn = replace(peer_syn(), user_timeout_s=900)
    tcb, _ = listen.segment_arrives(Listener(ON), syn, states.OPENING)
    assert tcb is not None
    assert in_force_us(tcb) == 900 * SECOND_US
    tcb = states.syn_sent(ON)
    answer = replace(peer_syn(SYN | ACK, tcb.snd_nxt), user_timeout_s=900)
    assert in_force_us(segment_arrives(tcb, answer)[0]) == 900 * SECOND_US


def test_not_adopted__off__or_the_user_has_set_one__or_outside_the_window() -> None:
    assert in_force_us(with_timeout(states.established(), 900)) == NEVER_US
    change = SetOptions(SocketOptions(user_timeout_us=200 * SECOND_US), NOW_US)
    fixed, _ = stepped(states.established(ON), change)
    assert in_force_us(with_timeout(fixed, 900)) == 200 * SECOND_US
    tcb = states.established(ON)
    forged = replace(from_peer(tcb, payload=b"x", seq=1 << 24), user_timeout_s=900)
    assert in_force_us(segment_arrives(tcb, forged)[0]) == NEVER_US
