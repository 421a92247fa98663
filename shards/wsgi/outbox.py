"""From the operating-system thread that runs an application to the connection's stream: what is to be sent.

Owns the hand-over: the application goes on once a piece stands in the (bounded) send buffer. PEP 3333,
"Buffering and Streaming": "WSGI servers [...] must not delay the transmission of any block; they must either
fully transmit the block to the client, or guarantee that they will continue transmission even while the
application is producing its next block."
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gossamer.core.clock import Clock
from gossamer.core.errors import without_frames
from gossamer.core.loop.from_thread import Token
from gossamer.shards.wsgi.file_wrapper import FilePiece

R = TypeVar("R")
Piece = bytes | FilePiece
Send = Callable[[Piece], Awaitable[None]]


class BrokenOff(ConnectionError):
    """The connection has ended while an application was answering: nothing more can be sent, or read."""


class Outbox:
    """The pieces of one answer, and who of the two threads may use the connection. Bounds: one at a time."""

    __slots__ = ("_clock", "_failure", "_right", "_send", "_token", "acted_us")

    def __init__(self, token: Token, send: Send, clock: Clock) -> None:
        self._token = token
        self._send = send
        self._clock = clock
        self._right = [True]
        """To be popped, which one thread alone can, and given back: so long the connection is in use."""
        self.acted_us: int = clock()
        """When the application has last done something with the connection."""
        self._failure: Exception | None = None
        """Why nothing more can be sent."""

    def post(self, piece: Piece) -> None:
        """Send a piece, from a thread of the pool: wait until it is with the stream. Raises: BrokenOff."""
        if self._failure is None:
            try:
                self.use(self._send, piece)
                return
            except BrokenOff:
                raise
            except Exception as error:  # noqa: BLE001 - raised again in the connection's thread
                self._failure = without_frames(error)
        raise BrokenOff("the client has left") from self._failure

    def check(self) -> None:
        """Once the application has ended. Raises: why something could not be sent."""
        # Its traceback leads to frames that hold this.
        failure, self._failure = self._failure, None
        if failure is None:
            return
        try:
            raise failure
        finally:
            del failure

    def use(self, function: Callable[..., Awaitable[R]], *arguments: object) -> R:
        """What an async function of the connection gives, from a thread of the pool. Raises: BrokenOff, once
        the connection has been taken back; what the function raises."""
        try:
            self._right.pop()
        except IndexError:
            raise BrokenOff("the application was silent for too long") from None
        try:
            return self._token.run(function, *arguments)
        finally:
            self.acted_us = self._clock()
            self._right.append(True)

    def give_back(self) -> None:
        """The application may use it again."""
        self._right.append(True)

    def take_back(self) -> bool:
        """From the connection's thread: the application may use the connection no more; False where it does
        right now."""
        try:
            self._right.pop()
        except IndexError:
            return False
        return True
