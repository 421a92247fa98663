"""Answers from large files: their ranges onto a stream, and what is left of one at any moment.

Owns what a file that ends early means to a response; `core.io.sendfile` sends it.
"""

from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from gossamer.core.http.ranges import ByteRange
from gossamer.core.io.sendfile import send_pieces
from gossamer.core.io.stream import Stream
from gossamer.shards.web.answer import Part
from gossamer.shards.web.files import OpenFile
from gossamer.shards.web.options import WebOptions


class Noted(msgspec.Struct, frozen=True, array_like=True):
    """What is counted and logged of an answer, once it is over."""

    head: bytes
    """Of the request."""
    status: int
    body_bytes: int
    began_us: int
    """Of the clock that all processes of the machine have."""
    user: str


class StreamedAnswer:
    """An answer on its way out of an open file, and what is left of it behind the call at hand."""

    __slots__ = ("file", "keep_alive", "name", "noted", "parts", "rest")

    def __init__(
        self, file: OpenFile, name: str, parts: Sequence[Part], noted: Noted, *, keep_alive: bool
    ) -> None:
        self.file = file
        """Whoever sends the answer closes it."""
        self.name = name
        """Of the file, as `shards.web.file_names` has it."""
        self.parts = deque(parts)
        """Those that have not begun."""
        self.rest: ByteRange | None = None
        """Of the range that has begun: what is behind the piece that is being sent."""
        self.noted = noted
        self.keep_alive = keep_alive

    def begin(self, part: ByteRange) -> Callable[[int], None]:
        """A range begins; what is to be told where the piece ends that is sent next."""
        self.rest = part

        def goes_on(at: int) -> None:
            self.rest = ByteRange(at, part.end)

        return goes_on

    def left(self, unsent: bytes | ByteRange) -> tuple[Part, ...]:
        """All that is left, where so much of the call at hand is."""
        rest = (self.rest,) if self.rest is not None and self.rest.length else ()
        return (*((unsent,) if unsent else ()), *rest, *self.parts)


def ignored(_at: int) -> None:
    """Of whoever need not know how far it has come."""


async def send_range(
    stream: Stream,
    file: OpenFile,
    wanted: ByteRange,
    options: WebOptions,
    goes_on: Callable[[int], None] = ignored,
) -> None:
    """Send the bytes of a range; `goes_on` is told where each piece ends before it is sent.

    Raises: OSError; also when the file ends early, since the length has been promised by then.
    """
    length = wanted.end - wanted.start
    sent = await send_pieces(
        *(stream, file, wanted.start, length),
        *(options.write_timeout_us, options.chunk_bytes, goes_on),
    )
    if sent < length:
        raise OSError("the file has become shorter while it was sent")
