"""What wakes the two threads of a WebSocket's connection: only what each waits for."""

import asyncio
from typing import Any

from gossamer.core.http.request import Request, parse_request
from gossamer.core.http.websocket_handshake import WebSocketOffer, read_offer
from gossamer.loadtest.web.echo_client import ECHO, MESSAGE, REQUEST, TEXT
from gossamer.shards.asgi.websocket import EVENTS_MAX, SocketExchange

RECEIVED = {"type": "websocket.receive", "bytes": None, "text": TEXT.decode()}


class Owner:
    """asyncio's loop, and no more."""

    is_ending = False

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()


class Woken:
    """Threads that wait in both places, and how often each was woken."""

    def __init__(self, socket: SocketExchange) -> None:
        self.socket = socket
        self.counts = {"sends": 0, "reads": 0}
        self.wait("sends")
        self.wait("reads")

    def wait(self, who: str) -> None:
        waiting = self.socket.parked if who == "sends" else self.socket.without_room

        def woken(_: None) -> None:
            self.counts[who] += 1
            self.wait(who)

        waiting.append(woken)

    def since(self) -> tuple[int, int]:
        """How often who sends and who reads were woken since this was asked last."""
        found = self.counts["sends"], self.counts["reads"]
        self.counts = dict.fromkeys(self.counts, 0)
        return found


async def accepted() -> tuple[SocketExchange, Woken]:
    request = parse_request(REQUEST)
    assert isinstance(request, Request)
    offer = read_offer(request)
    assert isinstance(offer, WebSocketOffer)
    owner: Any = Owner()
    socket = SocketExchange(owner, offer, [])
    await socket.receive()
    await socket.send({"type": "websocket.accept"})
    socket.out.clear()
    return socket, Woken(socket)


def test_echo__who_sends_is_woken_once__by_what_is_sent() -> None:
    async def main() -> None:
        socket, woken = await accepted()
        socket.hear(MESSAGE)
        assert woken.since() == (0, 0)
        assert await socket.receive() == RECEIVED
        assert woken.since()[0] == 0
        await socket.send({"type": "websocket.send", "text": TEXT.decode()})
        assert woken.since() == (1, 0)
        assert socket.out == [ECHO]

    asyncio.run(main())


def test_full__one_is_received__who_reads_goes_on() -> None:
    async def main() -> None:
        socket, woken = await accepted()
        socket.hear(MESSAGE * EVENTS_MAX)
        assert not socket.has_room
        assert woken.since() == (0, 0)
        await socket.receive()
        assert socket.has_room
        assert woken.since() == (0, 1)
        for _ in range(EVENTS_MAX - 1):
            await socket.receive()
        assert socket.held_event_bytes == 0

    asyncio.run(main())
