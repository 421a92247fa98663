"""From the operating-system thread that runs an application to the connection's own: what is to be sent.

Owns the hand-over, and that the first waits while the second is behind: PEP 3333, "Buffering and Streaming":
"WSGI servers [...] must not delay the transmission of any block; they must either fully transmit the block to
the client, or guarantee that they will continue transmission even while the application is producing its next
block."
"""

import threading
from typing import Final

from gossamer.core.loop.from_thread import Token
from gossamer.core.threads.sync.channel import Channel
from gossamer.shards.wsgi.file_wrapper import FilePiece

Piece = bytes | FilePiece

PIECES_MAX: Final = 2
"""One that is being sent, and the next."""


class BrokenOff(ConnectionError):
    """The connection has ended while an application was answering: nothing more can be sent, or read."""


class Outbox:
    """The pieces of one answer. Bounds: PIECES_MAX."""

    __slots__ = ("_channel", "_is_broken", "_slots", "_token")

    def __init__(self, token: Token) -> None:
        self._token = token
        self._channel: Channel[Piece] = Channel(PIECES_MAX)
        self._slots = threading.Semaphore(PIECES_MAX)
        self._is_broken = False

    # The application's side, in an operating-system thread of the pool.

    def post(self, piece: Piece) -> None:
        """Have a piece sent; wait while as many as may be are on their way. Raises: BrokenOff."""
        self._slots.acquire()
        if self._is_broken:
            self._slots.release()
            raise BrokenOff("the client has left")
        self._token.run_sync_soon(self._channel.try_send, piece)

    def wait_sent(self) -> None:
        """Wait until all that was posted is sent. Raises: BrokenOff."""
        for _ in range(PIECES_MAX):
            self._slots.acquire()
        self._slots.release(PIECES_MAX)
        if self._is_broken:
            raise BrokenOff("the client has left")

    # The connection's side, in its thread.

    @property
    def pieces(self) -> Channel[Piece]:
        """What was posted, until `finish`."""
        return self._channel

    def sent(self) -> None:
        """The piece that was taken is sent."""
        self._slots.release()

    def finish(self) -> None:
        """The application has ended."""
        self._channel.close()

    def break_off(self) -> None:
        """Nothing more is taken: whoever posts is told so, at once."""
        self._is_broken = True
        self._slots.release(PIECES_MAX)
