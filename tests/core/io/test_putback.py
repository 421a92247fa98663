"""A stream with bytes in front that were received already, on either stack."""

from collections.abc import Iterator
from typing import Any

import pytest

from gossamer.core.io.putback import PutBackStream
from gossamer.core.loop.streamcall import Idle

from .stacks import Functional, Kernel, talk


@pytest.fixture(params=[Kernel, Functional])
def stack(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = request.param()
    yield made
    made.close()


def test_received__first_what_was_put_back_then_what_comes(stack: Any) -> None:
    async def user(stream: Any) -> list[bytes]:
        again = PutBackStream(stream, b"hello")
        found = [await again.recv(2), await again.recv_idle(Idle(user, 2, 1_000_000)), await again.recv()]
        assert again.peer == stream.peer
        await again.send(b"?")
        return [*found, *[data async for data in again]]

    async def peer(stream: Any) -> None:
        async with stream:
            assert await stream.recv() == b"?"
            await stream.send(b"world")

    assert stack.run(talk(stack, user, peer)) == [b"he", b"ll", b"o", b"world"]


def test_taken__receiving_and_sending_are_the_streams_own(stack: Any) -> None:
    async def user(stream: Any) -> None:
        again = PutBackStream(stream, b"hello")
        await again.recv(3)
        assert again.recv != stream.recv
        await again.recv(3)
        assert again.recv == stream.recv
        await again.send(b"?")
        assert again.__dict__["send"] == stream.send

    async def peer(stream: Any) -> None:
        assert await stream.recv() == b"?"

    stack.run(talk(stack, user, peer))


def test_all_else__is_the_streams_own_and_found_by_its_class(stack: Any) -> None:
    async def user(stream: Any) -> None:
        again = PutBackStream(stream, b"hello")
        mine: Any = again
        assert (mine.local, mine.peer, mine.tls) == (stream.local, stream.peer, stream.tls)
        assert mine.is_closed is False
        assert type(await mine.info()) is type(await stream.info())
        with pytest.raises(AttributeError, match="nothing_of_this_name"):
            _ = mine.nothing_of_this_name
        # It would be asked for whenever `recv` or `send` is looked up.
        assert not hasattr(type(again), "__getattr__")
        assert type(again) is type(PutBackStream(stream, b""))
        await again.close()
        assert mine.is_closed is True

    async def peer(stream: Any) -> None:
        await stream.close()

    stack.run(talk(stack, user, peer))


def test_stream_that_has_what_its_class_does_not_know_of__passed_on() -> None:
    class Odd:
        def __init__(self) -> None:
            self.own = "its own"

        def send(self, _data: bytes) -> str:
            return "sent"

    odd: Any = Odd()
    again: Any = PutBackStream(odd, b"")
    assert (again.own, again.send(b"")) == ("its own", "sent")


def test_block__closes_the_stream(stack: Any) -> None:
    async def user(stream: Any) -> bool:
        async with PutBackStream(stream, b"x") as again:
            assert [data async for data in again] == [b"x"]
        return bool(stream.is_closed)

    async def peer(stream: Any) -> None:
        await stream.close()

    assert stack.run(talk(stack, user, peer))
