"""One connection of a run, and the requests that were given to it last.

Owns what the thread of a connection and the run both must know of it. A caller outlives its connections: one
that ends is followed by the next.
"""

from collections.abc import Callable
from typing import Final

from gossamer.core.http.client import Response, ResponseReader
from gossamer.core.io.stream import Stream
from gossamer.core.tls.errors import TruncatedError
from gossamer.loadtest.failures import RequestPhase
from gossamer.loadtest.pace import SendSlot
from gossamer.loadtest.tally import Tally

SEEN_BYTES: Final = 120
"""Of a broken answer, what is shown."""


class Caller:
    """One connection after another."""

    __slots__ = (
        "answered",
        "begun_us",
        "failed_in_a_row",
        "give_up_us",
        "lives_on",
        "number",
        "phase",
        "reader",
        "sent_us",
        "slot",
        "stood_us",
        "stream",
        "taken_us",
        "tally",
        "uses",
    )

    tally: Tally
    """What counts the requests that it has."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.stream: Stream | None = None
        self.reader: ResponseReader | None = None
        self.stood_us = 0
        """Since when."""
        self.uses = 0
        """Answers on this connection."""
        self.lives_on = True
        """Whether both sides let the connection live on."""
        self.slot: SendSlot | None = None
        """The requests that it was given and that have no outcome yet."""
        self.taken_us = 0
        self.begun_us = 0
        """When it began with them; 0 before."""
        self.sent_us = 0
        """When they were sent last; 0 before."""
        self.give_up_us = 0
        self.answered = 0
        """How many of them were answered."""
        self.phase = RequestPhase.CONNECT
        self.failed_in_a_row = 0
        """How often it met an error since the last answer."""

    def take(self, slot: SendSlot, tally: Tally, now_us: int) -> None:
        """Requests are given to it."""
        self.slot, self.tally, self.taken_us = slot, tally, now_us
        self.begun_us = self.sent_us = self.answered = 0

    def use(self, stream: Stream, now_us: int) -> None:
        """It has a new connection."""
        self.stream, self.reader, self.stood_us = stream, None, now_us
        self.uses, self.lives_on = 0, True

    def reading(self, parse: Callable[[bytes], Response]) -> ResponseReader:
        """What reads the answers of its connection. It is made when it is first needed: most answers come
        whole, and are read without it."""
        if self.reader is None:
            self.reader = ResponseReader(parse)
        return self.reader

    def leave(self) -> Stream | None:
        """It has no connection any more; the one that it had, to be closed."""
        stream, self.stream = self.stream, None
        return stream

    def seen(self) -> bytes:
        """The beginning of an answer that could not be read."""
        reader = self.reader
        if reader is None or self.stream is None or self.phase is not RequestPhase.FIRST_BYTE:
            return b""
        return reader.buffer[reader.at : reader.at + SEEN_BYTES]

    def was_closed_before(self, error: Exception) -> bool:
        """Whether the server had closed a connection that was used before, between two requests.

        Source: RFC 9110 9.2.2: an idempotent request "can be repeated automatically if a communication
        failure occurs before the client is able to read the server's response". EPIPE is what Linux says of a
        reset that came after the FIN.
        """
        if not self.uses or self.stream is None or (self.reader is not None and self.reader.has_input):
            return False
        ends = EOFError | BrokenPipeError | TruncatedError
        if self.phase is RequestPhase.SEND:
            return isinstance(error, ends | ConnectionResetError)
        return self.phase is RequestPhase.FIRST_BYTE and isinstance(error, ends)
