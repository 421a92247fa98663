"""Programs of asyncio that people have, unmodified: servers and clients, over kernel sockets and over the
functional TCP, with asyncio on top and as a guest."""

import asyncio
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from signal import SIGTERM
from typing import Any

import aiohttp
import httpx
import hypercorn.asyncio
import hypercorn.config
import pytest
import uvicorn
import websockets.asyncio.client
import websockets.asyncio.server
from aiohttp import web

from .rigs import FunctionalRig, KernelRig, TopRig

Address = tuple[str, int]
Rig = KernelRig | FunctionalRig | TopRig
BIG = bytes(range(256)) * 4096


@pytest.fixture(params=[TopRig, KernelRig, FunctionalRig], ids=lambda kind: kind.__name__)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made: Rig = request.param()
    yield made
    made.close()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """An application of ASGI: what is sent comes back; a WebSocket likewise."""
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"].upper()})
    else:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"x-scheme", scope["scheme"].encode())],
            }
        )
        more = True
        while more:
            message = await receive()
            more = message.get("more_body", False)
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})


@asynccontextmanager
async def by_uvicorn(address: Address, http: str = "httptools") -> AsyncIterator[Address]:
    host, port = address
    server = uvicorn.Server(uvicorn.Config(app, host, port, http=http, lifespan="on", log_level="error"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield host, server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


@asynccontextmanager
async def by_hypercorn(address: Address, certificate: Path) -> AsyncIterator[Address]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = hypercorn.config.Config()
    config.bind = [f"{address[0]}:{port}"]
    config.certfile = config.keyfile = str(certificate)
    config.alpn_protocols = ["h2", "http/1.1"]
    config.errorlog = None
    ended = asyncio.Event()
    serve: Any = hypercorn.asyncio.serve
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=ended.wait))
    await asyncio.sleep(0.2)
    yield address[0], port
    ended.set()
    await serving


@asynccontextmanager
async def by_aiohttp(address: Address) -> AsyncIterator[Address]:
    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(body=await request.read())

    application = web.Application(client_max_size=1 << 24)
    application.router.add_post("/", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, *address).start()
    yield runner.addresses[0]
    await runner.cleanup()


@asynccontextmanager
async def by_websockets(address: Address) -> AsyncIterator[Address]:
    async def upper(connection: Any) -> None:
        async for message in connection:
            await connection.send(message.upper())

    async with websockets.asyncio.server.serve(upper, *address) as server:
        yield next(iter(server.sockets)).getsockname()[:2]


async def posts(_loop: Any, address: Address) -> None:
    """Two requests on one connection, and one of a body that comes in pieces."""
    async with httpx.AsyncClient(base_url=f"http://{address[0]}:{address[1]}") as client:
        for body in (b"hello", BIG):
            answer = await client.post("/", content=body)
            assert answer.status_code == 200
            assert answer.content == body

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(5):
                yield BIG[:10_000]
                await asyncio.sleep(0.001)

        assert (await client.post("/", content=pieces())).content == 5 * BIG[:10_000]


async def shouts(_loop: Any, address: Address) -> None:
    """A WebSocket."""
    async with websockets.asyncio.client.connect(
        f"ws://{address[0]}:{address[1]}/", proxy=None
    ) as connection:
        for text in ("hello", "x" * 100_000):
            await connection.send(text)
            assert await connection.recv() == text.upper()


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_uvicorn__requests_of_httpx(rig: Rig, http: str) -> None:
    rig.converse(partial(by_uvicorn, http=http), posts)


def test_uvicorn__websocket(rig: Rig) -> None:
    rig.converse(by_uvicorn, shouts)


def test_aiohttp_server__requests_of_httpx(rig: Rig) -> None:
    rig.converse(by_aiohttp, posts)


def test_websockets__server_and_client(rig: Rig) -> None:
    rig.converse(by_websockets, shouts)


def test_hypercorn__http_2_over_tls(rig: Rig, certificate: Path) -> None:
    trusted = ssl.create_default_context(cafile=certificate)
    trusted.check_hostname = False

    async def client(_loop: Any, address: Address) -> None:
        base = f"https://{address[0]}:{address[1]}"
        async with httpx.AsyncClient(base_url=base, http2=True, verify=trusted) as client:
            answers = await asyncio.gather(*(client.post("/", content=BIG[:50_000]) for _ in range(5)))
        for answer in answers:
            assert answer.http_version == "HTTP/2"
            assert answer.headers["x-scheme"] == "https"
            assert answer.content == BIG[:50_000]

    rig.converse(partial(by_hypercorn, certificate=certificate), client)


def test_aiohttp__client_and_server(rig: Rig) -> None:
    """Its client opens sockets itself, connects them by the loop, and hands them over."""

    async def client(_loop: Any, address: Address) -> None:
        url = f"http://{address[0]}:{address[1]}/"
        async with aiohttp.ClientSession() as session:
            for body in (b"hello", BIG):
                async with session.post(url, data=body) as answer:
                    assert await answer.read() == body

    rig.converse(by_aiohttp, client)


def test_uvicorn__its_command_with_our_loop(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "import asyncio\n"
        "async def app(scope, receive, send):\n"
        "    assert scope['type'] == 'http'\n"
        "    name = type(asyncio.get_running_loop()).__name__.encode()\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': name})\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [
            sys.executable,
            "-P",
            "-m",
            "uvicorn",
            "--loop",
            "gossamer.aio:new_event_loop",
            "--lifespan",
            "off",
        ]
        fd = listening.fileno()
        server = subprocess.Popen(
            [*command, "--fd", str(fd), "module:app"], cwd=tmp_path, pass_fds=[fd], stderr=subprocess.DEVNULL
        )
        try:
            # Until it serves, the connection waits in the socket's queue.
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert answer.read() == b"TopEventLoop"
        finally:
            server.send_signal(SIGTERM)
        assert server.wait(timeout=30) in (0, -SIGTERM)
