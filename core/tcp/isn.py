"""Initial sequence numbers and timestamp offsets: keyed functions of the flow.

Source: RFC 6528 3: "ISN = M + F(localip, localport, remoteip, remoteport, secretkey)", M a 4 microsecond timer;
RFC 7323 7.1 for the offset. The key comes from outside (law 1).
"""

from hashlib import blake2s

from gossamer.core.seq import MASK, Seq
from gossamer.core.wire.flow import Flow

SECRET_BYTES = 32


def _keyed(flow: Flow, secret: bytes, purpose: bytes) -> int:
    return int.from_bytes(blake2s(flow, digest_size=4, key=secret, person=purpose).digest(), "big")


def initial_sequence_number(flow: Flow, secret: bytes, now_us: int) -> Seq:
    """ISN of a new connection on `flow` at `now_us`."""
    return Seq((now_us // 4 + _keyed(flow, secret, b"isn")) & MASK)


def timestamp_offset(flow: Flow, secret: bytes) -> int:
    """What to add to the clock for our TSval on `flow`: unlinkable across flows, steady on one (RFC 6191 needs that)."""
    return _keyed(flow, secret, b"ts")
