"""A forwarder: every connection to a port here becomes one to a host and port elsewhere, copied both ways.

    python examples/forwarder.py 8081 127.0.0.1 8080
    curl http://127.0.0.1:8081/

Each direction ends by itself: what one side closes for sending is closed to the other, and answers still flow
back. A reset on either side is one on both. What is read and not yet sent is one chunk each way, so that a
slow reader slows its sender down. A peer may be silent for ever; one that is gone is found by keepalive.
"""

import contextlib
import logging
import sys

from gossamer import SocketOptions, Stream, listen, open_connection, open_nursery, run, serve

CHUNK_BYTES = 65536
CONNECTIONS_MAX = 1000
CONNECT_TIMEOUT_US = 10_000_000
OPTIONS = SocketOptions(nodelay=True, keepalive_idle_us=60_000_000, user_timeout_us=60_000_000)

log = logging.getLogger("forwarder")


async def copy(source: Stream, sink: Stream) -> None:
    """One direction, to its end."""
    while data := await source.recv(CHUNK_BYTES):
        await sink.send(data)
    await sink.shutdown()


class Forwarder:
    """To one host and port."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def handler(self, client: Stream) -> None:
        """One client; `serve` closes its stream."""
        try:
            server = await open_connection(self._host, self._port, CONNECT_TIMEOUT_US)
        except OSError as error:
            log.warning("%s port %d: %s", self._host, self._port, error)
            await client.abort()
            return
        try:
            async with server:
                await self.copy_both_ways(client, server)
        except* OSError as group:
            log.info("%r with %r: %s", client, server, group.exceptions[0])
            await client.abort()

    async def copy_both_ways(self, client: Stream, server: Stream) -> None:
        """Until both directions have ended; when one fails the other is cancelled."""
        await client.set_options(OPTIONS)
        await server.set_options(OPTIONS)
        async with open_nursery() as nursery:
            nursery.start_soon(copy, client, server)
            nursery.start_soon(copy, server, client)


async def main(port: int, to_host: str, to_port: int) -> None:
    async with listen(("127.0.0.1", port)) as acceptor:
        print(f"forwarding 127.0.0.1 port {acceptor.local[1]} to {to_host} port {to_port}", flush=True)
        await serve(acceptor, Forwarder(to_host, to_port).handler, connections_max=CONNECTIONS_MAX)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
