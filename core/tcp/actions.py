"""What a connection asks its doer for. A `Segment` among the actions is to be emitted on the connection's
flow.

Actions without fields are single values, compared by identity.
"""

from enum import Enum
from typing import Any

import msgspec

from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.wire.segment import Segment


class Deliver(msgspec.Struct, frozen=True, gc=False):
    """Answer the queued RECEIVE with these octets."""

    data: bytes


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """Answer to a SEND of which only so many octets found room: the rest waits for SEND_SPACE."""

    count: int


class Urgent(msgspec.Struct, frozen=True, gc=False):
    """Notify the user that the peer has marked urgent data: this many octets, counted from the first that the
    user has not received, whether they have come or not. Source: RFC 9293 3.8.5, MUST-32."""

    ahead_bytes: int


class Remains(msgspec.Struct, frozen=True, gc=False):
    """The connection's record goes while these octets were not received: the doer answers RECEIVE from
    them."""

    data: bytes


class Granted(msgspec.Struct, frozen=True, gc=False):
    """Remember the peer's Fast Open cookie, and its MSS, for the next connection. Source: RFC 7413 4.1.3."""

    cookie: bytes
    """b"" when it gave none: one that is known stays."""
    mss: int
    is_experimental: bool = False
    """In which kind of option it came, or was asked for in vain."""
    was_asked: bool = True
    """Whether our SYN had the option."""
    brings_nothing: bool = False
    """Neither a cookie came back, nor was text of our SYN taken."""


class Dropped(msgspec.Struct, frozen=True, gc=False):
    """Count a segment that changed nothing, by reason."""

    reason: SegmentDrop


class PathLearned(msgspec.Struct, frozen=True, gc=False):
    """A router has reported what the path to this peer carries: remember it for later connections."""

    mtu: int


class Failure(Enum):
    """Why a connection ended other than by CLOSE."""

    RESET = "connection reset by peer"
    REFUSED = "connection refused"
    TIMED_OUT = "connection timed out"
    UNREACHABLE = "host unreachable"
    NETWORK_UNREACHABLE = "network unreachable"
    PROTOCOL_REFUSED = "protocol not available"
    BAD_HEADER = "protocol error"
    ABORTED = "connection aborted"
    FILE_CUT = "the file that is sent has become shorter"
    """What was to be sent of it is not there any more, or cannot be read."""
    CLOSING = "connection closing"
    """A SEND after CLOSE. Source: RFC 9293 3.10.2."""


class Failed(msgspec.Struct, frozen=True, gc=False):
    """Answer all queued calls, and those to come, with this error."""

    failure: Failure


class SoftFailure(msgspec.Struct, frozen=True, gc=False):
    """Report trouble that does not end the connection to the user. Source: RFC 9293 3.9.1.8, MUST-47."""

    failure: Failure


class Signal(Enum):
    """Actions without fields: the name says all."""

    # Members are single objects; Enum's own hash is Python code and stands in the way of a look-up for each
    # action.
    __hash__: Any = object.__hash__

    ESTABLISHED = "the handshake is complete: answer OPEN, or queue for accept"
    SEND_SPACE = "the send buffer has room: try the queued SEND again"
    END_OF_STREAM = "the peer's FIN was reached: answer RECEIVE with nothing"
    FIN_ACKED = "all that was sent, and our FIN, is acknowledged: answer a CLOSE that waits for it"
    PACED = "more may leave at Tcb.pace_at_us: look at the connection then"
    DELIVERY_PROBLEM = "data was sent again so often that it is worth a notice: count it, notify the user"
    RETRANSMITTED = "count a retransmission"
    OPENED_EARLY = "the SYN's Fast Open cookie was valid: queue for accept before the handshake is over"
    FAST_OPEN_LOST = "a SYN with the Fast Open option was lost: do without towards this server for a time"
    HALF_OPEN_GONE = "a half-open connection of a listener ended: free its place"


Action = (
    Segment
    | Deliver
    | Accepted
    | Urgent
    | Remains
    | Granted
    | Dropped
    | PathLearned
    | Failed
    | SoftFailure
    | Signal
)
"""One thing that a step wants done, a segment to send among them."""

Actions = tuple[Action, ...]
"""All that a step wants done, in this order."""
