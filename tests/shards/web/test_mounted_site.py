"""A connection that belongs to a native handler beside other parts: it is that handler's, as where it stands
alone."""

import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from gossamer import SockStream, Stream, fail_after, listen, open_connection, open_nursery, run
from gossamer.core.loop.streamcall import said_of
from gossamer.shards.web.burst import Burst
from gossamer.shards.web.mounted_site import MountedSite, Part
from gossamer.shards.web.options import WebOptions

SECONDS = 20.0
REQUEST = b"GET /native/x HTTP/1.1\r\nHost: a\r\n\r\n"


def talked(handler: Callable[[Any], Awaitable[object]], data: bytes) -> bytes:
    """What comes back for these bytes from a server with that handler at /native, to its end."""

    def nobody(_stream: Stream) -> Burst:
        raise AssertionError("it is another's")

    site = MountedSite(Part(nobody), {"/native": Part(None, handler)}, WebOptions())

    async def main() -> bytes:
        async with listen(("127.0.0.1", 0)) as acceptor, open_nursery() as nursery:
            client = await open_connection(*acceptor.local)
            nursery.start_soon(site.serve, await acceptor.accept())
            with fail_after(SECONDS):
                await client.send(data)
                return await whole(client)

    return run(main())


async def whole(client: SockStream) -> bytes:
    """All that comes, and b"reset" where it ends so."""
    got = b""
    try:
        while data := await client.recv():
            got += data
    except ConnectionResetError:
        got += b"reset"
    return got


def test_native_handler__of_http_nothing_stands_on_its_stack() -> None:
    found = []

    async def handler(stream: Stream) -> None:
        frame: FrameType | None = sys._getframe()
        while frame is not None:
            found.append(frame.f_code.co_name)
            frame = frame.f_back
        await stream.send(await stream.recv())

    assert talked(handler, REQUEST) == b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
    assert found[:2] == ["handler", "serve"]
    assert "exchange" not in found


def test_native_handler__has_what_came_behind_the_head() -> None:
    async def handler(stream: Stream) -> None:
        await stream.send(await stream.recv())

    assert talked(handler, REQUEST + b"more") == b"GET /x HTTP/1.1\r\nHost: a\r\n\r\nmore"


def test_native_handler__whose_stream_says_that_the_peer_is_gone__is_no_fault() -> None:
    async def handler(stream: Stream) -> None:
        raise said_of(inner(stream), ConnectionResetError())

    assert talked(handler, REQUEST) == b"reset"


def inner(stream: Any) -> Any:
    """What stands beneath the bytes that were put back."""
    return stream._stream
