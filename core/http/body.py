"""Message bodies: bytes in, body bytes out, by Content-Length, by chunks or until the end of the stream
(sans-I/O).

Owns the framing of bodies for both directions; it knows no socket and keeps no body: decoded bytes are handed
out at once, and at most one unfinished chunk line and the trailers are kept.

Source: RFC 9112 6 and 7.
"""

from typing import Final, Protocol

from gossamer.core.http.grammar import CHUNK_LINE, FIELD_LINE
from gossamer.core.http.limits import MessageLimits


class BodyError(Exception):
    """The body broke a rule; the connection cannot be used any more."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Body(Protocol):
    """A body being decoded."""

    is_complete: bool

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """Body bytes in `data`, and the rest that is not yet consumed (or follows the body). Raises:
        BodyError.
        """


class LengthBody:
    """A body of a known number of bytes."""

    __slots__ = ("is_complete", "left_bytes")

    def __init__(self, length_bytes: int, limits: MessageLimits) -> None:
        if length_bytes > limits.body_bytes_max:
            raise BodyError(413, "body too large")
        self.left_bytes = length_bytes
        self.is_complete = length_bytes == 0

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """See Body.decode."""
        if len(data) < self.left_bytes:
            self.left_bytes -= len(data)
            return data, b""
        cut, self.left_bytes, self.is_complete = self.left_bytes, 0, True
        return (data, b"") if cut == len(data) else (data[:cut], data[cut:])


class UntilCloseBody:
    """A response's body that ends with the connection (RFC 9112 6.3, rule 8)."""

    __slots__ = ("is_complete",)

    def __init__(self) -> None:
        self.is_complete = False

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """See Body.decode."""
        return data, b""

    def end_of_stream(self) -> None:
        """The peer closed: that is the end of the body."""
        self.is_complete = True


AT_SIZE: Final = 0
IN_DATA: Final = 1
AT_DATA_END: Final = 2
IN_TRAILER: Final = 3


class ChunkedBody:
    """A body in chunks, and the trailer section behind it.

    Bounds: a size line of chunk_line_bytes_max, trailers of trailer_bytes_max, body_bytes_max in all; each
    chunk costs constant work, whatever pieces it comes in.
    """

    __slots__ = ("body_bytes_total", "is_complete", "left_bytes", "limits", "state", "trailers")

    def __init__(self, limits: MessageLimits) -> None:
        self.limits = limits
        self.state = AT_SIZE
        self.left_bytes = 0
        self.body_bytes_total = 0
        self.trailers = b""
        """The lines of the trailer section that have come."""
        self.is_complete = False

    def decode(self, data: bytes) -> tuple[bytes, bytes]:
        """See Body.decode."""
        pieces: list[bytes] = []
        at = 0
        while not self.is_complete:
            if self.state == IN_DATA:
                moved = self.take_data(data, at, pieces)
            else:
                moved = self.take_line(data, at)
            if moved == at:
                break
            at = moved
        return b"".join(pieces), data[at:]

    def take_data(self, data: bytes, at: int, pieces: list[bytes]) -> int:
        """Move over chunk data; returns where it stopped."""
        piece = data[at : at + self.left_bytes]
        if piece:
            pieces.append(piece)
            self.left_bytes -= len(piece)
            if self.left_bytes == 0:
                self.state = AT_DATA_END
        return at + len(piece)

    def take_line(self, data: bytes, at: int) -> int:
        """Move over one line that is not data; returns `at` itself when the line is not complete."""
        line_max = self.line_bytes_max()
        end = data.find(b"\n", at, at + line_max + 2)
        if end < 0:
            if len(data) - at > line_max:
                raise BodyError(431 if self.state == IN_TRAILER else 400, "chunk line too long")
            return at
        if end == at or data[end - 1] != 0x0D:
            raise BodyError(400, "line not ended by CRLF")
        self.accept_line(data[at : end - 1])
        return end + 1

    def line_bytes_max(self) -> int:
        """How long a line may be in this state."""
        if self.state == AT_DATA_END:
            return 1
        if self.state == AT_SIZE:
            return self.limits.chunk_line_bytes_max
        return self.limits.trailer_bytes_max - len(self.trailers)

    def accept_line(self, line: bytes) -> None:
        """A size line, the CRLF after chunk data, or a line of the trailer section."""
        if self.state == AT_SIZE:
            self.accept_size(line)
        elif self.state == AT_DATA_END:
            if line:
                raise BodyError(400, "chunk longer than its size")
            self.state = AT_SIZE
        elif line:
            if FIELD_LINE.fullmatch(line) is None:
                raise BodyError(400, "bad trailer field")
            self.trailers += line + b"\r\n"
        else:
            self.is_complete = True

    def accept_size(self, line: bytes) -> None:
        """The size of the next chunk; 0 is the last one."""
        match = CHUNK_LINE.fullmatch(line)
        if match is None:
            raise BodyError(400, "bad chunk size")
        self.left_bytes = int(match["size"], 16)
        self.body_bytes_total += self.left_bytes
        if self.body_bytes_total > self.limits.body_bytes_max:
            raise BodyError(413, "body too large")
        self.state = IN_DATA if self.left_bytes else IN_TRAILER
