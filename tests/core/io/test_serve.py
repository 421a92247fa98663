"""Serving: a thread for every connection; one bad one ends nothing else, and nothing else is silent."""

import errno
import logging
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from gossamer.core.errors import Draining
from gossamer.core.io.pipe import open_pipe
from gossamer.core.io.serve import guarded, is_no_fault, serve, too_slow
from gossamer.core.loop.streamcall import said_of
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.cancel import Cancelled, TooSlowError, fail_after, move_on_after
from gossamer.core.threads.nursery import open_nursery

from .stacks import talk

SOON_US = 20_000


async def echo(stream: Any) -> None:
    """Answers; a request for trouble gets it."""
    async for data in stream:
        if data == b"trouble":
            open("/no/such/file")  # noqa: SIM115 - it fails
        await stream.send(data)


def test_serve__a_handler_fails__it_is_logged_and_other_connections_live_on(
    stack: Any, caplog: pytest.LogCaptureFixture
) -> None:
    serving = stack.server_scheduler.spawn(serve(stack.acceptor, echo))

    async def client() -> Any:
        async with (
            await stack.connector.connect(stack.address) as good,
            await stack.connector.connect(stack.address) as bad,
        ):
            await good.send(b"one")
            seen = [await good.recv()]
            await bad.send(b"trouble")
            with pytest.raises(ConnectionResetError):
                await bad.recv()
            await good.send(b"two")
            seen.append(await good.recv())
            assert not serving.has_ended
        await stop(stack)
        return seen

    with caplog.at_level(logging.DEBUG):
        assert stack.run(client()) == [b"one", b"two"]
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert "echo failed with <" in record.getMessage()
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], FileNotFoundError)


async def stop(stack: Any) -> None:
    """Close the acceptor, where it lives, so that `serve` ends."""

    async def closes() -> None:
        await stack.acceptor.close()

    stack.server_scheduler.spawn(closes())
    await sys_sleep(SOON_US)


def test_serve__peers_leave__nothing_is_logged(stack: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def in_a_nursery(stream: Any) -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(echo, stream)
            nursery.start_soon(sys_sleep_long)

    stack.server_scheduler.spawn(serve(stack.acceptor, in_a_nursery))

    async def client() -> None:
        for _ in range(3):
            stream = await stack.connector.connect(stack.address)
            await stream.send(b"x")
            await stream.recv()
            await stream.abort()
        await sys_sleep(SOON_US)
        await stop(stack)

    with caplog.at_level(logging.DEBUG):
        stack.run(client())
    assert not [each for each in caplog.records if each.name.startswith("gossamer")]


async def sys_sleep_long() -> None:
    await sys_sleep(10_000_000)


def test_serve__acceptor_closed__ends_when_the_last_connection_has(stack: Any) -> None:
    serving = stack.server_scheduler.spawn(serve(stack.acceptor, echo))
    ended: list[bool] = []

    async def client() -> None:
        async with await stack.connector.connect(stack.address) as stream:
            await stream.send(b"x")
            await stream.recv()
            await stop(stack)
            ended.append(serving.has_ended)
            await stream.send(b"y")
            assert await stream.recv() == b"y"
        await sys_sleep(SOON_US)
        ended.append(serving.has_ended)

    stack.run(client())
    assert ended == [False, True]


def test_serve__cancelled__its_connections_are_aborted(stack: Any) -> None:
    async def serves_for_a_while() -> bool:
        with move_on_after(0.05) as scope:
            await serve(stack.acceptor, echo)
        return scope.cancelled_caught

    serving = stack.server_scheduler.spawn(serves_for_a_while())

    async def client() -> Any:
        async with await stack.connector.connect(stack.address) as stream:
            await stream.send(b"x")
            assert await stream.recv() == b"x"
            with pytest.raises(ConnectionResetError):
                await stream.recv()

    stack.run(client())
    assert serving.inbox is True


async def fails_when_it_is_cancelled() -> None:
    try:
        await sys_sleep_long()
    finally:
        raise ValueError("of the handler's end")


async def two_threads(stream: Any) -> None:
    async with open_nursery() as nursery:
        nursery.start_soon(fails_when_it_is_cancelled)
        await stream.send(b"x")
        await sys_sleep_long()


def test_serve__cancelled_and_a_handler_fails_at_its_end__it_is_logged_and_nothing_is_raised(
    stack: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A nursery's group then holds the error and `Cancelled`, which is no Exception."""

    async def serves_for_a_while() -> bool:
        with move_on_after(0.05) as scope:
            await serve(stack.acceptor, two_threads)
        return scope.cancelled_caught

    serving = stack.server_scheduler.spawn(serves_for_a_while())

    async def client() -> Any:
        async with await stack.connector.connect(stack.address) as stream:
            assert await stream.recv() == b"x"
            with pytest.raises(ConnectionResetError):
                await stream.recv()

    stack.run(client())
    assert serving.inbox is True
    (record,) = [each for each in caplog.records if each.name == "gossamer.core.io.serve"]
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ExceptionGroup)
    assert [str(each) for each in record.exc_info[1].exceptions] == ["of the handler's end"]


def test_serve__bound__no_more_are_served_at_once(stack: Any) -> None:
    now, most = [0], [0]

    async def counts(_stream: Any) -> None:
        now[0] += 1
        most[0] = max(most[0], now[0])
        await sys_sleep(1_000)
        now[0] -= 1

    stack.server_scheduler.spawn(serve(stack.acceptor, counts, connections_max=2))

    async def client() -> None:
        async with open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(one)
        await stop(stack)

    async def one() -> None:
        async with await stack.connector.connect(stack.address) as stream:
            assert await stream.recv() == b""

    stack.run(client())
    assert most == [2]


# What is no fault of the handler's.


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda stream: said_of(stream, ConnectionResetError(errno.ECONNRESET, "reset")), True),
        (lambda stream: said_of(stream, TimeoutError()), True),
        (lambda _stream: Draining(), True),
        (lambda stream: ExceptionGroup("both", [said_of(stream, OSError()), Draining()]), True),
        (lambda stream: ExceptionGroup("one", [said_of(stream, OSError()), ValueError()]), False),
        (lambda _stream: said_of(object(), ConnectionResetError()), False),
        (lambda _stream: ConnectionResetError(errno.ECONNRESET, "of something else"), False),
        (lambda _stream: FileNotFoundError(errno.ENOENT, "of the handler"), False),
        (lambda _stream: TimeoutError("of fail_after"), False),
        (lambda _stream: ValueError(), False),
    ],
)
def test_is_no_fault(make: Any, expected: bool) -> None:
    stream: Any = object()
    assert is_no_fault(stream, make(stream)) is expected


@pytest.mark.parametrize("in_a_nursery", [False, True])
def test_serve__the_handlers_own_limit_is_reached__a_line_that_names_it(
    stack: Any, caplog: pytest.LogCaptureFixture, in_a_nursery: bool
) -> None:
    async def impatient(stream: Any) -> None:
        with fail_after(0.005):
            await stream.recv()

    async def nursing(stream: Any) -> None:
        async with open_nursery() as nursery:
            nursery.start_soon(impatient, stream)

    handler = nursing if in_a_nursery else impatient
    serving = stack.server_scheduler.spawn(serve(stack.acceptor, handler))

    async def client() -> None:
        stream = await stack.connector.connect(stack.address)
        with pytest.raises(ConnectionResetError):
            await stream.recv()
        await stop(stack)

    with caplog.at_level(logging.DEBUG):
        stack.run(client())
    assert serving.has_ended
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.levelno == logging.WARNING
    assert record.exc_info is None
    assert f"{handler.__name__} gave up <" in record.getMessage()
    assert record.getMessage().endswith(": not done within 0.005 s")


def test_too_slow__with_another_fault__is_none() -> None:
    slow = TooSlowError("not done within 1 s")
    assert too_slow(ExceptionGroup("two", [slow, TooSlowError()])) is slow
    assert too_slow(ExceptionGroup("two", [slow, ValueError()])) is None
    assert too_slow(TimeoutError()) is None
    assert too_slow(None) is None


def test_serve__a_partial_handler_fails__its_function_is_named(
    stack: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def greets(greeting: bytes, stream: Any) -> None:
        await stream.send(greeting)
        raise ValueError("no more words")

    handler = partial(partial(greets), b"hello")
    assert guarded(handler).__qualname__ == greets.__qualname__
    stack.server_scheduler.spawn(serve(stack.acceptor, handler))

    async def client() -> None:
        stream = await stack.connector.connect(stack.address)
        await outcome_of(stream.recv)
        await stop(stack)

    with caplog.at_level(logging.DEBUG):
        stack.run(client())
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert "greets failed with <" in record.getMessage()


async def outcome_of(call: Any) -> None:
    with suppress(ConnectionResetError):
        await call()


async def open_missing(_stream: Any) -> None:
    open("/no/such/file")  # noqa: SIM115 - it fails


async def broken_pipe(_stream: Any) -> None:
    reader, writer = open_pipe()
    await reader.close()
    async with writer:
        await writer.send(b"x")


async def own_stream(stream: Any) -> None:
    await stream.close()
    await stream.recv()


@pytest.mark.parametrize(
    ("handler", "error"),
    [(open_missing, FileNotFoundError), (own_stream, ConnectionAbortedError)],
)
def test_guarded__the_handlers_own_error__raised_and_the_stream_aborted(
    stack: Any, handler: Any, error: type[OSError]
) -> None:
    assert guarded(handler).__qualname__ == handler.__qualname__

    async def peer(stream: Any) -> None:
        await sys_sleep(SOON_US // 2)  # until the connect at the other end has returned
        with pytest.raises(error):
            await guarded(handler)(stream)
        assert stream.is_closed

    async def user(stream: Any) -> None:
        await sys_sleep(SOON_US)
        await stream.abort()

    stack.run(talk(stack, user, peer))


def test_guarded__a_pipe_of_the_handlers__is_not_taken_for_the_peer(kernel: Any) -> None:
    class Stream:
        aborted = False

        async def abort(self) -> None:
            self.aborted = True

    stream: Any = Stream()
    with pytest.raises(BrokenPipeError):
        kernel.run(guarded(broken_pipe)(stream))
    assert stream.aborted


@pytest.mark.parametrize("fault", [None, ValueError("of the handler")], ids=str)
def test_guarded__a_peer_leaves_as_it_is_cancelled__only_the_rest_is_raised(
    kernel: Any, fault: Exception | None
) -> None:
    class Stream:
        async def abort(self) -> None:
            pass

    rest = [Cancelled(), *([fault] if fault else [])]

    async def handler(stream: Any) -> None:
        raise BaseExceptionGroup("of a nursery", [said_of(stream, ConnectionResetError()), *rest])

    stream: Any = Stream()
    with pytest.raises(BaseExceptionGroup) as raised:
        kernel.run(guarded(handler)(stream))
    assert list(raised.value.exceptions) == rest


def test_guarded__a_silent_peer__the_stream_is_aborted_and_nothing_is_raised(stack: Any) -> None:
    ended: list[bool] = []

    async def impatient(stream: Any) -> None:
        await stream.recv(1, 1_000)

    async def peer(stream: Any) -> None:
        await guarded(impatient)(stream)
        ended.append(stream.is_closed)

    async def user(stream: Any) -> None:
        with pytest.raises(ConnectionResetError):
            await stream.recv()
        await stream.close()

    stack.run(talk(stack, user, peer))
    assert ended == [True]
