"""A connection on its way from one loop to another, as a value.

Owns the record, and the places where a connection can stand at either end. Which can leave is
`core.loop.tcp.saving`; what becomes of one that comes, `core.loop.tcp.moving`.
"""

from enum import IntEnum

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.continuing import NamedFile
from gossamer.core.wire.proxy_protocol import NOBODY


class Standing(IntEnum):
    """Where a connection stood, and will stand."""

    RESTING = 1
    """Between two requests, without a thread."""
    ACCEPTABLE = 2
    """Established, in the accept queue."""
    HALF_OPEN = 3
    CLOSED = 4
    """Closed by its user, and not over."""
    TIME_WAIT = 5
    BUSY = 6
    """In the midst of what its thread was about, which was saved."""


class MovedConnection(msgspec.Struct, frozen=True):
    """A connection on its way."""

    flow: bytes
    place: Standing
    record: bytes
    """As `core.tcp.codec` writes it."""
    until_us: int = NEVER_US
    """When the time of the RECEIVE is over."""
    state: bytes = b""
    """What its thread was about, where it was busy."""
    files: tuple[tuple[int, NamedFile], ...] = ()
    """The files of which extents stand in its send buffer, by their numbers in the record."""
    announced: bytes = NOBODY
    """The flow that a proxy has announced for it."""
