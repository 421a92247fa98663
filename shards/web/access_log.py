"""The access log, buffered.

Owns the buffer. A response is noted as a small tuple; lines are made (`log_layout`) and written when the
buffer is flushed, off the hot path: the worker's heartbeat calls `flush`, and so does a buffer that is full.
"""

from collections.abc import Callable
from typing import Final

from gossamer.core.clock import Clock, wall_us
from gossamer.core.io.stream import Stream
from gossamer.shards.web.h2_stream import H2Stream
from gossamer.shards.web.log_layout import NONE, Layout, Note, Where, layout_of, request_line

Write = Callable[[bytes], object]
"""Takes whole lines; such as the write method of a file opened for appending, unbuffered."""

NOTES_MAX: Final = 4096
"""Responses that wait to be written; one more has them written at once."""
HEADS_BYTES_MAX: Final = 1 << 20
"""And so much of their requests."""

COMMON: Final = layout_of("common")
HERE: Final = Where()


class AccessLog:
    """Notes responses, writes lines. Bounds: NOTES_MAX, HEADS_BYTES_MAX."""

    __slots__ = ("heads_bytes", "keeps_head", "layout", "notes", "wall", "where", "write")

    def __init__(
        self, write: Write, wall: Clock = wall_us, *, layout: Layout = COMMON, where: Where = HERE
    ) -> None:
        self.write = write
        self.wall = wall
        self.layout = layout
        self.where = where
        self.keeps_head = layout.asks_for_fields or bool(where.trusted)
        self.notes: list[Note] = []
        self.heads_bytes = 0

    def __call__(
        self,
        stream: Stream,
        head: bytes,
        status: int,
        body_bytes: int,
        duration_us: int = 0,
        user: str = "",
    ) -> None:
        """Note a response."""
        if not self.keeps_head:
            head = request_line(head)
        if isinstance(stream, H2Stream):
            head = head.replace(b" HTTP/1.1", b" HTTP/2.0", 1)  # So it was asked; its target has no space.
        self.notes.append(Note(peer_host(stream), self.wall(), head, status, body_bytes, duration_us, user))
        self.heads_bytes += len(head)
        if len(self.notes) >= NOTES_MAX or self.heads_bytes >= HEADS_BYTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what was noted."""
        if not self.notes:
            return
        notes, self.notes = self.notes, []
        self.heads_bytes = 0
        line, where = self.layout.line, self.where
        self.write("".join([line(note, where) + "\n" for note in notes]).encode("utf-8"))


def peer_host(stream: Stream) -> str:
    """The peer's address; NONE once it is gone, and at a Unix socket."""
    try:
        return stream.peer[0] or NONE
    except OSError:
        return NONE
