"""A Quart application: Flask's ways, in asyncio.

    gossamer serve examples.quart_app:app --port 8000
    curl 'http://127.0.0.1:8000/hello?name=ada'
    curl http://127.0.0.1:8000/ticks

It is written as for any server, and needs Quart (`pip install quart`).
"""

import asyncio
from collections.abc import AsyncIterator

from quart import Quart, Response, request

app = Quart(__name__)


@app.get("/hello")
async def hello() -> dict[str, str]:
    """Greets."""
    return {"hello": request.args.get("name", "world")}


@app.post("/echo")
async def echo() -> str | bytes:
    """What was sent."""
    return await request.get_data()


@app.get("/ticks")
async def ticks() -> Response:
    """Three ticks, each sent when it is time."""

    async def lines() -> AsyncIterator[bytes]:
        for number in range(3):
            await asyncio.sleep(0.01)
            yield b"tick %d\n" % number

    return Response(lines(), mimetype="text/plain")
