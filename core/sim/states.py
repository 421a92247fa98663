"""A connection in each state of RFC 9293, each made from the one before by real steps.

Owns the shortest way into every state, and `from_peer`: the segment that the peer of such a connection would
send next, or one beside it. For tests, fuzzers and demonstrations.

Source: RFC 9293 3.3.2, figure 5.
"""

from collections.abc import Callable
from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp import listen
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.events import Close, Event, Opening, SegmentArrives, Send
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.tcp.step import Connection, step
from gossamer.core.tcp.tcb import Listener, State, Tcb, TimeWait
from gossamer.core.wire.segment import ACK, FIN, NO_TIMESTAMP, SYN, SackBlock, Segment, SynOptions

NOW_US: Final = 100 * SECOND_US
"""When these connections were opened; their last step was at the same time."""

OPENING: Final = Opening(now_us=NOW_US, iss=MASK - 99, ts_offset=1 << 31, mss=1460)
"""Our side: the sequence numbers wrap 100 octets into the connection."""

PEER_ISS: Final = Seq(MASK - 49)
PEER_TS: Final = 5_000
"""The peer's clock at NOW_US."""

PEER_OPTIONS: Final = SynOptions(mss=1460, window_scale=2, sack_permitted=True)
PEER_WINDOW: Final = 16_384
"""The window field of the peer's segments; 65,536 octets with its scale."""


def peer_syn(flags: int = SYN, ack: int = 0, options: SynOptions = PEER_OPTIONS) -> Segment:
    """The SYN of the peer, or its SYN-ACK."""
    return Segment(PEER_ISS, ack, flags, 65_535, PEER_TS, 0, syn_options=options)


def from_peer(
    connection: Connection,
    flags: int = ACK,
    payload: bytes = b"",
    *,
    seq: int = 0,
    ack: int = 0,
    window: int = PEER_WINDOW,
    ts: int = 0,
    sack: tuple[SackBlock, ...] = (),
) -> Segment:
    """A segment of the peer that has heard all of ours and starts at RCV.NXT; `seq`, `ack` and `ts` move it
    from there."""
    timestamps = connection.timestamps if isinstance(connection, TimeWait) else connection.agreed.timestamps
    ts_val = (connection.ts_recent + ts) & MASK if timestamps else NO_TIMESTAMP
    return Segment(
        seq=seq_add(connection.rcv_nxt, seq),
        ack=seq_add(connection.snd_nxt, ack) if flags & ACK else 0,
        flags=flags,
        window=window,
        ts_val=ts_val,
        payload=payload,
        sack=sack,
    )


def after(connection: Connection, event: Event) -> Tcb:
    """The connection after an event that does not end it."""
    following, _ = step(connection, event)
    assert isinstance(following, Tcb), following
    return following


def after_segment(connection: Connection, segment: Segment, now_us: int = NOW_US) -> Tcb:
    """The connection after a segment that does not end it."""
    return after(connection, SegmentArrives(segment, now_us))


def segments_in(actions: Actions) -> list[Segment]:
    """What is to be emitted among the actions."""
    return [action for action in actions if isinstance(action, Segment)]


def only_segment(actions: Actions) -> Segment:
    """The one segment among the actions."""
    (segment,) = segments_in(actions)
    return segment


def stepped(tcb: Tcb, event: Event) -> tuple[Tcb, list[Segment]]:
    """A step that does not end the connection: it, and what it sent."""
    following, actions = step(tcb, event)
    assert isinstance(following, Tcb), following
    return following, segments_in(actions)


def send(tcb: Tcb, data: bytes, now_us: int = NOW_US) -> tuple[Tcb, list[Segment]]:
    """After a SEND."""
    return stepped(tcb, Send(data, now_us))


def segment_arrives(tcb: Tcb, segment: Segment, now_us: int = NOW_US) -> tuple[Tcb, list[Segment]]:
    """After a segment of the peer."""
    return stepped(tcb, SegmentArrives(segment, now_us))


def syn_sent(parameters: TcpParameters = DEFAULT_PARAMETERS) -> Tcb:
    """Opened actively."""
    return open_active(parameters, OPENING)[0]


def syn_received(parameters: TcpParameters = DEFAULT_PARAMETERS, options: SynOptions = PEER_OPTIONS) -> Tcb:
    """A listener has heard a SYN."""
    tcb, _ = listen.segment_arrives(Listener(parameters), peer_syn(options=options), OPENING)
    assert tcb is not None
    return tcb


def crossed(parameters: TcpParameters = DEFAULT_PARAMETERS) -> Tcb:
    """SYN-RECEIVED of a simultaneous open: our SYN and the peer's have crossed."""
    return after_segment(syn_sent(parameters), peer_syn())


def established(parameters: TcpParameters = DEFAULT_PARAMETERS, options: SynOptions = PEER_OPTIONS) -> Tcb:
    """The handshake is complete."""
    tcb = syn_received(parameters, options)
    return after_segment(tcb, from_peer(tcb))


def fin_wait_1(parameters: TcpParameters = DEFAULT_PARAMETERS) -> Tcb:
    """We have half-closed first; our FIN is under way."""
    return after(established(parameters), Close(NOW_US, receives=True))


def fin_wait_2(parameters: TcpParameters = DEFAULT_PARAMETERS) -> Tcb:
    """Our FIN is acknowledged; the peer still sends."""
    tcb = fin_wait_1(parameters)
    return after_segment(tcb, from_peer(tcb))


def closing(parameters: TcpParameters = DEFAULT_PARAMETERS) -> Tcb:
    """Both FINs have crossed."""
    tcb = fin_wait_1(parameters)
    return after_segment(tcb, from_peer(tcb, ACK | FIN, ack=-1))


def close_wait(parameters: TcpParameters = DEFAULT_PARAMETERS) -> Tcb:
    """The peer has closed first."""
    tcb = established(parameters)
    return after_segment(tcb, from_peer(tcb, ACK | FIN))


def last_ack(parameters: TcpParameters = DEFAULT_PARAMETERS) -> Tcb:
    """The peer has closed first, and now so have we."""
    return after(close_wait(parameters), Close(NOW_US))


def time_wait(parameters: TcpParameters = DEFAULT_PARAMETERS) -> TimeWait:
    """We closed first, and then the peer."""
    tcb = fin_wait_2(parameters)
    record, _ = step(tcb, SegmentArrives(from_peer(tcb, ACK | FIN), NOW_US))
    assert isinstance(record, TimeWait)
    return record


IN_STATE: Final[dict[State, Callable[[TcpParameters], Tcb]]] = {
    State.SYN_SENT: syn_sent,
    State.SYN_RECEIVED: syn_received,
    State.ESTABLISHED: established,
    State.FIN_WAIT_1: fin_wait_1,
    State.FIN_WAIT_2: fin_wait_2,
    State.CLOSE_WAIT: close_wait,
    State.CLOSING: closing,
    State.LAST_ACK: last_ack,
}
"""The builder of each state."""
