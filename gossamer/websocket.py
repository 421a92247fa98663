"""WebSocket for native handlers: the handshake, and whole messages both ways.

    from gossamer import Stream, websocket

    async def handler(stream: Stream) -> None:
        socket = await websocket.accept_websocket(stream)
        if socket is not None:
            async with socket:
                async for message in socket:
                    await socket.send(message)

It works over either stack. What stands under it, `WebSocketConnection`, knows no I/O: bytes to events, and
messages to bytes.

>>> from gossamer.websocket import TextMessage, WebSocketConnection
>>> connection = WebSocketConnection()
>>> connection.receive(bytes.fromhex("8185 37fa213d 7f9f4d5158"))  # the masked "Hello" of RFC 6455 5.7
[TextMessage(text='Hello')]
>>> connection.send_text("Hello").hex(" ", -2)
'8105 4865 6c6c 6f'
"""

from gossamer.core.http.websocket import (
    BinaryMessage,
    Disconnected,
    PingReceived,
    PongReceived,
    TextMessage,
    WebSocketConnection,
    WebSocketEvent,
    WebSocketLimits,
)
from gossamer.core.io.websocket import WebSocket, accept_websocket

__all__ = [
    # On a stream.
    "accept_websocket",
    "WebSocket",
    "WebSocketLimits",
    # Without I/O.
    "WebSocketConnection",
    "WebSocketEvent",
    "TextMessage",
    "BinaryMessage",
    "PingReceived",
    "PongReceived",
    "Disconnected",
]
