"""What the Python servers of a comparison answer with: prepared bytes, by ASGI, WSGI and bare asyncio.

They are as cheap as such applications can be, so that what is measured is the server under them. A GET of
one of the paths of `rows.py` has its body, of the large one piece by piece; an upload is read and forgotten.
Bare asyncio (`python -m gossamer.loadtest.web.apps FD`) is a protocol of the standard library's loop that
looks for the end of the head and for Content-Length, and for nothing else.

Source: ASGI 3.0, "HTTP & WebSocket ASGI Message Format"; PEP 3333.
"""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final

from gossamer.loadtest.web.rows import (
    BULK,
    BULK_VARIABLE,
    HELLO,
    HELLO_BODY,
    LARGE,
    LARGE_BYTES,
    MB,
    SMALL,
    SMALL_BYTES,
)

PIECE: Final = b"g" * (256 << 10)
BULK_BYTES: Final = int(os.environ.get(BULK_VARIABLE, 500 * MB))
"""How long the answer to BULK is."""
LENGTHS: Final = {SMALL: SMALL_BYTES, LARGE: LARGE_BYTES, BULK: BULK_BYTES, HELLO: len(HELLO_BODY)}
BODIES: Final = {SMALL: b"g" * SMALL_BYTES, LARGE: b"g" * LARGE_BYTES, HELLO: HELLO_BODY}
STARTS: Final = {
    path: {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/octet-stream"), (b"content-length", b"%d" % length)],
    }
    for path, length in LENGTHS.items()
}
HEADS: Final = {
    path.encode(): b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
    % length
    for path, length in LENGTHS.items()
}
DEFAULT_PATH: Final = SMALL

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def pieces(length: int) -> Iterator[bytes]:
    """The large body."""
    for _ in range(length // len(PIECE)):
        yield PIECE
    if length % len(PIECE):
        yield PIECE[: length % len(PIECE)]


async def asgi(scope: Message, receive: Receive, send: Send) -> None:
    """Answer by path; read an upload to its end; on a WebSocket say back what is heard."""
    if scope["type"] != "http":
        if scope["type"] == "websocket":
            await echo(receive, send)
        return
    if scope["method"] != "GET":
        while (await receive()).get("more_body"):
            pass
    path = scope["path"] if scope["path"] in LENGTHS and scope["method"] == "GET" else DEFAULT_PATH
    await send(dict(STARTS[path]))
    if path == BULK:
        for piece in pieces(BULK_BYTES):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    else:
        await send({"type": "http.response.body", "body": BODIES[path]})


async def echo(receive: Receive, send: Send) -> None:
    """A WebSocket, to its end."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        content = {"bytes": message["bytes"]} if text is None else {"text": text}
        await send({"type": "websocket.send", **content})


def wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The same for WSGI."""
    is_get = environ["REQUEST_METHOD"] == "GET"
    while not is_get and environ["wsgi.input"].read(len(PIECE)):
        pass
    path = environ["PATH_INFO"] if is_get and environ["PATH_INFO"] in LENGTHS else DEFAULT_PATH
    fields = [("Content-Type", "application/octet-stream"), ("Content-Length", str(LENGTHS[path]))]
    start_response("200 OK", fields)
    return pieces(BULK_BYTES) if path == BULK else [BODIES[path]]


HEAD_END: Final = b"\r\n\r\n"
CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CLOSES: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


class BareProtocol(asyncio.Protocol):
    """One connection of bare asyncio."""

    def __init__(self) -> None:
        self.input = b""
        self.body_left = 0
        self.body: Iterator[bytes] = iter(())
        self.is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request whose head is whole."""
        if self.body_left:
            data = self.take_body(data)
        self.input += data
        answers = []
        while not self.body_left and (end := self.input.find(HEAD_END)) >= 0:
            head, self.input = self.input[:end], self.input[end + len(HEAD_END) :]
            answers.append(self.answer(head))
        self.transport.write(b"".join(answers))
        self.write_pieces()

    def answer(self, head: bytes) -> bytes:
        """What is sent at once for one request."""
        method, path, _ = head.split(b" ", 2)
        if CLOSES.search(head):
            asyncio.get_running_loop().call_soon(self.transport.close)
        if method != b"GET":
            length = CONTENT_LENGTH.search(head)
            self.body_left = int(length[1]) if length else 0
            self.input = self.take_body(self.input)
            return b"" if length and int(length[1]) else UPLOADED
        if path == BULK.encode():
            self.body = pieces(BULK_BYTES)
            return HEADS[path]
        known = path if path in HEADS else DEFAULT_PATH.encode()
        return HEADS[known] + BODIES[known.decode()]

    def take_body(self, data: bytes) -> bytes:
        """Forget what belongs to an upload; what is left of the data."""
        taken = min(self.body_left, len(data))
        self.body_left -= taken
        if taken and not self.body_left:
            self.transport.write(UPLOADED)
        return data[taken:]

    def write_pieces(self) -> None:
        """Go on with the large body as long as the transport takes it."""
        while not self.is_paused and (piece := next(self.body, None)) is not None:
            self.transport.write(piece)

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """There is room again."""
        self.is_paused = False
        self.write_pieces()


UPLOADED: Final = HEADS[DEFAULT_PATH.encode()] + BODIES[DEFAULT_PATH]


async def serve(fd: int) -> None:
    """Serve on a socket that listens, until somebody ends the process."""
    sock = socket.socket(fileno=fd)
    sock.setblocking(False)
    server = await asyncio.get_running_loop().create_server(BareProtocol, sock=sock)
    await server.serve_forever()


def main() -> None:
    """`python -m gossamer.loadtest.web.apps FD`."""
    asyncio.run(serve(int(sys.argv[1])))


if __name__ == "__main__":
    main()
