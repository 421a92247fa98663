"""The world of the model: two ends, what their users have still to call, and the segments under way.

A world is a frozen value, and its encoding is its identity: two that encode alike have the same future. It
knows nothing of what may happen next (`moves`).
"""

from hashlib import blake2b
from typing import Final

import msgspec

from gossamer.core.records import encoded
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp.actions import Failure
from gossamer.core.tcp.events import Abort, Close, Opening, Send
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import Connection
from gossamer.core.wire.segment import Segment

Call = Send | Close | Abort
Plan = tuple[Call, ...]
"""The calls that a user makes, in this order, at any time from the moment that the connection is open."""

KEY_BYTES: Final = 16

OPENINGS: Final = (
    Opening(now_us=NOW_US, iss=2**32 - 2, ts_offset=1, mss=100),
    Opening(now_us=NOW_US, iss=2**31 - 2, ts_offset=2, mss=100),
)
"""Fixed, for fixed numbers make more worlds equal: one end's wrap, the other's pass the sign bit."""


class ModelScenario(msgspec.Struct, frozen=True):
    """Two users, and what they and the network may do."""

    name: str
    plans: tuple[Plan, Plan]
    parameters: tuple[TcpParameters, TcpParameters]
    both_open: bool = False
    """Both ends open actively; else side 1 listens."""
    is_reading: tuple[bool, bool] = (True, True)
    """Whether a RECEIVE is always queued; else the user makes one whenever it likes."""
    calls_early: bool = False
    """Whether the users of active opens call before the connection is established."""
    is_hasty: bool = False
    """Whether the timers of FIN-WAIT-2, TIME-WAIT and keepalive may run out before all else has happened."""
    may_fail: bool = False
    """Whether a connection may end other than by CLOSE, and octets be lost with it."""
    under_way_max: int = 2
    """Segments that the network holds; what is sent beyond is lost, as in a full queue."""


class ModelSide(msgspec.Struct, frozen=True, array_like=True):
    """One end and its user."""

    connection: Connection | None = None
    is_listening: bool = False
    is_open: bool = False
    """Whether OPEN was answered, or the connection accepted: the user may call."""
    calls_made: int = 0
    received: bytes = b""
    has_ended: bool = False
    """Whether the user has seen the end of the stream."""
    failure: Failure | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of a connection."""
        return self.connection is None


class World(msgspec.Struct, frozen=True, array_like=True):
    """All there is."""

    sides: tuple[ModelSide, ModelSide]
    under_way: tuple[tuple[int, Segment], ...] = ()
    """(the side it is for, segment), sorted, each once: that a segment may come out twice is a move."""

    @property
    def is_over(self) -> bool:
        """Whether both connections are gone."""
        return self.sides[0].is_over and self.sides[1].is_over


_encoder = msgspec.msgpack.Encoder(enc_hook=encoded)


def key_of(world: World) -> bytes:
    """The identity of a world: a digest of its encoding."""
    return blake2b(_encoder.encode(world), digest_size=KEY_BYTES).digest()


def sent_by(plan: Plan) -> bytes:
    """All that a user has to send."""
    return b"".join(call.data for call in plan if isinstance(call, Send) and isinstance(call.data, bytes))
