"""An application served within the test's own scheduler, over sockets of the loopback, and clients of it."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec

from gossamer import CancelScope, SockStream, fail_after, listen, open_connection, open_nursery, run
from gossamer import serve as serve_connections
from gossamer.core.http.client import Response, ResponseReader
from gossamer.shards.asgi.site import AsgiOptions, AsgiSite
from gossamer.shards.web.options import WebOptions

SECONDS = 20.0
"""For what takes milliseconds on a machine that is not busy."""

App = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Answer(msgspec.Struct, frozen=True):
    """A response, whole."""

    response: Response
    body: bytes

    @property
    def status(self) -> int:
        return self.response.status

    def field(self, name: str) -> str | None:
        return self.response.field(name)


class Client:
    """One connection."""

    def __init__(self, stream: SockStream) -> None:
        self.stream = stream
        self.reader = ResponseReader()

    async def send(self, data: bytes | str) -> None:
        await self.stream.send(data.encode() if isinstance(data, str) else data)

    async def ask(self, target: str = "/", *lines: str, method: str = "GET", body: bytes = b"") -> Answer:
        """Ask, and read the answer."""
        head = "\r\n".join([f"{method} {target} HTTP/1.1", "Host: a", *lines, "", ""])
        await self.send(head.encode() + body)
        return await self.answer(method)

    async def answer(self, method: str = "GET") -> Answer:
        """The next answer."""
        response = await self.head(method)
        body = b""
        while (part := self.reader.next_body()) != b"":
            if part is None:
                await self.more()
            else:
                body += part
        return Answer(response, body)

    async def head(self, method: str = "GET") -> Response:
        """The head of the next answer."""
        while (response := self.reader.next_response(method)) is None:
            await self.more()
        return response

    async def more(self) -> None:
        data = await self.stream.recv()
        assert data, "the server has closed"
        self.reader.receive(data)

    async def rest(self) -> bytes:
        """All that comes until the server closes; b"reset" at the end where it resets."""
        got = b""
        try:
            while data := await self.stream.recv():
                got += data
        except ConnectionResetError:
            got += b"reset"
        return got


class Served:
    """A site that serves."""

    def __init__(self, site: AsgiSite, address: tuple[str, int]) -> None:
        self.site = site
        self.address = address

    async def connect(self) -> Client:
        return Client(await open_connection(*self.address))


def served(
    app: App, body: Callable[[Served], Awaitable[Any]], own: AsgiOptions | None = None, **web: Any
) -> Any:
    """What `body` returns, called with the application being served by these options of [web]."""
    site = AsgiSite(app, WebOptions(**web), own or AsgiOptions(lifespan="off"))

    async def main() -> Any:
        await site.start()
        async with listen(("127.0.0.1", 0)) as acceptor, open_nursery() as nursery:
            nursery.start_soon(serve_connections, acceptor, site.serve)
            with fail_after(SECONDS):
                result = await body(Served(site, acceptor.local))
            nursery.cancel_scope.cancel()
        with CancelScope(shield=True):
            await site.finish(0)
        return result

    return run(main(), [site.guest, site.times])


def asked(app: App, *requests: str | bytes, own: AsgiOptions | None = None, **web: Any) -> bytes:
    """All that comes back for these bytes on one connection, and b"reset" where its end is that."""

    async def body(server: Served) -> bytes:
        client = await server.connect()
        for data in requests:
            await client.send(data)
        return await client.rest()

    found: bytes = served(app, body, own, **web)
    return found


def answers(app: App, *targets: str, own: AsgiOptions | None = None, **web: Any) -> Iterator[Answer]:
    """The answers to a GET of each, on one connection."""

    async def body(server: Served) -> list[Answer]:
        client = await server.connect()
        return [await client.ask(target) for target in targets]

    yield from served(app, body, own, **web)
