"""The segment: what a TCP header says, as a value.

Owns the record that the codec makes from bytes, that `core.tcp.step` takes in and gives out, and that the
emitter turns back into bytes. It knows nothing of IP, of sockets, of C.

Source: RFC 9293 3.1 and 3.2.
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

NO_TIMESTAMP: Final = -1
"""`ts_val` of a segment without the timestamps option."""

SackBlock = tuple[int, int]
"""Left edge and right edge, sequence numbers as they are on the wire. Source: RFC 2018 3."""


class SynOptions(msgspec.Struct, frozen=True, gc=False):
    """The options that only a SYN may carry."""

    mss: int = 0
    """Maximum segment size in bytes; 0 when the option is absent. Source: RFC 9293 3.7.1."""
    window_scale: int = -1
    """Shift count 0..14; -1 when the option is absent. Source: RFC 7323 2."""
    sack_permitted: bool = False
    """Source: RFC 2018 2."""


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
