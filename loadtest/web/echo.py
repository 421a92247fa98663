"""What says back what it hears: `gossamer serve gossamer.loadtest.web.echo:handler`.

A native handler over a WebSocket, beside the application of `apps.py`, which does the same by ASGI.
"""

from gossamer.core.io.stream import Stream
from gossamer.core.io.websocket import accept_websocket


async def handler(stream: Stream) -> None:
    """Serve one connection."""
    socket = await accept_websocket(stream)
    if socket is None:
        return
    async with socket:
        async for message in socket:
            await socket.send(message)
