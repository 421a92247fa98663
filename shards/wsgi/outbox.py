"""From the operating-system thread that runs an application to the connection's stream: what is to be sent.

Owns the hand-over: the application goes on once a piece stands in the (bounded) send buffer. PEP 3333,
"Buffering and Streaming": "WSGI servers [...] must not delay the transmission of any block; they must either
fully transmit the block to the client, or guarantee that they will continue transmission even while the
application is producing its next block."
"""

from collections.abc import Awaitable, Callable

from gossamer.core.errors import without_frames
from gossamer.core.loop.from_thread import Token
from gossamer.shards.wsgi.file_wrapper import FilePiece

Piece = bytes | FilePiece
Send = Callable[[Piece], Awaitable[None]]


class BrokenOff(ConnectionError):
    """The connection has ended while an application was answering: nothing more can be sent, or read."""


class Outbox:
    """The pieces of one answer. Bounds: one at a time."""

    __slots__ = ("_failure", "_send", "_token")

    def __init__(self, token: Token, send: Send) -> None:
        self._token = token
        self._send = send
        self._failure: Exception | None = None
        """Why nothing more can be sent."""

    def post(self, piece: Piece) -> None:
        """Send a piece, from a thread of the pool: wait until it is with the stream. Raises: BrokenOff."""
        if self._failure is None:
            try:
                self._token.run(self._send, piece)
                return
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
