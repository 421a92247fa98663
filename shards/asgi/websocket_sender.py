"""How what is said on an open WebSocket leaves: at the end of asyncio's part of a turn, and by nobody's
thread.

Owns what is being sent of one WebSocket. All that was put out in a turn leaves in one piece, in that turn
still: no thread is woken for it, and the functional TCP's flush carries it, with the ACK of what it answers.
A stream that has no room is waited for in the name of a `Standby`: so whoever reads never waits for a client
that does not.
"""

from typing import Any, Protocol

from gossamer.core.aio.standby import Standby
from gossamer.core.errors import without_frames
from gossamer.core.io.stream import Stream
from gossamer.core.threads.systemcall import BLOCKED
from gossamer.shards.asgi.tasks import ApplicationLoop


class Saying(Protocol):
    """Whose messages leave."""

    out: list[bytes]
    """What waits to be sent."""

    def went(self, count: int) -> None:
        """The stream has taken so many bytes."""

    def broke(self) -> None:
        """Nothing can be sent any more."""


class SocketSender:
    """Sends for one WebSocket, on a stream whose calls loops take: one without TLS. Bounds: one send that
    waits for room."""

    __slots__ = ("_failure", "_let_leave", "_saying", "_sending_bytes", "_standby", "_stream", "_timeout_us")

    def __init__(self, saying: Saying, stream: Stream, timeout_us: int, loop: ApplicationLoop) -> None:
        """`timeout_us` is how long a send may take."""
        self._saying = saying
        self._stream = stream
        self._timeout_us = timeout_us
        self._let_leave = loop.let_leave
        self._standby = Standby(loop.scheduler, "sends on a WebSocket", self._has_sent, self._has_failed)
        self._sending_bytes = 0
        self._failure: BaseException | None = None

    @property
    def is_sending(self) -> bool:
        """Whether a send waits for room."""
        return self._sending_bytes > 0

    def hasten(self) -> None:
        """There is something to be sent."""
        self._let_leave(self)

    def leave(self) -> None:
        """Send what waits, behind what is being sent."""
        out = self._saying.out
        if self._sending_bytes or not out:
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        try:
            answer = self._standby.make(self._stream.send(data, self._timeout_us))
        except OSError as error:
            self._has_failed(error)
        else:
            if answer is BLOCKED:
                self._sending_bytes = len(data)
            else:
                self._saying.went(len(data))

    def check(self) -> None:
        """Raises: what a send has failed with, OSError; once."""
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            del failure  # its traceback leads to this frame

    def _has_sent(self, _answer: Any) -> None:
        sent_bytes, self._sending_bytes = self._sending_bytes, 0
        self._saying.went(sent_bytes)
        self.hasten()

    def _has_failed(self, error: BaseException) -> None:
        self._sending_bytes = 0
        self._failure = without_frames(error)
        self._saying.broke()
