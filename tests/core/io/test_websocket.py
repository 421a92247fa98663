"""A WebSocket on a stream of either stack: the handshake, messages, silence, and each way it may end.

The peer is the sans-I/O client of the package `websockets`, in a thread of its own.
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import CONNECTING
from websockets.uri import parse_uri

from gossamer.core.http.websocket import Disconnected
from gossamer.core.io.stream import Stream
from gossamer.core.io.websocket import WebSocket, accept_websocket
from gossamer.core.threads.calls import sys_sleep

from .stacks import Functional, Kernel, talk

URI = parse_uri("ws://a/chat")


@pytest.fixture(params=[Kernel, Functional])
def stack(request: pytest.FixtureRequest) -> Iterator[Any]:
    made = request.param()
    yield made
    made.close()


class Client:
    """One that has shaken hands."""

    def __init__(self, stream: Stream, protocol: ClientProtocol) -> None:
        self.stream = stream
        self.protocol = protocol
        self.came: list[Frame] = []

    async def flush(self) -> None:
        data = b"".join(self.protocol.data_to_send())
        if data:
            await self.stream.send(data)

    async def next(self) -> tuple[Opcode, bytes] | None:
        """The next frame; None at the end of the stream."""
        while not self.came:
            data = await self.stream.recv()
            if not data:
                return None
            self.protocol.receive_data(data)
            await self.flush()
            self.came += [each for each in self.protocol.events_received() if isinstance(each, Frame)]
        frame = self.came.pop(0)
        return frame.opcode, bytes(frame.data)


async def opened(stream: Stream, **options: Any) -> Client:
    protocol = ClientProtocol(URI, **options)
    protocol.send_request(protocol.connect())
    client = Client(stream, protocol)
    await client.flush()
    while protocol.state is CONNECTING:
        data = await stream.recv()
        assert data
        protocol.receive_data(data)
        await client.flush()
    assert protocol.handshake_exc is None
    answer, *frames = protocol.events_received()
    assert isinstance(answer, Response)
    client.came += [each for each in frames if isinstance(each, Frame)]
    return client


User = Callable[[Client], Awaitable[Any]]
Peer = Callable[[WebSocket], Awaitable[Any]]


def meet(stack: Any, user: User, peer: Peer, ours: tuple[str, ...] = (), **options: Any) -> Any:
    """What `user` makes of a client whose server is in the hands of `peer`."""

    async def serve(stream: Stream) -> None:
        socket = await accept_websocket(stream, subprotocols=ours)
        assert socket is not None
        async with stream:
            await peer(socket)

    async def ask(stream: Stream) -> Any:
        async with stream:
            return await user(await opened(stream, **options))

    return stack.run(talk(stack, ask, serve))


async def echo(socket: WebSocket) -> None:
    async with socket:
        async for message in socket:
            await socket.send(message)


def test_messages__come_back(stack: Any) -> None:
    async def user(client: Client) -> list[Any]:
        client.protocol.send_text("hällo".encode())
        client.protocol.send_binary(b"\x00" * 70_000)
        client.protocol.send_ping(b"?")
        await client.flush()
        heard = [await client.next() for _ in range(3)]
        client.protocol.send_close(1000, "bye")
        await client.flush()
        return [*heard, await client.next(), await client.next()]

    options = {"extensions": [ClientPerMessageDeflateFactory()]}
    for each in ({}, options):
        heard = meet(stack, user, echo, **each)
        assert sorted(heard[:3], key=lambda frame: frame[0]) == [
            (Opcode.TEXT, "hällo".encode()),
            (Opcode.BINARY, b"\x00" * 70_000),
            (Opcode.PONG, b"?"),
        ]
        assert heard[3:] == [(Opcode.CLOSE, b"\x03\xe8bye"), None]


def test_subprotocol__is_the_first_of_ours_that_is_offered(stack: Any) -> None:
    found: list[Any] = []

    async def peer(socket: WebSocket) -> None:
        found.append((socket.subprotocol, socket.request.target, await socket.receive(), socket.disconnected))

    async def user(client: Client) -> Any:
        client.protocol.send_close(4321, "why")
        await client.flush()
        assert await client.next() == (Opcode.CLOSE, b"\x10\xe1why")
        assert await client.next() is None
        return client.protocol.subprotocol

    assert meet(stack, user, peer, ("c", "b", "a"), subprotocols=["a", "b"]) == "b"
    assert found == [("b", "/chat", None, Disconnected(4321, "why"))]


def test_handler_that_fails__closes_with_1011(stack: Any) -> None:
    async def peer(socket: WebSocket) -> None:
        with pytest.raises(LookupError):
            async with socket:
                raise LookupError

    assert meet(stack, Client.next, peer) == (Opcode.CLOSE, b"\x03\xf3")


def test_handler_that_returns__closes_with_1000_and_waits_for_the_peers(stack: Any) -> None:
    found: list[Any] = []

    async def peer(socket: WebSocket) -> None:
        async with socket:
            await socket.send("last")
        found.append(socket.disconnected)

    async def user(client: Client) -> list[Any]:
        return [await client.next() for _ in range(3)]

    assert meet(stack, user, peer) == [(Opcode.TEXT, b"last"), (Opcode.CLOSE, b"\x03\xe8"), None]
    assert found == [Disconnected(1000, "")]


def test_send__on_what_the_peer_has_closed__says_so_as_the_stream_does(stack: Any) -> None:
    found: list[BaseException] = []

    async def peer(socket: WebSocket) -> None:
        assert await socket.receive() == "both at once"
        try:
            await socket.send("too late")
        except BrokenPipeError as error:
            found.append(error)

    async def user(client: Client) -> Any:
        client.protocol.send_text(b"both at once")
        client.protocol.send_close(1000)
        await client.flush()
        return await client.next()

    assert meet(stack, user, peer) == (Opcode.CLOSE, b"\x03\xe8")
    assert "stream" in vars(found[0]), "the end of a connection is no fault of its handler's"


def test_peer_that_leaves__without_a_close__is_1006(stack: Any) -> None:
    found: list[Any] = []

    async def peer(socket: WebSocket) -> None:
        found.append((await socket.receive(), socket.disconnected))

    async def user(client: Client) -> None:
        await client.stream.shutdown()
        assert await client.next() is None

    meet(stack, user, peer)
    ((message, end),) = found
    assert message is None
    assert (end.code, end.is_breach) == (1006, True)


def test_no_handshake__is_answered_with_an_error(stack: Any) -> None:
    async def peer(stream: Stream) -> None:
        async with stream:
            assert await accept_websocket(stream) is None

    async def user(stream: Stream, data: bytes) -> bytes:
        async with stream:
            await stream.send(data)
            return b"".join([data async for data in stream])

    for data, status in (
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"426"),
        (b"hello\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n", b"426"),
    ):
        answer = stack.run(talk(stack, lambda stream, data=data: user(stream, data), peer))
        assert answer.startswith(b"HTTP/1.1 " + status)


class TestStillSending:
    """The server ends a connection while the peer is sending: it hears what was said last, and no reset."""

    async def says_more(self, stream: Stream) -> bytes:
        for _ in range(8):
            await stream.send(bytes(100_000))
            await sys_sleep(5_000)
        await stream.shutdown()
        return b"".join([data async for data in stream])

    def test_breach__its_close_code_is_heard(self, stack: Any) -> None:
        async def user(client: Client) -> Any:
            await client.stream.send(b"\x82\xff" + (2 << 20).to_bytes(8, "big") + b"mask")
            return await client.next(), await self.says_more(client.stream)

        (opcode, data), rest = meet(stack, user, echo)
        assert (opcode, data[:2], rest) == (Opcode.CLOSE, (1009).to_bytes(2, "big"), b"")

    def test_handler_that_fails__its_close_code_is_heard(self, stack: Any) -> None:
        async def peer(socket: WebSocket) -> None:
            with pytest.raises(LookupError):
                async with socket:
                    raise LookupError

        async def user(client: Client) -> Any:
            return await client.next(), await self.says_more(client.stream)

        assert meet(stack, user, peer) == ((Opcode.CLOSE, b"\x03\xf3"), b"")

    def test_handler_that_fails__its_peer_has_left__the_failure_is_what_is_told(self, stack: Any) -> None:
        found: list[BaseException] = []

        async def peer(socket: WebSocket) -> None:
            try:
                async with socket:
                    await sys_sleep(20_000)  # The reset comes.
                    raise LookupError
            except (LookupError, OSError) as error:
                found.append(error)

        async def user(client: Client) -> None:
            await client.stream.abort()
            for _ in range(1_000):
                if found:
                    break
                await sys_sleep(5_000)

        meet(stack, user, peer)
        assert [type(error) for error in found] == [LookupError]

    def test_no_handshake__its_answer_is_heard(self, stack: Any) -> None:
        async def peer(stream: Stream) -> None:
            async with stream:
                assert await accept_websocket(stream) is None

        async def user(stream: Stream) -> bytes:
            async with stream:
                await stream.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 800000\r\n\r\n")
                answer = await stream.recv()
                return answer + await self.says_more(stream)

        assert b" 426 " in stack.run(talk(stack, user, peer))


class TestSilence:
    """In virtual time."""

    @pytest.fixture
    def stack(self) -> Iterator[Any]:
        made = Functional()
        yield made
        made.close()

    def test_silent_peer__is_pinged_and_its_pong_keeps_it(self, stack: Any) -> None:
        async def user(client: Client) -> list[Any]:
            heard = [await client.next() for _ in range(3)]
            client.protocol.send_close(1000)
            await client.flush()
            return heard

        assert meet(stack, user, echo) == [(Opcode.PING, b"")] * 3

    def test_peer_that_answers_no_ping__is_gone(self, stack: Any) -> None:
        found: list[BaseException] = []

        async def peer(socket: WebSocket) -> None:
            try:
                await socket.receive()
            except TimeoutError as error:
                found.append(error)

        async def user(client: Client) -> bytes:
            return b"".join([data async for data in client.stream])

        assert meet(stack, user, peer) == b"\x89\x00"
        assert len(found) == 1

    def test_peer_that_does_not_answer_a_close__is_waited_for_some_seconds(self, stack: Any) -> None:
        found: list[Any] = []

        async def peer(socket: WebSocket) -> None:
            await socket.close(1001)
            found.append(socket.disconnected)

        async def user(client: Client) -> bytes:
            return b"".join([data async for data in client.stream])

        assert meet(stack, user, peer) == b"\x88\x02\x03\xe9"
        assert found == [None]
