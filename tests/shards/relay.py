"""A native handler that opens connections itself: it sends on what it receives, and brings the answer back.

Found by the tests as TARGET relay:relay; RELAY_TO names the port that it connects to.
"""

import os

from gossamer.core.io.stream import Connector, Stream


class Relay:
    """One request, one answer."""

    def __init__(self) -> None:
        self.connector: Connector | None = None

    def connect_with(self, connector: Connector) -> None:
        """Called once by the worker."""
        self.connector = connector

    async def __call__(self, stream: Stream) -> None:
        """Serve one connection."""
        assert self.connector is not None
        beyond = await self.connector.connect(("127.0.0.1", int(os.environ["RELAY_TO"])), 5_000_000)
        try:
            await beyond.send(await stream.recv())
            while data := await beyond.recv():
                await stream.send(data)
        finally:
            await beyond.close()


relay = Relay()
