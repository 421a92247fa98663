"""A connection under attack: steps that break no invariant, and what they cost.

Owns the counting of work: calls of Python functions, which no busy machine changes, instead of time.
"""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from gossamer.core.records import replace
from gossamer.core.seq import seq_add
from gossamer.core.sim import oracle, states
from gossamer.core.sim.states import NOW_US, from_peer
from gossamer.core.tcp.actions import Action
from gossamer.core.tcp.events import Event, SegmentArrives, Send
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import Connection, step
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import Segment

SMSS = 1448
SYNCHRONIZED = [state for state in State if state is not State.SYN_SENT]


def segments(actions: tuple[Action, ...]) -> list[Segment]:
    return [action for action in actions if isinstance(action, Segment)]


def watched(connection: Connection, event: Event) -> tuple[Tcb, tuple[Action, ...]]:
    """A step that breaks no invariant and does not end the connection."""
    after, actions = step(connection, event)
    oracle.check(connection, event, after, actions)
    assert isinstance(after, Tcb)
    return after, actions


def hears(tcb: Tcb, segment: Segment, now_us: int = NOW_US) -> tuple[Tcb, tuple[Action, ...]]:
    return watched(tcb, SegmentArrives(segment, now_us))


def sending(octets: int, parameters: TcpParameters | None = None) -> Tcb:
    """Established, so many octets handed over to be sent."""
    tcb = states.established(parameters or TcpParameters())
    return watched(tcb, Send(b"x" * octets, NOW_US))[0]


def fully_open(tcb: Tcb, octets: int) -> Tcb:
    """The same connection with cwnd and window that let so much fly, all of it sent."""
    congestion = replace(tcb.congestion, cwnd=octets)
    tcb = replace(tcb, congestion=congestion, snd_wnd=octets, max_snd_wnd=octets)
    return watched(tcb, Send(b"x" * octets, NOW_US))[0]


def duplicate(tcb: Tcb, *blocks: tuple[int, int]) -> Segment:
    """An ACK of what is acknowledged already, with SACK blocks that count from SND.UNA."""
    sack = tuple((seq_add(tcb.snd_una, left), seq_add(tcb.snd_una, right)) for left, right in blocks)
    return from_peer(tcb, ack=tcb.snd_una - tcb.snd_nxt, sack=sack)


def calls_of(action: Callable[[], Any]) -> int:
    """How many functions are called, C's too: work, in a unit that is the same on every machine."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(before)
    return counted


def steps(tcb: Tcb, segment: Segment) -> int:
    """Lines that one segment has run: loops that call nothing show here."""
    counted = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal counted
        counted += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        step(tcb, SegmentArrives(segment, NOW_US))
    finally:
        sys.settrace(before)
    return counted


def work(tcb: Tcb, segment: Segment) -> int:
    """Calls that one segment costs."""
    return calls_of(lambda: step(tcb, SegmentArrives(segment, NOW_US)))
