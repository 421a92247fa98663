"""The ASGI application that uvicorn runs in the benchmark: one prepared response of 1 KiB.

It is as cheap as such an application can be, so that what is measured is the server under it.

Source: ASGI 3.0, "HTTP & WebSocket ASGI Message Format".
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

BODY: Final = b"g" * 1024
START: Final = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"1024")],
}
REST: Final = {"type": "http.response.body", "body": BODY}

Message = dict[str, Any]


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Answer every request with the same bytes."""
    del receive
    if scope["type"] == "http":
        await send(dict(START))
        await send(dict(REST))
