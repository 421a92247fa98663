"""The segment: what a TCP header says, as a value.

Owns the record that the codec makes from bytes, that `core.tcp.step` takes in and gives out, and that the
emitter turns back into bytes. It knows two bits of the IP header, those of ECN, and nothing of sockets and C.

Source: RFC 9293 3.1 and 3.2, RFC 3168 5.
"""

from typing import Final

import msgspec

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80

NOT_ECT: Final = 0
ECT_1: Final = 1
ECT_0: Final = 2
CE: Final = 3
"""The codepoints of the ECN field of the IP header. Source: RFC 3168 5, figure 1."""
ECN_BITS: Final = 2
"""How far above it the Diffserv field begins."""

NO_TIMESTAMP: Final = -1
"""`ts_val` of a segment without the timestamps option."""

SackBlock = tuple[int, int]
"""Left edge and right edge, sequence numbers as they are on the wire. Source: RFC 2018 3."""

FLAG_NAMES: Final = {
    SYN: "SYN",
    FIN: "FIN",
    RST: "RST",
    PSH: "PSH",
    ACK: "ACK",
    URG: "URG",
    ECE: "ECE",
    CWR: "CWR",
}
"""RFC 9293 3.1, in the order in which people say them."""


class SynOptions(msgspec.Struct, frozen=True, gc=False):
    """The options that only a SYN may carry."""

    mss: int = 0
    """Maximum segment size in bytes; 0 when the option is absent. Source: RFC 9293 3.7.1."""
    window_scale: int = -1
    """Shift count 0..14; -1 when the option is absent. Source: RFC 7323 2."""
    sack_permitted: bool = False
    """Source: RFC 2018 2."""
    cookie: bytes | None = None
    """TCP Fast Open: a cookie of 4 to 16 octets, b"" to ask for one, None when the option is absent. Source:
    RFC 7413 4.1.1."""


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One TCP segment, in or out.

    Units: `seq` and `ack` are sequence numbers, `window` is the field of the header, not yet scaled; `ts_val`
    and `ts_ecr` are 32-bit timestamp values.
    """

    seq: int
    ack: int
    flags: int
    window: int
    ts_val: int = NO_TIMESTAMP
    ts_ecr: int = 0
    payload: bytes = b""
    sack: tuple[SackBlock, ...] = ()
    syn_options: SynOptions | None = None
    urgent: int = 0
    """Urgent pointer; 0 without URG."""
    ecn: int = NOT_ECT
    """ECN codepoint of the IP header that the segment came or goes with; of one that goes, the six bits above
    it are the Diffserv field (RFC 2474 3). On the way in, segments of the hot path (plain data and ACKs with
    timestamps) are read without it unless it is CE."""
    user_timeout_s: int = 0
    """User timeout option in seconds; 0 when it is absent. Source: RFC 5482 3."""


def flags_of(segment: Segment) -> str:
    """The control bits of a segment by name.

    >>> from gossamer.tcp import ACK, SYN, Segment, flags_of
    >>> flags_of(Segment(1, 2, SYN | ACK, 3))
    'SYN,ACK'
    """
    return ",".join(name for bit, name in FLAG_NAMES.items() if segment.flags & bit)
