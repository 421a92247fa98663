"""Applications for the tests' servers."""

import asyncio
import socket
from typing import Any


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Says what it is asked in its path; of its lifespan it tells on standard output."""
    if scope["type"] == "lifespan":
        await lives(scope, receive, send)
        return
    path = scope["path"].removeprefix(scope["root_path"])
    body = b""
    if path == "/slow":
        await asyncio.sleep(1)
    elif path == "/upload":
        total = 0
        while True:
            message = await receive()
            total += len(message["body"])
            if not message["more_body"]:
                break
        body = b"%d" % total
    elif path == "/download":
        await send({"type": "http.response.start", "status": 200})
        for _ in range(64):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
        await send({"type": "http.response.body"})
        return
    elif path == "/fails":
        raise ValueError("a failure of the application's")
    elif path == "/background":
        await answers(send, b"begun")
        await asyncio.sleep(0.5)
        print("the background is done", flush=True)
        return
    else:
        body = f"{scope['state']['word']} {scope['path']} {scope['client'][0]} {scope['scheme']}".encode()
    await answers(send, body)


async def answers(send: Any, body: bytes) -> None:
    """200 with a body."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body})


async def lives(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The lifespan."""
    assert (await receive())["type"] == "lifespan.startup"
    await asyncio.sleep(0)
    scope["state"]["word"] = "hello"
    print("the application starts", flush=True)
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    await asyncio.sleep(0.05)
    print("the application ends", flush=True)
    await send({"type": "lifespan.shutdown.complete"})


def make() -> Any:
    """A factory."""
    return app


async def refuses(_scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Does not start."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def bare(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Knows no lifespan."""
    assert scope["type"] == "http"
    await answers(send, b"bare")


async def sockets(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """On a WebSocket: what its path asks for; of each disconnect it tells on standard output."""
    assert scope["type"] == "websocket"
    assert await receive() == {"type": "websocket.connect"}
    path = scope["path"]
    if path == "/forbidden":
        await send({"type": "websocket.close"})
        return
    if path == "/denied":
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"who ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"are you?"})
        return
    if path == "/fails":
        raise ValueError("before the handshake")
    chosen = scope["subprotocols"][0] if scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": chosen, "headers": [(b"x-own", b"1")]})
    if path == "/fails-later":
        raise ValueError("after the handshake")
    if path == "/returns":
        return
    if path == "/flood":
        await floods(send)
        return
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            print("disconnected", path, message["code"], message["reason"], flush=True)
            return
        if message["text"] == "close":
            await send({"type": "websocket.close", "code": 4001, "reason": "as you wish"})
            print("then", (await receive())["type"], flush=True)
            return
        if message["text"] == "slow":
            await asyncio.sleep(1)
        await send({"type": "websocket.send", "text": message["text"], "bytes": message["bytes"]})


async def stubborn(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Does not heed that it is cancelled, nor answers lifespan.shutdown."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
    while True:
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            print("not heeded", scope["type"], flush=True)


async def floods(send: Any) -> None:
    """Sends until the client has left."""
    sent = 0
    try:
        while True:
            await send({"type": "websocket.send", "bytes": b"x" * 65536})
            sent += 1
            await asyncio.sleep(0)
    except OSError as error:
        print("flood ended", type(error).__name__, flush=True)


async def connects(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Says from which port a connection to the address in its path comes, as the other end sees it."""
    assert scope["type"] == "http"

    async def says(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(writer.get_extra_info("peername")[1]).encode())
        writer.close()

    server = await asyncio.start_server(says, "0.0.0.0", 0)
    _, how, host = scope["path"].split("/")
    address = host, server.sockets[0].getsockname()[1]
    if how == "itself":  # as aiohttp's client does
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        reader, writer = await asyncio.open_connection(sock=sock)
    else:
        reader, writer = await asyncio.open_connection(*address)
    port = await reader.read()
    writer.close()
    server.close()
    await answers(send, port)


async def silent(_scope: dict[str, Any], _receive: Any, _send: Any) -> None:
    """Never answers."""
    await asyncio.Event().wait()
