"""One interface on either stack: what a call of a stream, an acceptor or a connector does in every state, and
when it is misused, is the same over kernel sockets and over the functional TCP, and through TLS over either.
"""

import errno
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from gossamer.core.errors import MisuseError
from gossamer.core.loop.checks import RECV_BYTES_MAX, RECV_ROOM_BYTES
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep

from ..tls.stacks import TlsFunctional, TlsKernel
from .stacks import NOWHERE, Functional, Kernel, talk


@pytest.fixture(params=[Kernel, Functional, TlsKernel, TlsFunctional])
def stack(request: pytest.FixtureRequest) -> Iterator[Kernel | Functional]:
    made: Kernel | Functional = request.param()
    yield made
    made.close()


SOON_US = 20_000
"""Until what was done has arrived at the other end, and the answer is back."""

BIG = bytes(64 << 20)
"""More than the buffers of both ends hold."""

Peer = Callable[[Any], Awaitable[Any]]


async def outcome(awaited: Callable[[], Awaitable[Any]]) -> Any:
    """What a call returned, or the class of what it raised and its number."""
    try:
        return await awaited()
    except MisuseError:
        return MisuseError
    except OSError as error:
        return type(error), error.errno


ABORTED = (ConnectionAbortedError, errno.ECONNABORTED)
RESET = (ConnectionResetError, errno.ECONNRESET)
EPIPE = (BrokenPipeError, errno.EPIPE)
TIMED_OUT = (TimeoutError, None)


# What the other end does.


async def listens(stream: Any) -> None:
    """Reads all, then closes."""
    while await stream.recv():
        pass
    await stream.close()


async def resets(stream: Any) -> None:
    """Sends two octets, and resets when one has come."""
    await stream.send(b"ab")
    await stream.recv(1)
    await stream.abort()


async def half_closes(stream: Any) -> None:
    """Sends three octets and a FIN, answers what comes after."""
    await stream.send(b"one")
    await stream.shutdown()
    received = b""
    while data := await stream.recv():
        received += data
    assert received == b"two"
    await stream.close()


async def is_deaf(stream: Any) -> None:
    """Reads nothing, for a while."""
    await sys_sleep(10 * SOON_US)
    await stream.abort()


# What is done with a stream: each returns the outcomes of its calls.


async def calls_of(stream: Any) -> dict[str, Any]:
    """The outcome of each call on a stream whose connection is over."""
    return {
        "recv": await outcome(stream.recv),
        "recv again": await outcome(stream.recv),
        "send": await outcome(lambda: stream.send(b"x")),
        "send again": await outcome(lambda: stream.send(b"x")),
        "send_last": await outcome(lambda: stream.send_last(b"x")),
        "options": await outcome(stream.options),
        "set_options": await outcome(lambda: stream.set_options(SocketOptions(nodelay=True))),
        "shutdown": await outcome(stream.shutdown),
        "close": await outcome(stream.close),
        "close again": await outcome(stream.close),
        "abort": await outcome(stream.abort),
    }


AFTER_CLOSE = {
    "recv": ABORTED,
    "recv again": ABORTED,
    "send": ABORTED,
    "send again": ABORTED,
    "send_last": ABORTED,
    "options": ABORTED,
    "set_options": ABORTED,
    "shutdown": ABORTED,
    "close": None,
    "close again": None,
    "abort": None,
}

AFTER_RESET = {
    **dict.fromkeys(AFTER_CLOSE, RESET),
    "shutdown": None,
    "close": None,
    "close again": None,
    "abort": None,
}


def test_recv__of_the_most_that_may_be_asked__makes_room_for_a_mebibyte(stack: Any) -> None:
    async def user(stream: Any) -> tuple[bytes, int]:
        await sys_sleep(SOON_US)
        tracemalloc.start()
        try:
            return await stream.recv(RECV_BYTES_MAX), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            await stream.close()

    heard, peak_bytes = stack.run(talk(stack, user, resets))
    assert heard == b"ab"
    assert peak_bytes < RECV_ROOM_BYTES + (64 << 10)


@pytest.mark.parametrize("ends", ["close", "abort"])
def test_after_close_or_abort__every_call__the_stream_is_closed(stack: Any, ends: str) -> None:
    async def user(stream: Any) -> Any:
        await getattr(stream, ends)()
        return await calls_of(stream)

    assert stack.run(talk(stack, user, listens)) == AFTER_CLOSE


def test_after_close__info__says_that_it_is_over(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        await stream.abort()
        return (await stream.info()).tcpi_state

    assert stack.run(talk(stack, user, listens)) == 7


def test_after_reset__every_call__connection_reset(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        assert await stream.recv() == b"ab"
        await stream.send(b"x")
        await sys_sleep(SOON_US)
        return await calls_of(stream)

    assert stack.run(talk(stack, user, resets)) == AFTER_RESET


def test_after_reset__send_and_options_first__connection_reset(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        assert await stream.recv() == b"ab"
        await stream.send(b"x")
        await sys_sleep(SOON_US)
        found = [await outcome(stream.options), await outcome(lambda: stream.send(b"x"))]
        found.append(await outcome(stream.recv))
        await stream.close()
        return found

    assert stack.run(talk(stack, user, resets)) == [RESET, RESET, RESET]


def test_blocked_recv__the_peer_resets__connection_reset(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        assert await stream.recv() == b"ab"
        receiver = await sys_fork(outcome(stream.recv))
        await stream.send(b"x")
        found = await sys_join(receiver), await outcome(stream.recv)
        await stream.close()
        return found

    assert stack.run(talk(stack, user, resets)) == (RESET, RESET)


def test_reset__octets_that_came_before__then_connection_reset_for_ever(stack: Any) -> None:
    """The one difference: a kernel hands out what came before the RST. RFC 9293 3.10.7.4, second: "All
    segment queues should be flushed."
    """

    async def user(stream: Any) -> Any:
        await stream.send(b"x")
        await sys_sleep(SOON_US)
        found = [await outcome(lambda: stream.recv(1)) for _ in range(4)]
        await stream.close()
        return found

    before = [RESET, RESET] if isinstance(stack, Functional) else [b"a", b"b"]
    assert stack.run(talk(stack, user, resets)) == [*before, RESET, RESET]


def test_peer_half_closes__end_of_stream_for_ever__and_sending_goes_on(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        found = [await stream.recv(), await stream.recv(), await stream.recv()]
        await stream.send(b"two")
        await stream.shutdown()
        found += [await outcome(lambda: stream.send(b"x")), await stream.shutdown(), await stream.recv()]
        await stream.close()
        return found

    assert stack.run(talk(stack, user, half_closes)) == [b"one", b"", b"", EPIPE, None, b""]


def test_own_half_close__receiving_goes_on__and_sending_is_a_broken_pipe(stack: Any) -> None:
    async def peer(stream: Any) -> None:
        while await stream.recv():
            pass
        await stream.send(b"still here")
        await stream.close()

    async def user(stream: Any) -> Any:
        await stream.shutdown()
        found = [
            await outcome(lambda: stream.send(b"x")),
            await outcome(lambda: stream.send_last(b"x")),
            await stream.recv(),
            await stream.recv(),
            await outcome(stream.shutdown),
        ]
        await stream.close()
        return found

    assert stack.run(talk(stack, user, peer)) == [EPIPE, EPIPE, b"still here", b"", None]


def test_two_receivers__the_second_is_refused__and_the_first_goes_on(stack: Any) -> None:
    async def peer(stream: Any) -> None:
        await stream.recv()
        await stream.send(b"for the first")
        await stream.close()

    async def user(stream: Any) -> Any:
        first = await sys_fork(outcome(stream.recv))
        await sys_sleep(SOON_US)
        second = await outcome(stream.recv)
        await stream.send(b"x")
        found = await sys_join(first), second
        await stream.close()
        return found

    assert stack.run(talk(stack, user, peer)) == (b"for the first", MisuseError)


def test_two_senders__the_second_is_refused(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        first = await sys_fork(outcome(lambda: stream.send(BIG)))
        await sys_sleep(SOON_US)
        second = await outcome(lambda: stream.send(b"x"))
        await stream.abort()
        return await sys_join(first), second

    assert stack.run(talk(stack, user, is_deaf)) == (ABORTED, MisuseError)


def test_blocked_send__shutdown_by_another_thread__broken_pipe(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        sender = await sys_fork(outcome(lambda: stream.send(BIG)))
        await sys_sleep(SOON_US)
        await stream.shutdown()
        found = await sys_join(sender)
        await stream.abort()
        return found

    assert stack.run(talk(stack, user, is_deaf)) == EPIPE


def test_blocked_recv__closed_by_another_thread__aborted(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        receiver = await sys_fork(outcome(stream.recv))
        await sys_sleep(SOON_US)
        await stream.close()
        return await sys_join(receiver)

    assert stack.run(talk(stack, user, listens)) == ABORTED


def test_timeouts__of_recv_and_send__and_the_stream_is_as_it_was(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        found = [
            await outcome(lambda: stream.recv(1, SOON_US)),
            await outcome(lambda: stream.recv(1, 0)),
            await outcome(lambda: stream.send(BIG, SOON_US)),
        ]
        await stream.abort()
        return found

    assert stack.run(talk(stack, user, is_deaf)) == [TIMED_OUT, TIMED_OUT, TIMED_OUT]


def test_send_of_nothing__returns_at_once__though_the_buffer_is_full(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        await outcome(lambda: stream.send(BIG, SOON_US))
        found = await stream.send(b"", SOON_US)
        await stream.abort()
        return found

    assert stack.run(talk(stack, user, is_deaf)) is None


@pytest.mark.parametrize("make", [bytearray, memoryview])
def test_send__bytes_that_may_change__were_taken_as_they_were(stack: Any, make: Any) -> None:
    data = bytearray(b"hello")

    async def peer(stream: Any) -> None:
        await stream.send(await stream.recv())
        await stream.close()

    async def user(stream: Any) -> Any:
        call = stream.send(data if make is bytearray else memoryview(data))
        data[0:5] = b"world"
        await call
        found = await stream.recv()
        await stream.close()
        return found

    assert stack.run(talk(stack, user, peer)) == b"hello"


# Blocks, iteration, addresses.


def test_async_with_and_async_for__a_stream(stack: Any) -> None:
    async def user(stream: Any) -> Any:
        async with stream:
            await stream.send(b"two")
            await stream.shutdown()
            chunks = [chunk async for chunk in stream]
        return b"".join(chunks), stream.is_closed

    assert stack.run(talk(stack, user, half_closes)) == (b"one", True)


def test_async_with__the_block_fails__the_peer_is_reset(stack: Any) -> None:
    seen: list[Any] = []

    async def peer(stream: Any) -> None:
        seen.append(await outcome(stream.recv))
        await stream.close()

    async def user(stream: Any) -> None:
        with pytest.raises(ValueError, match="half"):
            async with stream:
                raise ValueError("half of it was sent")
        await sys_sleep(SOON_US)

    stack.run(talk(stack, user, peer))
    assert seen == [RESET]


def test_async_for__an_acceptor__until_it_is_closed(stack: Any) -> None:
    served: list[bytes] = []

    async def serve() -> None:
        async with stack.acceptor as acceptor:
            async for stream in acceptor:
                served.append(await stream.recv())
                await stream.close()
                if len(served) == 2:
                    await acceptor.close()

    serving = stack.server_scheduler.spawn(serve())

    async def client() -> None:
        for _ in range(2):
            async with await stack.connector.connect(stack.address) as stream:
                await stream.send(b"hello")
                await stream.recv()
        while not serving.has_ended:
            await sys_sleep(SOON_US)

    stack.run(client())
    assert served == [b"hello", b"hello"]
    assert serving.inbox is None


@pytest.mark.parametrize("ends", ["close", "abort", "the peer resets"])
def test_addresses__before_and_after_the_end__and_printed(stack: Any, ends: str) -> None:
    ours: dict[str, Any] = {}

    async def peer(stream: Any) -> None:
        ours["peer"] = stream.peer, stream.local, repr(stream)
        await (resets if ends == "the peer resets" else listens)(stream)
        ours["peer's peer after the end"] = stream.peer, stream.local

    async def user(stream: Any) -> Any:
        before = stream.local, stream.peer
        if ends == "the peer resets":
            await stream.send(b"x")
            await sys_sleep(SOON_US)
            await outcome(lambda: stream.recv(2))
            await outcome(stream.recv)
            assert (stream.local, stream.peer) == before
        await (stream.abort if ends == "abort" else stream.close)()
        await sys_sleep(SOON_US)
        return before, (stream.local, stream.peer), repr(stream)

    if ends == "abort":
        listener = listens

        async def hears_the_outcome(stream: Any) -> None:
            await outcome(lambda: listener(stream))

        peer_of: Peer = hears_the_outcome
        before, after, printed = stack.run(talk(stack, user, peer_of))
        assert before == after
    else:
        before, after, printed = stack.run(talk(stack, user, peer))
        assert before == after
        local, remote = before
        assert ours["peer"][:2] == (local, remote)
        assert ours["peer's peer after the end"] == (local, remote)
        assert f"{remote[0]}:{remote[1]} to {local[0]}:{local[1]}>" in ours["peer"][2]
    (host, port), (peer_host, peer_port) = before
    assert f"Stream {host}:{port} to {peer_host}:{peer_port}, closed>" in printed


@pytest.mark.parametrize("to", ["{}", "::ffff:{}"])
def test_any_address__an_ipv4_peer__has_its_ipv4_address(stack: Any, to: str) -> None:
    """Both ends, whichever form the client names, and as `repr` and so the logs print it."""
    acceptor, address = stack.listen_anywhere()

    async def serve() -> Any:
        stream = await acceptor.accept()
        return stream.peer[0], stream.local[0], repr(stream)

    async def client() -> Any:
        stream = await stack.connector.connect((to.format(address[0]), address[1]))
        return stream.peer[0], stream.local[0]

    served = stack.server_scheduler.spawn(serve())
    assert stack.run(client()) == (address[0], "127.0.0.1")
    stack.run(sys_sleep_soon())
    host, local, printed = served.inbox
    assert (host, local) == ("127.0.0.1", address[0])
    assert "ffff" not in printed


def test_acceptor__printed_and_its_address_after_close(stack: Any) -> None:
    address = stack.address

    async def closes() -> None:
        await stack.acceptor.close()
        await stack.acceptor.close()

    assert f"on {address[0]}:{address[1]}>" in repr(stack.acceptor)
    thread = stack.server_scheduler.spawn(closes())
    stack.run(sys_sleep_soon())
    assert thread.has_ended
    assert stack.acceptor.local == address
    assert "closed" in repr(stack.acceptor)


async def sys_sleep_soon() -> None:
    await sys_sleep(SOON_US)


# Acceptors and connectors.


def test_accept__after_close_or_while_blocked__aborted(stack: Any) -> None:
    async def serve() -> Any:
        blocked = await sys_fork(outcome(stack.acceptor.accept))
        await sys_sleep(SOON_US)
        await stack.acceptor.close()
        return await sys_join(blocked), await outcome(stack.acceptor.accept)

    thread = stack.server_scheduler.spawn(serve())
    stack.run(waits_for(thread))
    assert thread.inbox == (ABORTED, ABORTED)


async def waits_for(thread: Any) -> None:
    while not thread.has_ended:
        await sys_sleep(SOON_US)


def test_acceptor_closed_twice__another_listens_on_the_address__it_stays(stack: Any) -> None:
    async def serve() -> Any:
        await stack.acceptor.close()
        if isinstance(stack, Functional):
            again = Functional.listen_again(stack)
            await stack.acceptor.close()
            return again.local == stack.address
        await stack.acceptor.close()
        return True

    thread = stack.server_scheduler.spawn(serve())
    stack.run(waits_for(thread))
    assert thread.inbox is True
    if type(stack) is Functional:

        async def reaches() -> bool:
            async with await stack.connector.connect(stack.address):
                return True

        assert stack.run(reaches())


def test_connect__nobody_listens__refused(stack: Any) -> None:
    address = NOWHERE if isinstance(stack, Functional) else ("127.0.0.1", 9)
    if isinstance(stack, Functional):
        address = (stack.address[0], 9)

    async def main() -> Any:
        return await outcome(lambda: stack.connector.connect(address))

    assert stack.run(main()) == (ConnectionRefusedError, errno.ECONNREFUSED)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((("localhost", 80),), "open_connection"),
        ((("127.0.0.1", "80"),), "the port of address: found '80'"),
        ((("127.0.0.1", 70_000),), "from 0 to 65535"),
        (("127.0.0.1:80",), "an IP address and a port"),
        ((None,), "address: found None"),
        ((("127.0.0.1", 80), "soon"), "timeout_us: found 'soon'"),
        ((("127.0.0.1", 80), -1), "timeout_us: found -1"),
        ((("127.0.0.1", 80), 1.5), "timeout_us: found 1.5"),
        ((("127.0.0.1", 80), 1, {"nodelay": True}), "a SocketOptions"),
    ],
)
def test_connect__wrong_argument__one_error_at_once(stack: Any, arguments: Any, says: str) -> None:
    with pytest.raises(MisuseError, match=says):
        stack.connector.connect(*arguments)


WRONG = {
    "recv": [
        ("1",),
        (-1,),
        (0,),
        (2**45,),
        (1.5,),
        (None,),
        (True,),
        (b"1",),
        (1, "1"),
        (1, -1),
        (1, 1.5),
        (1, None),
    ],
    "send": [("text",), (None,), (5,), ([1, 2],), (b"x", "1"), (b"x", -5), (b"x", None), (b"x", True)],
    "send_last": [("text",), (None,), (b"x", "1"), (b"x", -5)],
    "set_options": [(None,), ({"nodelay": True},), ("nodelay",)],
}


@pytest.mark.parametrize(
    ("method", "arguments"), [(method, each) for method, table in WRONG.items() for each in table]
)
def test_wrong_argument__misuse_in_the_thread__and_the_stream_and_another_thread_live_on(
    stack: Any, method: str, arguments: tuple[Any, ...]
) -> None:
    lived_on: list[int] = []

    async def another() -> None:
        for number in range(3):
            await sys_sleep(100)
            lived_on.append(number)

    async def user(stream: Any) -> Any:
        other = await sys_fork(another())
        with pytest.raises(MisuseError, match=r"found .*allowed is"):
            await getattr(stream, method)(*arguments)
        await sys_join(other)
        await stream.send(b"two")
        await stream.shutdown()
        received = await stream.recv()
        await stream.close()
        return received

    assert stack.run(talk(stack, user, half_closes)) == b"one"
    assert lived_on == [0, 1, 2]
