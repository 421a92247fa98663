"""One end of one connection, as a script sees it, and what it has observed in order.

Owns what counts as an observation: octets by number and digest, the end of the stream, an error by its errno
name. How octets were cut into pieces, and when they came, does not count: two correct stacks differ in that.
Knows the stack of its stream only where the interface has no common word (urgent data).
"""

import errno
import hashlib
import select
import socket
from collections.abc import Awaitable
from functools import cache
from typing import Final, TypeVar

from gossamer.core.clock import SECOND_US
from gossamer.core.io.sock import SockStream
from gossamer.core.io.stream import Stream
from gossamer.core.io.tcpsock import TcpStream
from gossamer.core.threads.calls import sys_sleep

PATIENCE_US: Final = 12 * SECOND_US
"""No call of a script blocks longer."""
PIECE_BYTES: Final = 65_536
DIGEST_HEX: Final = 12

Result = TypeVar("Result")


def error_name(error: OSError) -> str:
    """The errno name; a timeout of the call itself bears none, and is called as the kernel would."""
    if error.errno is None:
        return "ETIMEDOUT" if isinstance(error, TimeoutError) else type(error).__name__
    return errno.errorcode.get(error.errno, str(error.errno))


@cache
def content(size: int, seed: str) -> bytes:
    """Octets that nothing else begins or continues like."""
    return hashlib.shake_256(seed.encode()).digest(size)


def digest(data: bytes) -> str:
    """A short name of octets."""
    return hashlib.sha256(data).hexdigest()[:DIGEST_HEX]


class ObservedEnd:
    """One end. Every method notes what happened; an error is noted and the script goes on."""

    def __init__(self, stream: Stream, notes: list[str]) -> None:
        self.stream = stream
        self.notes = notes

    async def _noted(self, what: str, call: Awaitable[Result]) -> Result | None:
        try:
            return await call
        except OSError as error:
            self.notes.append(f"{what}: {error_name(error)}")
            return None

    async def send(self, data: bytes) -> None:
        """Send all; only an error is noted."""
        await self._noted("send", self.stream.send(data, PATIENCE_US))

    async def receive(self, count: int, timeout_us: int = PATIENCE_US) -> bytes:
        """Exactly so many octets, fewer when the stream ends or fails before."""
        data = b""
        while len(data) < count:
            piece = await self._noted("receive", self.stream.recv(count - len(data), timeout_us))
            if piece == b"":
                self.notes.append("end of stream")
            if not piece:
                break
            data += piece
        if data:
            self.notes.append(f"received {len(data)} {digest(data)}")
        return data

    async def receive_all(self) -> bytes:
        """All there is, up to the end of the stream or an error."""
        pieces = []
        while piece := await self._noted("receive", self.stream.recv(PIECE_BYTES, PATIENCE_US)):
            pieces.append(piece)
        data = b"".join(pieces)
        self.notes.append(f"received {len(data)} {digest(data)}")
        if piece == b"":
            self.notes.append("end of stream")
        return data

    async def echo(self) -> None:
        """Send back what comes until the stream ends; what came in all is noted."""
        came = hashlib.sha256()
        total = 0
        while piece := await self._noted("receive", self.stream.recv(PIECE_BYTES, PATIENCE_US)):
            came.update(piece)
            total += len(piece)
            await self.send(piece)
        self.notes.append(f"echoed {total} {came.hexdigest()[:DIGEST_HEX]}")
        if piece == b"":
            self.notes.append("end of stream")

    async def shutdown(self) -> None:
        """Half-close."""
        await self._noted("shutdown", self.stream.shutdown())

    async def close(self) -> None:
        """Close orderly."""
        await self._noted("close", self.stream.close())

    async def abort(self) -> None:
        """Close with a RST."""
        await self._noted("abort", self.stream.abort())

    async def pause(self, milliseconds: int) -> None:
        """Let time pass, so that what the other end did has arrived."""
        await sys_sleep(milliseconds * 1000)

    async def send_urgent(self, octet: bytes) -> None:
        """One octet as urgent data where the stack can send it; an ordinary one where it cannot."""
        if isinstance(self.stream, SockStream):
            self.stream.sock.send(octet, socket.MSG_OOB)
        else:
            await self.send(octet)

    def take_urgent_in_line(self) -> None:
        """RFC 6093 5: urgent data stays in its place in the stream; the kernel needs an option for that."""
        if isinstance(self.stream, SockStream):
            self.stream.sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)

    async def note_urgent(self) -> None:
        """Whether the peer's mark is ahead."""
        if isinstance(self.stream, SockStream):
            is_ahead = bool(select.select([], [], [self.stream.sock], 0)[2])
        else:
            assert isinstance(self.stream, TcpStream)
            is_ahead = bool((await self.stream.info()).urgent_bytes)
        self.notes.append(f"urgent data {'is' if is_ahead else 'is not'} ahead")
