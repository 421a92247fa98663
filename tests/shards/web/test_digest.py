"""The example of a native handler: uploads in, digests out."""

import hashlib
import json
from typing import Any

import pytest

from gossamer.core.errors import Draining
from gossamer.core.http.client import ResponseReader
from gossamer.shards.web.digest import handler

CONTENT = bytes(range(256)) * 1000


def answers(sent: bytes) -> list[tuple[int, bytes]]:
    reader = ResponseReader()
    reader.receive(sent)
    found = []
    while reader.has_input:
        response = reader.next_response()
        assert response is not None
        found.append((response.status, reader.next_body() or b""))
    return found


def upload(build: Any, content: bytes, *fields: str, method: str = "PUT") -> bytes:
    return bytes(build("/any", f"Content-Length: {len(content)}", *fields, method=method)) + content


def digest_of(content: bytes) -> dict[str, object]:
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_uploads__by_length_and_chunks__kept_alive(drive: Any, scripted: Any, build: Any) -> None:
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)
    chunked = build("/any", "Transfer-Encoding: chunked", method="POST") + chunks
    stream = scripted(upload(build, CONTENT) + chunked, upload(build, b""), upload(build, b"abc"))
    drive(handler(stream))
    found = answers(stream.sent)
    assert [status for status, _ in found] == [200] * 4
    assert [json.loads(body) for _, body in found] == [
        digest_of(part) for part in (CONTENT, CONTENT, b"", b"abc")
    ]
    assert stream.events == ["close"]


def test_expect__100_before_the_body_is_read(drive: Any, scripted: Any, build: Any) -> None:
    seen_before_body: list[bytes] = []
    head = build("/any", "Content-Length: 3", "Expect: 100-continue", method="PUT")
    stream = scripted()
    stream.script.extend([head, lambda: seen_before_body.append(stream.sent), b"abc"])
    drive(handler(stream))
    assert seen_before_body == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    assert json.loads(answers(stream.sent)[0][1]) == digest_of(b"abc")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"PUT / HTTP/1.1\r\n\r\n", 400),
    ],
)
def test_refused__answered_and_closed(drive: Any, scripted: Any, data: bytes, status: int) -> None:
    stream = scripted(data)
    drive(handler(stream))
    assert answers(stream.sent)[0][0] == status
    assert stream.events == ["shutdown", "close"]


def test_slow_upload__408(drive: Any, scripted: Any, build: Any, silence: object) -> None:
    stream = scripted(build("/any", "Content-Length: 3", method="PUT"), silence)
    drive(handler(stream))
    assert answers(stream.sent)[0][0] == 408


def test_draining__request_at_hand_is_answered__then_closed(drive: Any, scripted: Any, build: Any) -> None:
    data = upload(build, b"abcdef")
    stream = scripted(data[:-3], Draining(), data[-3:], data)
    drive(handler(stream))
    assert answers(stream.sent) == [(200, answers(stream.sent)[0][1])]
    assert b"Connection: close" in stream.sent
    idle = scripted(Draining())
    drive(handler(idle))
    assert (idle.sent, idle.events) == (b"", ["close"])
    asks = scripted(Draining(), data, data)
    drive(handler(asks))
    assert [status for status, _ in answers(asks.sent)] == [200]


@pytest.mark.parametrize("script", [[b"PUT / HT"], [ConnectionResetError()]])
def test_peer_gone__quiet(drive: Any, scripted: Any, script: list[Any]) -> None:
    stream = scripted(*script)
    drive(handler(stream))
    assert stream.sent == b""
    assert stream.events in (["close"], ["abort"])
