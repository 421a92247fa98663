"""The reasons for which `step` drops a well-formed segment; together with `core.wire.drop` they name every
drop there is."""

from enum import IntEnum


class SegmentDrop(IntEnum):
    """Why a segment changed nothing. The numbers go on where `DropReason` ends."""

    OUT_OF_WINDOW = 40
    """RFC 9293 3.10.7.4, first: not acceptable; answered with an ACK unless it is a RST."""
    PAWS = 41
    """RFC 7323 5.3: older than what the connection has seen."""
    RST_OUT_OF_WINDOW = 42
    """RFC 5961 3.2."""
    RST_CHALLENGED = 43
    """RFC 5961 3.2: in the window, but not at RCV.NXT."""
    SYN_CHALLENGED = 44
    """RFC 5961 4.2."""
    ACK_MISSING = 45
    """RFC 9293 3.10.7.4, fifth: the ACK bit is off."""
    ACK_UNACCEPTABLE = 46
    """RFC 5961 5.2, or an ACK for what was never sent."""
    NO_CONNECTION = 47
    """For a port nobody listens on; answered with a RST unless it is one."""
    LISTEN_NOT_SYN = 48
    """RFC 9293 3.10.7.2: a segment without SYN for a listener."""
    BACKLOG_FULL = 49
    """The listener's SYN queue is full: a SYN, or the half-open connection that made room for one."""
    CHALLENGE_LIMITED = 50
    """A challenge ACK that was not sent because of the connection's limit."""
    REASSEMBLY_FULL = 51
    """Out of order beyond the bound in bytes or in count."""
    TIME_WAIT = 52
    """For a connection in TIME-WAIT, and no newer SYN."""
    CONNECTIONS_FULL = 53
    """The shard's table of connections is full."""
    ICMP_IGNORED = 54
    """RFC 5927: an ICMP error whose quoted segment is not in flight."""
    SEND_FAILED = 55
    """The kernel refused an outgoing packet (too long for the path, no route, no buffer)."""
    COOKIE_INVALID = 70
    """RFC 4987 3.6: an ACK for a listener, while SYN cookies are out, that returns none, or one too old."""
    ACCEPT_QUEUE_FULL = 71
    """The listener's queue of unaccepted connections is full: a SYN, or the ACK that ends a handshake."""
    COOKIE_EARLY = 72
    """It returns a SYN cookie, but what comes before it was lost or is late: the peer sends that again."""
    MEMORY_FULL = 73
    """Text that nobody waits for, while the buffers of all connections hold as much as they may."""
