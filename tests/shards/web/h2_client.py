"""A client of HTTP/2 over a socket, of the package h2; what has come is looked up by its stream."""

import socket
from collections.abc import Callable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)


class H2Answer:
    """What has come of one answer."""

    def __init__(self) -> None:
        self.interim: list[dict[str, str]] = []
        self.head: dict[str, str] = {}
        self.body = b""
        self.trailers: dict[str, str] = {}
        self.has_ended = False
        self.reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.head[":status"])

    @property
    def is_over(self) -> bool:
        return self.has_ended or self.reset is not None


class H2Client:
    """One connection. With `reads` false what comes is not acknowledged, so the windows shut."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.answers: dict[int, H2Answer] = {}
        self.reads = True
        self.held: list[tuple[int, int]] = []
        self.goodbye: int | None = None
        self.has_closed = False
        self.flush()

    def flush(self) -> None:
        if data := self.h2.data_to_send():
            self.sock.sendall(data)

    def ask(
        self, path: str, *fields: tuple[str, str], method: str = "GET", body: bytes = b"", ends: bool = True
    ) -> int:
        """Ask, and send what the windows let go of a body; the number of the stream."""
        number = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", "a"), (":path", path), *fields]
        self.h2.send_headers(number, head, end_stream=ends and not body)
        self.answers[number] = H2Answer()
        if body:
            assert self.send(number, body, ends=ends) == len(body)
        self.flush()
        return number

    def send(self, number: int, body: bytes, *, ends: bool = False) -> int:
        """Of a body as much as the windows let go; how much that was."""
        sent = 0
        while sent < len(body):
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if room <= 0:
                break
            piece = body[sent : sent + room]
            sent += len(piece)
            self.h2.send_data(number, piece, end_stream=ends and sent == len(body))
        self.flush()
        return sent

    def upload(self, number: int, body: bytes) -> None:
        """All of a body, as the windows open."""
        sent = 0
        while True:
            sent += self.send(number, body[sent:], ends=True)
            if sent == len(body):
                return
            self.hear()

    def reset(self, number: int, code: int = 8) -> None:
        self.h2.reset_stream(number, code)
        self.flush()

    def hear(self) -> None:
        """Read once."""
        data = self.sock.recv(1 << 16)
        if not data:
            self.has_closed = True
            return
        for event in self.h2.receive_data(data):
            self.meet(event)
        self.flush()

    def meet(self, event: Any) -> None:
        if isinstance(event, ConnectionTerminated):
            self.goodbye = int(event.error_code or 0)
            return
        answer = self.answers.get(getattr(event, "stream_id", 0) or 0)
        if answer is None:
            return
        if isinstance(event, InformationalResponseReceived):
            answer.interim.append(dict(event.headers))  # type: ignore[arg-type]  # of text
        elif isinstance(event, ResponseReceived):
            answer.head = dict(event.headers)  # type: ignore[arg-type]  # of text
        elif isinstance(event, TrailersReceived):
            answer.trailers = dict(event.headers)  # type: ignore[arg-type]  # of text
        elif isinstance(event, DataReceived):
            answer.body += event.data or b""
            self.held.append((event.flow_controlled_length or 0, event.stream_id or 0))
            self.acknowledge()
        elif isinstance(event, StreamEnded):
            answer.has_ended = True
        elif isinstance(event, StreamReset):
            answer.reset = int(event.error_code or 0)

    def acknowledge(self) -> None:
        while self.reads and self.held:
            self.h2.acknowledge_received_data(*self.held.pop())

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Read until that is so; the socket's timeout bounds each wait."""
        while not condition():
            assert not self.has_closed, f"closed before: {what}"
            self.hear()

    def answer(self, number: int) -> H2Answer:
        """The whole answer, or its reset."""
        answer = self.answers[number]
        self.until(lambda: answer.is_over, f"the answer of stream {number}")
        return answer

    def get(self, path: str, *fields: tuple[str, str]) -> H2Answer:
        return self.answer(self.ask(path, *fields))

    def to_the_end(self) -> None:
        """Read until the server closes."""
        while not self.has_closed:
            self.hear()
