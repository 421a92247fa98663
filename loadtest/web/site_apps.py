"""A folder of files by ASGI and WSGI, for the Python servers that ours is compared with while they reload.

The folder is named by the environment; only what stands in it at the start is served, an index for "/". A
file is read piece by piece as it is sent, so that an answer is as long under way as its client takes.

Source: ASGI 3.0, "HTTP & WebSocket ASGI Message Format"; PEP 3333.
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

FOLDER_VARIABLE: Final = "GOSSAMER_BENCH_FOLDER"
"""The environment variable that names the folder."""
INDEX: Final = "index.html"
PIECE_BYTES: Final = 64 << 10

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def files_of(folder: Path) -> dict[str, Path]:
    """By the path that is asked for."""
    found = {f"/{path.name}": path for path in folder.iterdir() if path.is_file()}
    return found | ({"/": found[f"/{INDEX}"]} if f"/{INDEX}" in found else {})


FILES: Final = files_of(Path(os.environ[FOLDER_VARIABLE])) if FOLDER_VARIABLE in os.environ else {}


def pieces(path: Path) -> Iterator[bytes]:
    """Its octets."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


async def asgi(scope: Message, _receive: Receive, send: Send) -> None:
    """Answer a GET of one of the files; 404 for all else."""
    if scope["type"] != "http":
        return
    path = FILES.get(scope["path"])
    length = path.stat().st_size if path else 0
    fields = [(b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": 200 if path else 404, "headers": fields})
    for piece in pieces(path) if path else ():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def wsgi(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """The same for WSGI."""
    path = FILES.get(environ["PATH_INFO"])
    length = path.stat().st_size if path else 0
    start_response("200 OK" if path else "404 Not Found", [("Content-Length", str(length))])
    return pieces(path) if path else ()
