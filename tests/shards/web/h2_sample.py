"""Applications for the tests of HTTP/2: by ASGI and by WSGI, and a native handler that speaks HTTP/1.1."""

import asyncio
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from gossamer import Stream

MARKS: dict[str, asyncio.Event] = {}
"""By which one request waits for what another does."""
SENT_BYTES = [0]
TEMPORARY = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the application is
TEMPORARY.write(b"f" * 300_000)
TEMPORARY.flush()


def mark(name: str) -> asyncio.Event:
    return MARKS.setdefault(name, asyncio.Event())


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: C901 - a table of paths
    """What is asked for by its path."""
    assert scope["type"] == "http", scope["type"]
    path = scope["path"].removeprefix(scope["root_path"])
    body = path.encode()
    if path == "/scope":
        fields = b",".join(name for name, _ in scope["headers"])
        body = f"{scope['http_version']} {scope['scheme']} {scope['client'][0]} ".encode() + fields
    elif path == "/waits":
        await mark("go").wait()
    elif path == "/go":
        mark("go").set()
    elif path == "/upload":
        message = await receive()
        total = len(message["body"])
        while message["more_body"]:
            message = await receive()
            total += len(message["body"])
        body = b"%d" % total
    elif path == "/deaf":
        await mark("hear").wait()
        while (await receive())["more_body"]:
            pass
    elif path == "/hear":
        mark("hear").set()
    elif path == "/left":
        while (await receive())["type"] != "http.disconnect":
            pass
        mark("left").set()
        return
    elif path == "/has-left":
        await mark("left").wait()
    elif path == "/endless":
        await endless(send)
        return
    elif path == "/sent":
        body = b"%d" % SENT_BYTES[0]
    elif path == "/trailers":
        start = {"type": "http.response.start", "status": 200, "headers": [], "trailers": True}
        await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
        await send(start)
        await send({"type": "http.response.body", "body": b"text"})
        await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"12")]})
        return
    elif path == "/file":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.zerocopysend", "file": TEMPORARY.fileno(), "offset": 0})
        return
    elif path == "/cut":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"begun", "more_body": True})
        raise ValueError("a failure of the application's")
    elif path == "/fails":
        raise ValueError("a failure of the application's")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


async def endless(send: Any) -> None:
    """Sends until its client has left."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    try:
        while True:
            await send({"type": "http.response.body", "body": bytes(16384), "more_body": True})
            SENT_BYTES[0] += 16384
    except OSError:
        mark("left").set()


GO = threading.Event()


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """What is asked for by its path."""
    path = environ["PATH_INFO"]
    if path == "/fails":
        raise ValueError("a failure of the application's")
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/waits":
        assert GO.wait(60)
    elif path == "/go":
        GO.set()
    elif path == "/upload":
        return [b"%d" % sum(map(len, iter(lambda: environ["wsgi.input"].read(65536), b"")))]
    elif path == "/download":
        return (b"z" * 65536 for _ in range(20))
    elif path == "/file":
        file = os.fdopen(os.dup(TEMPORARY.fileno()), "rb")
        file.seek(0)
        answer: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
        return answer
    elif path == "/cut":
        return cut()
    elif path == "/environ":
        keys = sorted(key for key in environ if key.startswith("HTTP_"))
        return [f"{environ['SERVER_PROTOCOL']} {environ['wsgi.url_scheme']} {','.join(keys)}".encode()]
    return [path.encode("latin-1")]


def cut() -> Iterator[bytes]:
    yield b"begun"
    raise ValueError("a failure of the application's")


async def native(stream: Stream) -> None:
    """Says what it was asked, by HTTP/1.1, and how much came with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.recv()
    head, _, body = data.partition(b"\r\n\r\n")
    while not body.endswith(b"0\r\n\r\n") and b"chunked" in head:
        body += await stream.recv()
    answer = head.partition(b"\r\n")[0] + b" %d" % len(body)
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer)
