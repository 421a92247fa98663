"""A WebSocket server that says back what it hears, and in capitals who asks for that.

    python examples/websocket_echo.py 7000
    gossamer serve examples.websocket_echo:handler     # in worker processes; as root over our own TCP
    python -m websockets ws://127.0.0.1:7000/          # of the package websockets: type, and it answers

A handler gets a stream; `accept_websocket` makes a WebSocket of it, or answers whatever else came with an
error. Pings are answered, messages are compressed where the client can, and when the server drains the
connection is closed with code 1012, so that a client comes again.
"""

import contextlib
import sys

from gossamer import Stream, listen, run, serve, websocket

LOUD = "loud.example"
"""A subprotocol: what two programs agree to speak."""
CONNECTIONS_MAX = 10_000


async def handler(stream: Stream) -> None:
    """One connection. When it returns the stream is closed, and a client that is gone is no error."""
    socket = await websocket.accept_websocket(stream, subprotocols=[LOUD])
    if socket is None:
        return
    async with socket:
        async for message in socket:
            await socket.send(message.upper() if socket.subprotocol == LOUD else message)


async def main(port: int) -> None:
    async with listen(("127.0.0.1", port)) as acceptor:
        print(f"echoing on ws://127.0.0.1:{acceptor.local[1]}/", flush=True)
        await serve(acceptor, handler, connections_max=CONNECTIONS_MAX)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        run(main(int(sys.argv[1])))
