"""An application that is silent for longer than it may be, and those that only look so."""

import asyncio
import logging
from typing import Any

import pytest

from gossamer import sleep
from gossamer.shards.asgi.site import AsgiOptions

from .serving import Served, served

LIMIT = AsgiOptions(lifespan="off", timeout_us=200_000)
GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def never(_scope: Any, _receive: Any, _send: Any) -> None:
    await asyncio.Event().wait()


async def begun(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"part", "more_body": True})
    await asyncio.Event().wait()


async def listening(_scope: Any, receive: Any, _send: Any) -> None:
    """Waits for its client to leave, with the whole request in its hands."""
    await receive()
    await receive()


async def stubborn(_scope: Any, _receive: Any, send: Any) -> None:
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            break
    with pytest.raises(OSError, match="the client has left"):
        await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize("app", [never, listening, stubborn])
def test_silent__before_its_answer__504_and_one_line(app: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def talk(server: Served) -> tuple[bytes, dict[str, int]]:
        client = await server.connect()
        await client.send(GET)
        got = await client.rest()
        while server.site.tasks:
            await sleep(0.01)
        return got, server.site.statistics()

    with caplog.at_level(logging.INFO):
        got, statistics = served(app, talk, LIMIT)
    assert got.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert b"\r\nConnection: close\r\n" in got
    assert (statistics["application_hung_total"], statistics["responses_5xx_total"]) == (1, 1)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    said = record.getMessage()
    assert said.startswith("the application was silent at GET / for 200ms (application.timeout_request): ")
    assert f"its task 'GET /' is cancelled ({__file__}, line " in said


def test_silent__in_its_answer__cut(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(server: Served) -> bytes:
        client = await server.connect()
        await client.send(GET)
        return await client.rest()

    got = served(begun, talk, LIMIT)
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert got.endswith(b"4\r\npart\r\nreset"), got
    assert "was silent at GET /" in caplog.text


HANDSHAKE = (
    "GET /live HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def late(_scope: Any, _receive: Any, send: Any) -> None:
    """Does not heed that it is cancelled, and accepts when nobody is there any more."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        with pytest.raises(OSError, match="the client has left"):
            await send({"type": "websocket.accept"})


async def half_denied(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"part", "more_body": True})
    await asyncio.Event().wait()


@pytest.mark.parametrize("app", [never, listening, late])
def test_handshake_of_a_websocket__silent__504_and_one_line(
    app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk(server: Served) -> tuple[bytes, dict[str, int]]:
        client = await server.connect()
        await client.send(HANDSHAKE)
        got = await client.rest()
        while server.site.tasks:
            await sleep(0.01)
        return got, server.site.statistics()

    with caplog.at_level(logging.INFO):
        got, statistics = served(app, talk, LIMIT)
    assert got.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n")
    assert b"\r\nConnection: close\r\n" in got
    assert (statistics["application_hung_total"], statistics["responses_5xx_total"]) == (1, 1)
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    said = record.getMessage()
    assert said.startswith("the application was silent at GET /live for 200ms (application.timeout_request):")
    assert f"its task 'GET /live' is cancelled ({__file__}, line " in said


def test_handshake_of_a_websocket__silent_in_its_denial__cut(caplog: pytest.LogCaptureFixture) -> None:
    async def talk(server: Served) -> bytes:
        client = await server.connect()
        await client.send(HANDSHAKE)
        return await client.rest()

    got = served(half_denied, talk, LIMIT)
    assert got.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert got.endswith(b"4\r\npart\r\nreset"), got
    assert "was silent at GET /live" in caplog.text


def test_websocket_that_is_open__silent_for_longer__goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0.5)
        await send({"type": "websocket.send", "text": "late"})

    async def talk(server: Served) -> bytes:
        client = await server.connect()
        await client.send(HANDSHAKE)
        got = b""
        while data := await client.stream.recv():
            got += data
            if b"\x81\x04late" in got:
                return got
        return b"the end"

    assert served(app, talk, LIMIT).startswith(b"HTTP/1.1 101 ")
    assert "silent" not in caplog.text


def test_not_silent__who_waits_for_a_client_or_says_something_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """For longer than an application may be silent."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/upload":
            while (await receive())["more_body"]:
                pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(10):
            await asyncio.sleep(0.25)
            await send({"type": "http.response.body", "body": b".", "more_body": True})
        await send({"type": "http.response.body"})

    async def talk(server: Served) -> tuple[bytes, bytes]:
        client = await server.connect()
        dots = (await client.ask()).body
        await client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        for _ in range(10):
            await sleep(0.25)
            await client.send(b"x")
        return dots, (await client.answer()).body

    patient = AsgiOptions(lifespan="off", timeout_us=2_000_000)
    assert served(app, talk, patient) == (b"." * 10, b"." * 10)
    assert "silent" not in caplog.text
