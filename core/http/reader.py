"""The request reader: bytes in, requests and body bytes out, nothing else (sans-I/O).

Rule 1: where one message ends and the next begins is decided here and nowhere else. Its user feeds what was
received, asks for the next request, reads its body to the end, and asks again; pipelined requests wait in the
buffer meanwhile.

It knows no socket, clock or answer. Source: RFC 9112 2.2, 6.3, 9.3.2.
"""

from typing import Final

from gossamer.core.http.body import Body, BodyError, ChunkedBody, LengthBody
from gossamer.core.http.grammar import BARE_LF, REQUEST_START
from gossamer.core.http.limits import DEFAULT_LIMITS, MessageLimits
from gossamer.core.http.request import CHUNKED, HeadParser, Refusal, Request

TLS_HANDSHAKE: Final = b"\x16\x03"
"""RFC 8446 5.1: a record of type handshake, and its legacy version."""
TLS_HELLO: Final = Refusal(400, "a TLS hello on a port that speaks none")


def head_end(buffer: bytes, at: int, scanned: int, limits: MessageLimits) -> int | Refusal:
    """Where the head that begins at `at` ends (exclusive), 0 when it is not all there.

    `scanned` says up to where an earlier call has looked. A head that cannot become a good one is refused at
    once, before its end is there.
    """
    end = buffer.find(b"\r\n\r\n", max(scanned - 3, at), at + limits.head_bytes_max)
    if end >= 0:
        return end + 4
    unfinished_bytes = len(buffer) - at
    line_end_max = at + limits.request_line_bytes_max + 2
    if len(buffer) >= line_end_max and buffer.find(b"\r\n", at, line_end_max) < 0:
        return Refusal(414, "request line too long")
    if unfinished_bytes >= limits.head_bytes_max:
        return Refusal(431, "header fields too large")
    if buffer.startswith(TLS_HANDSHAKE, at):
        return TLS_HELLO
    if unfinished_bytes and REQUEST_START.match(buffer, at) is None:
        return Refusal(400, "not HTTP")
    if BARE_LF.search(buffer, max(scanned - 1, at)) is not None:
        return Refusal(400, "line not ended by CRLF")
    return 0


def is_one_head(data: bytes, limits: MessageLimits) -> bool:
    """Whether these bytes are a whole head and nothing else, as nearly everything is that clients send at a
    time: such a head needs no reader.
    """
    end = data.find(b"\r\n\r\n", 0, limits.head_bytes_max)
    return 0 < end == len(data) - 4 and not data.startswith(b"\r\n")


class RequestReader:
    """One connection's input.

    Bounds: holds at most head_bytes_max unparsed bytes of a head plus what one `receive` brought.
    """

    __slots__ = ("at", "body", "buffer", "limits", "parse", "scanned")

    def __init__(self, parse: HeadParser, limits: MessageLimits = DEFAULT_LIMITS) -> None:
        self.parse: HeadParser = parse
        self.limits: MessageLimits = limits
        self.buffer: bytes = b""
        self.at: int = 0
        self.scanned: int = 0
        self.body: Body | None = None

    def receive(self, data: bytes) -> None:
        """Take what came from the peer."""
        if self.at == len(self.buffer):
            self.buffer = data
            self.scanned = 0
        else:
            self.buffer = self.buffer[self.at :] + data
            self.scanned = max(self.scanned - self.at, 0)
        self.at = 0

    @property
    def has_input(self) -> bool:
        """Whether bytes wait that belong to no message handed out."""
        return self.at < len(self.buffer)

    def next_head(self) -> bytes | Refusal | None:
        """The bytes of the next head; None when it has not all come. To be given to `begin`.

        RFC 9112 2.2: "a server that is expecting to receive and parse a request-line SHOULD ignore at least
        one empty line (CRLF) received prior to the request-line."
        """
        assert self.body is None or self.body.is_complete
        while self.buffer.startswith(b"\r\n", self.at):
            self.at += 2
        end = head_end(self.buffer, self.at, self.scanned, self.limits)
        if isinstance(end, Refusal):
            return end
        if end == 0:
            self.scanned = len(self.buffer)
            return None
        head = self.buffer[self.at : end]
        self.at = self.scanned = end
        return head

    def begin(self, head: bytes) -> Request | Refusal:
        """Parse a head, and make ready for the body that it announces."""
        request = self.parse(head)
        return request if isinstance(request, Refusal) else self.expect_body(request) or request

    def expect_body(self, request: Request) -> Refusal | None:
        """Make ready for the body that a head announces."""
        self.body = None
        if not request.body_bytes:
            return None
        try:
            if request.body_bytes == CHUNKED:
                self.body = ChunkedBody(self.limits)
            else:
                self.body = LengthBody(request.body_bytes, self.limits)
        except BodyError as error:
            return Refusal(error.status, error.reason)
        return None

    def next_request(self) -> Request | Refusal | None:
        """The next request; None when its head has not all come. The body before it must have been read."""
        head = self.next_head()
        return self.begin(head) if isinstance(head, bytes) else head

    def next_body(self) -> bytes | Refusal | None:
        """Body bytes that are there; b"" at its end or when there is no body, None when more must come."""
        body = self.body
        if body is None or body.is_complete:
            return b""
        try:
            data, self.buffer = body.decode(self.buffer[self.at :])
        except BodyError as error:
            return Refusal(error.status, error.reason)
        self.at = self.scanned = 0
        if data:
            return data
        return b"" if body.is_complete else None
