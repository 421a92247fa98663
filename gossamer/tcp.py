"""The TCP as a function, for those who study it: step(connection, event) -> (connection, actions).

A connection is a frozen record: a `Tcb`, in TIME-WAIT a `TimeWait`, and None once it is gone. What happens to
it is an event; what it wants done is a list of actions, among them the segments to send. There is no clock,
no socket and no chance in it: the same event always gives the same outcome. A handshake between two records:

    >>> from gossamer.tcp import (
    ...     Listener, Opening, Segment, SegmentArrives, TcpParameters, flags_of, listen, open_active, step,
    ... )
    >>> def opening(iss):
    ...     return Opening(now_us=1_000_000, iss=iss, ts_offset=0, mss=1460)
    >>> client, (syn,) = open_active(TcpParameters(), opening(100))
    >>> print(client.state.name, flags_of(syn), syn.seq)
    SYN_SENT SYN 100
    >>> server, (syn_ack,) = listen(Listener(), syn, opening(500))
    >>> print(server.state.name, flags_of(syn_ack), syn_ack.seq, syn_ack.ack)
    SYN_RECEIVED SYN,ACK 500 101
    >>> client, actions = step(client, SegmentArrives(syn_ack, 1_010_000))
    >>> (ack,) = (action for action in actions if isinstance(action, Segment))
    >>> print(client.state.name, flags_of(ack), ack.seq, ack.ack)
    ESTABLISHED ACK 101 501
    >>> server, _ = step(server, SegmentArrives(ack, 1_020_000))
    >>> print(server.state.name)
    ESTABLISHED

`explain` prints a connection, or what a step has changed of it; `encode` and `decode` make bytes of one and
back; `timers_due` says which timers a `Timeout` finds expired. ARCHITECTURE.md says where each rule of an RFC
stands in the sources.
"""

from gossamer.core.records import replace
from gossamer.core.seq import Seq, seq_add, seq_diff, seq_le, seq_lt
from gossamer.core.tcp.actions import (
    Accepted,
    Action,
    Actions,
    Deliver,
    Dropped,
    Failed,
    Failure,
    Granted,
    PathLearned,
    Remains,
    Signal,
    SoftFailure,
    Urgent,
)
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.codec import UndecodableConnection, decode, encode
from gossamer.core.tcp.congestion.control import Ack, Control, Loss
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import (
    Abort,
    Close,
    Event,
    IcmpError,
    Opening,
    PathKnown,
    Receive,
    Report,
    SegmentArrives,
    Send,
    SetBuffers,
    SetOptions,
    Timeout,
)
from gossamer.core.tcp.explain import explain
from gossamer.core.tcp.info import TcpInfo, info
from gossamer.core.tcp.listen import segment_arrives as listen
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.tcp.step import Connection, Outcome, step
from gossamer.core.tcp.tcb import Listener, State, Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.tcp.timeouts.timers import timers_due
from gossamer.core.wire.packet import Parsed, parse_packet
from gossamer.core.wire.segment import (
    ACK,
    CWR,
    ECE,
    FIN,
    PSH,
    RST,
    SYN,
    URG,
    EcnBytes,
    Segment,
    SynOptions,
    flags_of,
)
from gossamer.core.wire.text import Extent, Span, TextInParts

__all__ = [
    # The function, and where connections begin.
    "step",
    "open_active",
    "listen",
    "deadline_us",
    # Connections.
    "Connection",
    "Outcome",
    "Tcb",
    "TimeWait",
    "Listener",
    "State",
    "TcpParameters",
    "SocketOptions",
    # Another one with changes; for people; as bytes.
    "replace",
    "explain",
    "timers_due",
    "info",
    "TcpInfo",
    "encode",
    "decode",
    "UndecodableConnection",
    # Events.
    "Event",
    "Opening",
    "SegmentArrives",
    "Send",
    "Receive",
    "Close",
    "Abort",
    "SetOptions",
    "SetBuffers",
    "Timeout",
    "IcmpError",
    "Report",
    "PathKnown",
    # Actions.
    "Action",
    "Actions",
    "Deliver",
    "Granted",
    "Accepted",
    "Urgent",
    "Signal",
    "Failed",
    "Failure",
    "SoftFailure",
    "Remains",
    "PathLearned",
    "Dropped",
    "SegmentDrop",
    # Segments.
    "Segment",
    "TextInParts",
    "Extent",
    "Span",
    "SynOptions",
    "EcnBytes",
    "flags_of",
    "parse_packet",
    "Parsed",
    "FIN",
    "SYN",
    "RST",
    "PSH",
    "ACK",
    "URG",
    "ECE",
    "CWR",
    # Sequence numbers, modulo 2**32.
    "Seq",
    "seq_add",
    "seq_diff",
    "seq_lt",
    "seq_le",
    # A congestion control of your own.
    "Control",
    "Congestion",
    "Ack",
    "Loss",
]
