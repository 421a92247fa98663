"""The reasons for which a packet is dropped, each with a counter of its own.

The numbers are also those of `ffi/src/packet.h`; a test holds the two equal. A reason is a value, never an
exception.
"""

from enum import IntEnum


class DropReason(IntEnum):
    """Why a packet went no further."""

    IP_TOO_SHORT = 16
    """Fewer bytes than its IP header needs, or than its total length claims."""
    IP_BAD_VERSION = 17
    IP_BAD_HEADER = 18
    """Header length under 20 or over the packet, or an IPv6 extension header that does not add up."""
    IP_BAD_CHECKSUM = 19
    IP_FRAGMENT = 20
    """A fragment; the kernel joins them before our hook: these are hostile or strays."""
    NOT_TCP = 21
    """A protocol that is neither TCP nor an ICMP error."""
    TCP_TOO_SHORT = 22
    TCP_BAD_OFFSET = 23
    """Data offset under 5 words or over the segment."""
    TCP_BAD_CHECKSUM = 24
    TCP_BAD_OPTION = 25
    """An option of length 0 or 1, or one that runs over the header."""
    LAND = 26
    """Source equals destination."""
    BAD_ADDRESS = 27
    """Source or destination is multicast, broadcast, unspecified, or IPv4-mapped on an IPv6 wire."""
    TRUNCATED = 28
    """The kernel copied less than the packet (NFQA_CAP_LEN)."""
    ICMP_TOO_SHORT = 29
    """An ICMP error that does not quote enough to know the segment by (RFC 792: 8 octets)."""
    ICMP_BAD_CHECKSUM = 30
