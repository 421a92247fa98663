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
AGE_MAX_US = 4 << 32
"""When M comes round: after 4 hours and 46 minutes."""


def initial_numbers(flow: Flow, secret: bytes, now_us: int) -> tuple[Seq, int]:
    """The ISN of a new connection on `flow` at `now_us`, and what to add to the clock for our TSval on
    `flow`: unlinkable across flows, steady on one (RFC 6191 needs that)."""
    digest = blake2s(flow, digest_size=8, key=secret).digest()
    isn, ts_offset = FOUR_OCTETS_TWICE.unpack(digest)
    return Seq((now_us // 4 + isn) & MASK), ts_offset


def age_us(flow: Flow, secret: bytes, iss: Seq, now_us: int) -> int:
    """How long ago the ISN of a connection was chosen: M has gone on since.

    Bounds: modulo AGE_MAX_US. Of no meaning where the ISN was a SYN cookie.
    """
    chosen_now, _ = initial_numbers(flow, secret, now_us)
    return ((chosen_now - iss) & MASK) * 4
