"""Super-segments: several segments in a row, made, passed on and emitted as one, and cut where they leave.

Owns what the pieces of one are. A sink cuts in C (`ffi/src/send.c`) or has the kernel do it; what is here
both are held to, and a simulated sink uses it.

Source: the kernel's Documentation/networking/segmentation-offloads.rst.
"""

from typing import Final

import msgspec

from gossamer.core.seq import Seq, seq_add
from gossamer.core.wire.segment import CWR, FIN, PSH, Segment
from gossamer.core.wire.text import Payload, part_of

SUPER_SEGMENT_BYTES_MAX: Final = 65_455
"""The text of a packet that is still to be cut, or of one that was joined: an IPv4 total length of 65,535,
less 20 and less the longest TCP header."""
LAST_ONLY = PSH | FIN
"""Control bits that stand behind the text: in the last piece."""


def cut(segment: Segment) -> tuple[Segment, ...]:
    """The segments that leave: itself, when it is one packet.

    Source: RFC 3168 6.1.2: CWR stands "only on the first new data packet" of them.
    """
    size, payload = segment.cut_bytes, segment.payload
    if not size:
        return (segment,)
    starts = range(0, len(payload), size)
    return tuple(_piece(segment, start, part_of(payload, start, size)) for start in starts)


def _piece(segment: Segment, start: int, payload: Payload) -> Segment:
    flags = segment.flags
    if start:
        flags &= ~CWR
    if start + len(payload) < len(segment.payload):
        flags &= ~LAST_ONLY
    seq = seq_add(Seq(segment.seq), start)
    return msgspec.structs.replace(segment, seq=seq, flags=flags, payload=payload, cut_bytes=0)
