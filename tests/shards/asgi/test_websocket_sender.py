"""How what is said on a WebSocket leaves: in the turn in which it was said, in one piece, by no thread."""

import asyncio
from typing import Any

from gossamer import SockStream, sleep
from gossamer.core.aio.standby import Standby
from gossamer.core.threads.systemcall import BLOCKED
from gossamer.loadtest.web.echo_client import ECHO, MESSAGE, REQUEST, TEXT, masked
from gossamer.shards.asgi.exchange import HELD_BYTES_MAX
from gossamer.shards.asgi.websocket_sender import SocketSender

from .serving import Served, served

CLOSE = masked(0x88, (1001).to_bytes(2))
PING = masked(0x89, b"")
TURNS = 5
"""Of a message and its echo, at most: the clock's own among them."""


class Saying:
    """A WebSocket's side."""

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.gone: list[int] = []
        self.is_broken = False

    def went(self, count: int) -> None:
        self.gone.append(count)

    def broke(self) -> None:
        self.is_broken = True
        self.out.clear()


class Stack:
    """A scheduler, a loop and a stream in one: it answers what it is told to."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []
        self.leaving: list[SocketSender] = []
        self.let_leave = self.leaving.append
        self.scheduler = self
        self.standby: Standby | None = None

    def send(self, data: bytes, _timeout_us: int) -> Any:
        return data

    def perform(self, standby: Standby, call: Any) -> Any:
        self.standby = standby
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        self.sent.append(call)
        return answer

    def turn(self) -> None:
        """The end of asyncio's part of one."""
        leaving, self.leaving[:] = tuple(self.leaving), ()
        for each in leaving:
            each.leave()


def opened(*answers: Any) -> tuple[SocketSender, Saying, Stack]:
    stack: Any = Stack(*answers)
    saying = Saying()
    return SocketSender(saying, stack, 1, stack), saying, stack


def test_said_in_pieces__leaves_in_one_at_the_end_of_the_turn() -> None:
    sender, saying, stack = opened(None)
    saying.out += [b"a", b"b"]
    sender.hasten()
    saying.out.append(b"c")
    assert not stack.sent
    stack.turn()
    assert (stack.sent, saying.gone, saying.out) == ([b"abc"], [3], [])
    stack.turn()
    assert stack.sent == [b"abc"]


def test_no_room__what_comes_meanwhile_is_sent_behind_it() -> None:
    sender, saying, stack = opened(BLOCKED, None)
    saying.out.append(b"first")
    sender.hasten()
    stack.turn()
    assert sender.is_sending
    assert saying.gone == []
    saying.out.append(b"second")
    sender.hasten()
    stack.turn()
    assert stack.sent == [b"first"]
    assert stack.standby is not None
    stack.standby.send(None)  # as the scheduler does, once there was room
    assert (sender.is_sending, saying.gone) == (False, [5])
    stack.turn()
    assert (stack.sent, saying.gone) == ([b"first", b"second"], [5, 6])
    sender.check()


def test_peer_is_gone__it_is_broken_and_says_so_once() -> None:
    for answers in ([ConnectionResetError()], [BLOCKED]):
        sender, saying, stack = opened(*answers)
        saying.out.append(b"lost")
        sender.hasten()
        stack.turn()
        if sender.is_sending:
            assert stack.standby is not None
            stack.standby.throw(ConnectionResetError())
        assert saying.is_broken
        assert not sender.is_sending
        try:
            sender.check()
        except ConnectionResetError:
            pass
        else:
            raise AssertionError("it says nothing")
        sender.check()


async def handshaken(server: Served) -> SockStream:
    stream = (await server.connect()).stream
    await stream.send(REQUEST)
    assert (await stream.recv()).startswith(b"HTTP/1.1 101 ")
    return stream


async def exactly(stream: SockStream, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await stream.recv(count - len(data))
    return data


def test_echo__of_an_application__in_the_turn_in_which_it_came() -> None:
    async def echoes(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})

    async def talk(server: Served) -> int:
        stream = await handshaken(server)
        scheduler: Any = server.site.loop.scheduler
        for _ in range(3):
            await stream.send(MESSAGE)
            begun = scheduler.turns_total
            assert await exactly(stream, len(ECHO)) == ECHO
        await stream.send(MESSAGE * 3)
        assert await exactly(stream, 3 * len(ECHO)) == 3 * ECHO
        turns: int = scheduler.turns_total - begun
        await stream.abort()
        return turns

    # A turn in which it comes, and is answered; one in which the answer comes to the client: of both echoes.
    assert served(echoes, talk) <= 4


def test_client_that_does_not_read__its_close_is_heard() -> None:
    heard: list[Any] = []

    async def floods(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})

        async def flood() -> None:
            while True:
                await send({"type": "websocket.send", "bytes": bytes(HELD_BYTES_MAX)})

        flooding = asyncio.create_task(flood())
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(message["text"])
        heard.append(message["code"])
        flooding.cancel()

    async def talk(server: Served) -> None:
        stream = await handshaken(server)
        for _ in range(20):
            await sleep(0.005)  # it floods what buffers there are
            await stream.send(PING)
        await stream.send(MESSAGE + CLOSE)
        for _ in range(2000):
            if len(heard) == 2:
                break
            await sleep(0.005)
        await stream.abort()

    served(floods, talk)
    assert heard == [TEXT.decode(), 1001]


def test_client_that_does_not_read_for_too_long__the_connection_is_reset() -> None:
    ended: list[Any] = []

    async def floods(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "bytes": bytes(HELD_BYTES_MAX)})
        except OSError as error:
            ended.append(type(error).__name__)

    async def talk(server: Served) -> str:
        stream = await handshaken(server)
        for _ in range(2000):
            if ended:
                break
            await sleep(0.005)
        try:
            while await stream.recv():
                pass
        except ConnectionResetError:
            return "reset"
        return "closed"

    assert served(floods, talk, write_timeout_us=50_000) == "reset"
    assert ended == ["ClientLeftError"]
