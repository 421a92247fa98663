"""Initial sequence numbers and timestamp offsets: keyed functions of the flow.

Source: RFC 6528 3: "ISN = M + F(localip, localport, remoteip, remoteport, secretkey)", M a 4 microsecond
timer; RFC 7323 7.1 for the offset. The key comes from outside (law 1).
"""

from hashlib import blake2s
from struct import Struct

from gossamer.core.seq import MASK, Seq
from gossamer.core.wire.flow import Flow

SECRET_BYTES = 32
FOUR_OCTETS_TWICE = Struct("!II")


def initial_numbers(flow: Flow, secret: bytes, now_us: int) -> tuple[Seq, int]:
    """The ISN of a new connection on `flow` at `now_us`, and what to add to the clock for our TSval on
    `flow`: unlinkable across flows, steady on one (RFC 6191 needs that)."""
    digest = blake2s(flow, digest_size=8, key=secret).digest()
    isn, ts_offset = FOUR_OCTETS_TWICE.unpack(digest)
    return Seq((now_us // 4 + isn) & MASK), ts_offset
