"""The access log: the common log format, buffered.

Owns the lines and the buffer. A response is noted as a small tuple; lines are made and written when the
buffer is flushed, off the hot path: the worker's heartbeat calls `flush`, and so does a buffer that is full.
Everything a peer sent is escaped.

Source: the common log format of the NCSA and Apache servers.
"""

import re
import time
from collections.abc import Callable
from typing import Final

from gossamer.core.clock import SECOND_US, Clock, wall_us
from gossamer.core.io.stream import Stream

Write = Callable[[bytes], object]
"""Takes whole lines; such as the write method of a file opened for appending, unbuffered."""

NOTES_MAX: Final = 4096
"""Responses that wait to be written; one more has them written at once."""
REQUEST_LINE_SHOWN_MAX: Final = 1024
"""Bytes of a request line that a line shows."""

PLAIN_LINE: Final = re.compile(rb"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
"""All that is printed as it is: printable ASCII without the quote and the backslash."""

NO_PEER: Final = "-"


class AccessLog:
    """Notes responses, writes lines. Bounds: NOTES_MAX notes."""

    __slots__ = ("notes", "stamp", "stamp_second", "wall", "write")

    def __init__(self, write: Write, wall: Clock = wall_us) -> None:
        self.write = write
        self.wall = wall
        self.notes: list[tuple[str, int, bytes, int, int]] = []
        self.stamp_second = -1
        self.stamp = ""

    def __call__(self, stream: Stream, head: bytes, status: int, body_bytes: int) -> None:
        """Note a response."""
        line = head[: head.find(b"\r\n")][:REQUEST_LINE_SHOWN_MAX]
        self.notes.append((peer_host(stream), self.wall() // SECOND_US, line, status, body_bytes))
        if len(self.notes) >= NOTES_MAX:
            self.flush()

    def flush(self) -> None:
        """Write what was noted."""
        if not self.notes:
            return
        notes, self.notes = self.notes, []
        lines = [
            f'{host} - - [{self.stamp_of(second)}] "{escape(line)}" {status} {body_bytes}\n'
            for host, second, line, status, body_bytes in notes
        ]
        self.write("".join(lines).encode("ascii"))

    def stamp_of(self, second: int) -> str:
        """The time as the format has it, in UTC; made once a second."""
        if second != self.stamp_second:
            self.stamp_second = second
            self.stamp = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))
        return self.stamp


def peer_host(stream: Stream) -> str:
    """The peer's address; NO_PEER once it is gone."""
    try:
        return stream.peer[0]
    except OSError:
        return NO_PEER


def escape(line: bytes) -> str:
    """Printable ASCII as it is, the quote and everything else as \\xNN: no peer writes a line of this log."""
    if PLAIN_LINE.fullmatch(line):
        return line.decode("ascii")
    return "".join(chr(byte) if PLAIN_LINE.fullmatch(bytes((byte,))) else f"\\x{byte:02x}" for byte in line)
