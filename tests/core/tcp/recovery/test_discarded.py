"""A peer that keeps nothing out of order and sends no SACK, as uIP and a small lwIP: one lost segment costs a
timeout at the most, wherever it stands."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import Seq, seq_add, seq_lt
from gossamer.core.sim import oracle
from gossamer.core.sim.end import Stepper, User
from gossamer.core.sim.flow import EndSetting
from gossamer.core.sim.link import Faults, ScriptedLink
from gossamer.core.sim.pair import Pair
from gossamer.core.tcp.events import Event, SegmentArrives
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import Connection, Outcome, step
from gossamer.core.tcp.tcb import Tcb

SMSS = 1460
SEGMENTS = 72
OCTETS = bytes(SEGMENTS * SMSS)
"""105 kB."""
ONE_WAY_US = 1_000
RTO_US = 200_000
"""TcpParameters.rto_min_us, which is more than this path's."""
PLAIN = TcpParameters(sack=False, timestamps=False, window_scaling=False, congestion="newreno")


def keeps_nothing(connection: Connection, event: Event) -> Outcome:
    """`step`, for ends that throw away whatever comes out of order: they answer it as what they have had."""
    if isinstance(connection, Tcb) and isinstance(event, SegmentArrives):
        segment, rcv_nxt = event.segment, connection.rcv_nxt
        if segment.payload and seq_lt(rcv_nxt, Seq(segment.seq)):
            old = replace(segment, seq=seq_add(rcv_nxt, -len(segment.payload)))
            event = replace(event, segment=old)
    return step(connection, event)


def transferred(
    lost: set[int], window_segments: int, parameters: TcpParameters = PLAIN, peer: Stepper = keeps_nothing
) -> tuple[int, Pair]:
    """How long all octets take to such a peer when these segments with text are lost, counted from 1, and
    what became of both ends; every step is checked."""
    faults = Faults(delay_us=ONE_WAY_US)
    client = EndSetting(User(sends=OCTETS, closes=False), parameters, faults=faults)
    small = replace(PLAIN, receive_buffer_bytes=window_segments * SMSS, sack=parameters.sack, dsack=False)
    server = EndSetting(User(closes=False), small, faults=faults)
    count = 0

    def arrivals_us(now_us: int, size_bytes: int, _is_ack: bool) -> tuple[int, ...]:
        nonlocal count
        count += size_bytes > SMSS
        return () if size_bytes > SMSS and count in lost else (now_us + ONE_WAY_US,)

    pair = Pair(client, server, 0, oracle.check, stepper=peer, wire=ScriptedLink(arrivals_us))
    began_us = until_us = pair.now_us
    while pair.server is None or len(pair.server.received) < len(OCTETS):
        until_us += 1_000
        assert until_us < began_us + 60_000_000, "it never comes"
        pair.run(until_us)
    return until_us - began_us, pair


WINDOWS = (2, 3, 4, 8, 40)
DELAYED_ACKS_US = 5 * 40_000
"""So many of the peer's ACKs may be waited for."""
AGREEMENTS = {
    "newreno": PLAIN,
    "no frto": replace(PLAIN, forward_rto=False),
    "cubic": replace(PLAIN, congestion="cubic"),
    "bbr": replace(PLAIN, congestion="bbr"),
    "sack": replace(PLAIN, sack=True),
    "sack, no rack": replace(PLAIN, sack=True, rack=False),
}


EVERYWHERE = tuple(range(1, SEGMENTS + 1))
ENDS_AND_BETWEEN = (*EVERYWHERE[:8], *EVERYWHERE[8:-6:5], *EVERYWHERE[-6:])
"""What the first window and the last segments meet, and every fifth of those between."""
WHEREVER = pytest.mark.parametrize(
    "places",
    [
        pytest.param(ENDS_AND_BETWEEN, id="ends and between"),
        pytest.param(EVERYWHERE, id="everywhere", marks=pytest.mark.long),
    ],
)


@WHEREVER
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("agreement", AGREEMENTS)
def test_one_segment_lost__wherever__one_timeout_at_the_most(
    window: int, agreement: str, places: tuple[int, ...]
) -> None:
    parameters = AGREEMENTS[agreement]
    # A tail loss probe is waited for first.
    timers_us = RTO_US * (2 if parameters.sack else 1)
    unharmed_us, _ = transferred({0}, window, parameters)
    for lost in places:
        took_us, pair = transferred({lost}, window, parameters)
        assert pair.client.timeouts_total <= 1, lost
        assert took_us - unharmed_us <= timers_us + DELAYED_ACKS_US, lost


@WHEREVER
@pytest.mark.parametrize("window", WINDOWS)
def test_one_segment_lost__what_goes_again_is_what_was_thrown_away(
    window: int, places: tuple[int, ...]
) -> None:
    """At the most a window that was full when it was lost, and as much again that was sent meanwhile."""
    for lost in places:
        _, pair = transferred({lost}, window)
        assert pair.client.retransmitted_total <= 2 * min(window, SEGMENTS - lost + 1), lost


@pytest.mark.parametrize("losses", [1, 2, 3, 4])
@pytest.mark.parametrize("first", [5, 12, 20, 21])
def test_peer_that_keeps__losses_side_by_side__nothing_else_goes_again(losses: int, first: int) -> None:
    """RFC 6582: one a round trip, which a peer that kept nothing would ask for in the same way."""
    _, pair = transferred(set(range(first, first + losses)), 40, peer=step)
    assert pair.client.retransmitted_total == losses
    assert pair.client.timeouts_total == 0
