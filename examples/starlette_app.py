"""A Starlette application: a route, an upload that is read as it comes, a file, a middleware.

    gossamer serve examples.starlette_app:app --port 8000
    curl http://127.0.0.1:8000/
    curl -T /etc/hostname http://127.0.0.1:8000/digest
    curl http://127.0.0.1:8000/source

It is written as for any server, and needs Starlette (`pip install starlette`).
"""

import hashlib

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse
from starlette.routing import Route


async def home(request: Request) -> JSONResponse:
    """Who asks."""
    client = request.client.host if request.client else None
    return JSONResponse({"hello": client, "path": request.url.path})


async def digest(request: Request) -> PlainTextResponse:
    """The SHA-256 of an upload of any size: a client that sends faster than this reads waits."""
    sha = hashlib.sha256()
    async for piece in request.stream():
        sha.update(piece)
    return PlainTextResponse(sha.hexdigest())


async def source(_request: Request) -> FileResponse:
    """This file, sent by the server without a copy through Python."""
    return FileResponse(__file__)


app = Starlette(
    routes=[
        Route("/", home),
        Route("/digest", digest, methods=["PUT", "POST"]),
        Route("/source", source),
    ],
    middleware=[Middleware(GZipMiddleware, minimum_size=1_000_000)],
)
