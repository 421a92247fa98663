"""The state diagram of RFC 9293 as data, and whether a step keeps to it.

Owns figure 5, and what only the text says: the ways into CLOSED other than an orderly close. It knows nothing
of how the code moves a connection.

Source: RFC 9293 3.3.2, figure 5 and its notes; 3.10.
"""

from enum import Enum
from typing import Final

from gossamer.core.tcp.actions import Actions, Failed, Signal
from gossamer.core.tcp.events import Abort, Close, Event, IcmpError, SegmentArrives, Send, Timeout
from gossamer.core.tcp.output import is_fin_unsent
from gossamer.core.tcp.step import Connection
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.wire.segment import ACK, FIN, RST, SYN, Segment

CLOSED: Final = "CLOSED"
TIME_WAIT: Final = "TIME-WAIT"
Place = State | str
"""A state, CLOSED or TIME-WAIT: those two are no `State` here."""


class Cause(Enum):
    """What stands at an arrow."""

    SYN = "rcv SYN"
    SYN_ACK = "rcv SYN,ACK"
    ACK_OF_SYN = "rcv ACK of SYN"
    ACK_OF_FIN = "rcv ACK of FIN"
    FIN = "rcv FIN"
    CLOSE = "CLOSE"
    TIMEOUT = "timeout"


FIGURE_5: Final[frozenset[tuple[Place, Cause, Place]]] = frozenset(
    {
        (State.SYN_SENT, Cause.SYN, State.SYN_RECEIVED),
        (State.SYN_SENT, Cause.SYN_ACK, State.ESTABLISHED),
        (State.SYN_SENT, Cause.CLOSE, CLOSED),
        (State.SYN_RECEIVED, Cause.ACK_OF_SYN, State.ESTABLISHED),
        (State.SYN_RECEIVED, Cause.CLOSE, State.FIN_WAIT_1),
        (State.ESTABLISHED, Cause.CLOSE, State.FIN_WAIT_1),
        (State.ESTABLISHED, Cause.FIN, State.CLOSE_WAIT),
        (State.FIN_WAIT_1, Cause.ACK_OF_FIN, State.FIN_WAIT_2),
        (State.FIN_WAIT_1, Cause.FIN, State.CLOSING),
        (State.FIN_WAIT_2, Cause.FIN, TIME_WAIT),
        (State.CLOSE_WAIT, Cause.CLOSE, State.LAST_ACK),
        (State.CLOSING, Cause.ACK_OF_FIN, TIME_WAIT),
        (State.LAST_ACK, Cause.ACK_OF_FIN, CLOSED),
        (TIME_WAIT, Cause.TIMEOUT, CLOSED),
    }
)
"""The arrows between two states of a connection; those out of LISTEN and out of CLOSED make one."""

ORIGINS: Final = (("OPEN", State.SYN_SENT), ("LISTEN and rcv SYN", State.SYN_RECEIVED))
"""How a connection begins: the arrows of the figure that make one."""


def diagram() -> str:
    """The figure in the words of Mermaid, which draws it. CLOSED is drawn as the point where all begins and
    ends."""
    arrows = [("[*]", cause, _drawn(end)) for cause, end in ORIGINS]
    arrows += sorted((_drawn(start), cause.value, _drawn(end)) for start, cause, end in FIGURE_5)
    return "\n".join(
        ["stateDiagram-v2", *(f"    {start} --> {end}: {cause}" for start, cause, end in arrows)]
    )


def _drawn(state: Place) -> str:
    name = state.name if isinstance(state, State) else state
    return "[*]" if name == CLOSED else name.replace("-", "_")


def check(before: Connection, event: Event, after: Connection | None, actions: Actions) -> None:
    """Assert that a step followed arrows of the figure, or ended the connection in a way that the text
    names."""
    start, end = place(before), place(after)
    if start == end or end in reachable(start, causes(before, event)):
        return
    assert end == CLOSED, f"no arrow leads from {start} to {end} by {type(event).__name__}"
    assert is_cut_short(before, event, actions), f"{start} was left by {type(event).__name__} for no reason"


def place(connection: Connection | None) -> Place:
    """Where a connection stands in the figure."""
    if connection is None:
        return CLOSED
    return connection.state if isinstance(connection, Tcb) else TIME_WAIT


def causes(before: Connection, event: Event) -> tuple[Cause, ...]:
    """The arrows that one event may follow, in their order: a segment's ACK counts before its FIN (3.10.7.4,
    fifth and eighth)."""
    if isinstance(event, Close) or (isinstance(event, Send) and event.is_last):
        return (Cause.CLOSE,)
    if isinstance(event, Timeout):
        return (Cause.TIMEOUT,)
    return _causes_of(before, event.segment) if isinstance(event, SegmentArrives) else ()


def _causes_of(before: Connection, segment: Segment) -> tuple[Cause, ...]:
    found: list[Cause] = []
    if segment.flags & SYN:
        found.append(Cause.SYN_ACK if segment.flags & ACK else Cause.SYN)
    if segment.flags & ACK:
        found.append(Cause.ACK_OF_SYN)
        # 3.10.4, SYN-RECEIVED: a CLOSE may be queued "for processing after entering ESTABLISHED state".
        if isinstance(before, Tcb) and before.fast_open is not None and before.fast_open.closes:
            found.append(Cause.CLOSE)
        if isinstance(before, Tcb) and segment.ack == before.snd_nxt and not is_fin_unsent(before):
            found.append(Cause.ACK_OF_FIN)
    # A FIN that came before, out of order, counts when the hole before it is filled.
    held = before.reassembly if isinstance(before, Tcb) else None
    if segment.flags & FIN or (held is not None and held.fin_seq is not None):
        found.append(Cause.FIN)
    return tuple(found)


def reachable(start: Place, allowed: tuple[Cause, ...]) -> set[Place]:
    """Where the causes lead when each of them may be followed once, in their order, or not at all."""
    found = {start}
    for cause in allowed:
        found |= {end for origin, arrow, end in FIGURE_5 if arrow is cause and origin in found}
    return found


def is_cut_short(before: Connection, event: Event, actions: Actions) -> bool:
    """Whether a connection may end here without the figure: a RST came (3.10.7.4, second) or was sent
    (3.6.1, 3.10.4), ABORT (3.10.5), an ICMP error (3.9.2.2), the user timeout or R2 (3.10.8, 3.8.3); and a
    FIN-WAIT-2 whose user has closed both ways ends by time."""
    if isinstance(event, Abort | IcmpError):
        return True
    if isinstance(event, SegmentArrives) and event.segment.flags & RST:
        return True
    if any(isinstance(action, Failed) or action is Signal.HALF_OPEN_GONE for action in actions):
        return True
    if any(isinstance(action, Segment) and action.flags & RST for action in actions):
        return True
    return isinstance(event, Timeout) and place(before) is State.FIN_WAIT_2
