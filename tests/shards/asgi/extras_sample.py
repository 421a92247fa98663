"""An application of the extensions of ASGI, and of all that is seen of one that waits, holds or is left."""

import asyncio
import time
from pathlib import Path
from typing import Any

FILE = Path(__file__)
RELEASED = asyncio.Event()
"""Until then nobody receives what comes for /unread."""


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """What is asked for in its path."""
    assert scope["type"] == "http"
    await {"/path": path, "/zerocopy": zerocopy, "/trailers": trailers, "/endless": endless}.get(
        scope["path"], others
    )(scope, receive, send)


async def path(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.pathsend", "path": str(FILE)})


async def zerocopy(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})
    with FILE.open("rb") as file:
        await send({"type": "http.response.zerocopysend", "file": file, "count": 10, "more_body": True})
        await send({"type": "http.response.body", "body": b"|", "more_body": True})
        await send({"type": "http.response.zerocopysend", "file": file})


async def trailers(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    await send({"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]})
    await send({"type": "http.response.start", "status": 200, "trailers": True})
    await send({"type": "http.response.body", "body": b"abc"})
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"6")]})


async def endless(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Sends until its client has left."""
    await send({"type": "http.response.start", "status": 200})
    pieces = 0
    try:
        while pieces < 10_000:
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            pieces += 1
    except OSError:
        print(f"sent {pieces} pieces", flush=True)


async def others(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["path"] == "/holds":
        time.sleep(0.5)
    elif scope["path"] == "/holds-later":
        await asyncio.sleep(0)
        time.sleep(0.5)
    elif scope["path"] == "/waits":
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        print("the client has left", flush=True)
        return
    elif scope["path"] == "/unread":
        await RELEASED.wait()
    elif scope["path"] == "/release":
        RELEASED.set()
    elif scope["path"] == "/wrong":
        await send({"type": "http.response.body", "body": b"x"})
    elif scope["path"] == "/returns":
        return
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"done"})
