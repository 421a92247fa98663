"""A handler that does what it is asked for, wrong things too: the tests' TARGET troubled:handler."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from gossamer.core.io.pipe import open_pipe
from gossamer.core.io.stream import Stream
from gossamer.core.loop.sock.call import SockRecv
from gossamer.core.threads.cancel import fail_after
from gossamer.core.threads.nursery import open_nursery


async def opens_a_missing_file(_stream: Any) -> None:
    open("/no/such/file")  # noqa: SIM115 - it fails


async def writes_to_a_broken_pipe(_stream: Any) -> None:
    reader, writer = open_pipe()
    await reader.close()
    async with writer:
        await writer.send(b"x")


async def sends_text(stream: Any) -> None:
    await stream.send("text")


async def receives_text(stream: Any) -> None:
    await stream.recv("1")


async def receives_from_nothing(_stream: Any) -> None:
    await SockRecv(None, 1, 1)


async def sends_text_into_a_pipe(_stream: Any) -> None:
    reader, writer = open_pipe()
    async with reader, writer:
        await writer.send("text")  # type: ignore[arg-type]


async def waits_in_a_nursery(stream: Any) -> None:
    async with open_nursery() as nursery:
        nursery.start_soon(answers, stream)


async def loses_patience(stream: Any) -> None:
    with fail_after(0.05):
        await stream.recv()


async def hogs(stream: Any) -> None:
    time.sleep(0.3)
    await stream.send(b"late")


async def answers(stream: Any) -> None:
    async for data in stream:
        await stream.send(data)


DEEDS: dict[bytes, Callable[[Any], Awaitable[None]]] = {
    function.__name__.encode(): function
    for function in (
        opens_a_missing_file,
        writes_to_a_broken_pipe,
        sends_text,
        receives_text,
        receives_from_nothing,
        sends_text_into_a_pipe,
        waits_in_a_nursery,
        loses_patience,
        hogs,
        answers,
    )
}


async def handler(stream: Stream) -> None:
    """Read the name of a deed, say so, and do it."""
    name = await stream.recv()
    await stream.send(b"begun")
    await DEEDS[name](stream)


async def _greets(greeting: bytes, stream: Stream) -> None:
    await stream.send(greeting)
    raise ValueError("no more words")


greets = partial(_greets, b"hello")
