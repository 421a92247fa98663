"""What the peers' applications answer: by ASGI, WSGI and bare asyncio alike."""

import asyncio
import io
from typing import Any

import pytest

from gossamer.loadtest.web.apps import BODIES, BULK_BYTES, BareProtocol, Message, asgi, pieces, wsgi
from gossamer.loadtest.web.rows import BULK, LARGE, SMALL


async def called(method: str, path: str, body: list[bytes]) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body.pop(0), "more_body": bool(body)}

    async def send(message: Message) -> None:
        if "body" in message:
            message = {**message, "body": len(message["body"])}
        sent.append(message)

    await asgi({"type": "http", "method": method, "path": path}, receive, send)
    return sent


@pytest.mark.parametrize("path", [SMALL, LARGE])
def test_asgi__get__the_body_of_its_path(path: str) -> None:
    start, body = asyncio.run(called("GET", path, []))
    assert (start["status"], body["body"]) == (200, len(BODIES[path]))


def test_asgi__bulk__piece_by_piece_and_whole() -> None:
    _, *parts = asyncio.run(called("GET", BULK, []))
    assert sum(part["body"] for part in parts) == BULK_BYTES
    assert len(parts) > 1
    assert not parts[-1].get("more_body")


def test_asgi__upload__read_to_its_end() -> None:
    body = [b"a", b"b", b"c"]
    assert asyncio.run(called("POST", BULK, body))[0]["status"] == 200
    assert body == []


def test_asgi__websocket__says_back_what_it_hears() -> None:
    heard: list[Message] = [
        {"type": "websocket.connect"},
        {"type": "websocket.receive", "text": "a", "bytes": None},
        {"type": "websocket.receive", "bytes": b"b"},
        {"type": "websocket.disconnect", "code": 1000},
    ]
    said: list[Message] = []

    async def receive() -> Message:
        return heard.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    asyncio.run(asgi({"type": "websocket"}, receive, send))
    assert said == [
        {"type": "websocket.accept"},
        {"type": "websocket.send", "text": "a"},
        {"type": "websocket.send", "bytes": b"b"},
    ]
    assert heard == []


def test_wsgi__get_and_upload() -> None:
    started: list[Any] = []

    def start_response(status: str, fields: list[tuple[str, str]]) -> None:
        started.append((status, dict(fields)["Content-Length"]))

    get = {"REQUEST_METHOD": "GET", "PATH_INFO": LARGE}
    assert b"".join(wsgi(get, start_response)) == BODIES[LARGE]
    upload = {"REQUEST_METHOD": "POST", "PATH_INFO": BULK, "wsgi.input": io.BytesIO(b"x" * 1_000)}
    assert b"".join(wsgi(upload, start_response)) == BODIES[SMALL]
    assert upload["wsgi.input"].read() == b""
    assert started == [("200 OK", str(len(BODIES[LARGE]))), ("200 OK", str(len(BODIES[SMALL])))]


def test_pieces__of_any_length__as_long_as_that() -> None:
    assert [sum(map(len, pieces(length))) for length in (0, 1, 262_144, 300_000)] == [0, 1, 262_144, 300_000]


class Line(asyncio.Transport):
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True


async def talked(*received: bytes) -> Line:
    line, protocol = Line(), BareProtocol()
    protocol.connection_made(line)
    for data in received:
        protocol.data_received(data)
    await asyncio.sleep(0)
    return line


GET = b"GET /1k.bin HTTP/1.1\r\nHost: x\r\n\r\n"


def test_bare__requests_in_halves_and_two_at_once__an_answer_each() -> None:
    line = asyncio.run(talked(GET[:9], GET[9:] + GET))
    assert line.written.count(b"HTTP/1.1 200 OK") == 2
    assert line.written.endswith(BODIES[SMALL])
    assert not line.is_closed


def test_bare__upload_in_parts__one_answer_after_its_end() -> None:
    head = b"POST / HTTP/1.1\r\ncontent-length: 6\r\n\r\n"
    assert asyncio.run(talked(head + b"abc")).written == b""
    assert asyncio.run(talked(head + b"abc", b"def" + GET)).written.count(b"200 OK") == 2
    assert asyncio.run(talked(head + b"abcdef")).written.count(b"200 OK") == 1
    assert asyncio.run(talked(head.replace(b"6", b"0"))).written.count(b"200 OK") == 1


def test_bare__connection_close__closed_after_the_answer() -> None:
    line = asyncio.run(talked(GET.replace(b"Host: x", b"Connection: close")))
    assert line.written.count(b"200 OK") == 1
    assert line.is_closed
