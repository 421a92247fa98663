"""What can happen to a connection. An event carries everything `step` may not ask for: the time, random
numbers.

Source: RFC 9293 3.10 (the events); law 1.
"""

from enum import Enum

import msgspec

from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.wire.segment import Segment
from gossamer.core.wire.text import Extent


class SegmentArrives(msgspec.Struct, frozen=True, gc=False):
    """A well-formed segment of this connection. Source: RFC 9293 3.10.7."""

    segment: Segment
    now_us: int
    receive_bytes: int = 0
    """How much a thread blocked in RECEIVE would take, 0 when there is none. The thread itself stays with the
    doer, since none may stand in a Tcb; octets that it can have at once never enter the receive buffer."""
    pieces: int = 1
    """How many packets it came as (`core.wire.joining`)."""

    @property
    def acks(self) -> int:
        """How many ACKs it stands for: the packets of a text all have the same."""
        return 1 if self.segment.payload else self.pieces


class Send(msgspec.Struct, frozen=True, gc=False):
    """SEND call. What does not fit in the send buffer is left to the caller: see actions.Accepted. Source:
    3.10.2."""

    data: bytes | Extent
    """An extent of a file is at least EXTENT_BYTES_MIN long, unless it continues the one before it."""
    now_us: int
    is_last: bool = False
    """A half-close follows: the FIN rides on the last segment. Holds only when all of `data` finds room."""
    ends_record: bool = False
    """No segment spans the end of `data`. Holds only when all of it finds room."""


class Receive(msgspec.Struct, frozen=True, gc=False):
    """RECEIVE call; answered by Deliver, EndOfStream, Failed, or by nothing: then it is to be queued. Source:
    3.10.3."""

    bytes_max: int
    now_us: int


class Close(msgspec.Struct, frozen=True, gc=False):
    """CLOSE call: a FIN after what was sent. Source: 3.10.4."""

    now_us: int
    receives: bool = False
    """Whether the user goes on receiving (a half-close, `shutdown`)."""


class Abort(msgspec.Struct, frozen=True, gc=False):
    """ABORT call. Source: 3.10.5."""

    now_us: int


class SetOptions(msgspec.Struct, frozen=True, gc=False):
    """The user changes what it had opened the connection with. Source: RFC 9293 3.9.1 leaves it to the
    interface."""

    options: SocketOptions
    now_us: int


class SetBuffers(msgspec.Struct, frozen=True, gc=False):
    """The buffers have other sizes from now on. Source: RFC 9293 3.8.6.2.1."""

    send_bytes: int
    receive_bytes: int
    now_us: int


class Timeout(msgspec.Struct, frozen=True, gc=False):
    """The connection's deadline has passed. Source: 3.10.8."""

    now_us: int


class Opening(msgspec.Struct, frozen=True, gc=False):
    """What a new connection needs from outside: not an event of a connection, but what makes one."""

    now_us: int
    iss: int
    """Initial sequence number, from core.tcp.isn."""
    ts_offset: int
    """Random offset of our timestamps (RFC 7323 7.1)."""
    mss: int
    """MSS to advertise on this flow's link, bytes."""
    is_ipv6: bool = False
    cookie: bytes | None = None
    """Fast Open cookie for our SYN or SYN-ACK; b"" asks for one, None is no option (RFC 7413)."""
    is_cookie_experimental: bool = False
    """Whether the option of our SYN is of the experimental kind; a SYN-ACK's is of the SYN's."""
    takes_text: bool = False
    """Whether the data of the SYN may be taken before the handshake is over: its cookie is valid."""
    peer_mss: int = 0
    """The peer's MSS when we last spoke to it, 0 when unknown: bounds the data of our SYN."""
    is_bare: bool = False
    """Whether our SYN carries data without a cookie."""
    ts_recent: int = 0
    """What our SYN echoes. RFC 7323 3.2 has it zero; Linux's SYN that takes a flow over from TIME-WAIT has
    the peer's last timestamp there."""


class Report(Enum):
    """What kind of report an ICMP error is. Source: RFC 9293 3.9.2.2."""

    HARD = "the connection cannot be"
    SOFT = "a packet did not pass"
    TOO_BIG = "a packet was too big for the next hop"
    TOO_BIG_HERE = "our own host refused to send a packet, which was too big for its link"


class IcmpError(msgspec.Struct, frozen=True, gc=False):
    """An ICMP error quotes a segment of ours. Source: RFC 9293 3.9.2.2, RFC 5927."""

    seq: int
    """Sequence number of the quoted segment."""
    report: Report
    now_us: int
    failure: Failure = Failure.UNREACHABLE
    """The error that the user gets if the connection ends by it, or later without hearing from the peer."""
    mtu: int = 0
    """With TOO_BIG: what the next hop carries; 0 when the router does not report it. With TOO_BIG_HERE: what
    the link carries."""


class PathKnown(msgspec.Struct, frozen=True, gc=False):
    """What a router reported to another connection to the same peer; comes once this one is established."""

    mtu: int
    now_us: int


Event = (
    SegmentArrives
    | Send
    | Receive
    | Close
    | Abort
    | SetOptions
    | SetBuffers
    | Timeout
    | IcmpError
    | PathKnown
)
"""What `step` takes beside the connection."""
