"""The Python servers that ours is compared with: one worker process each, set up for speed.

Owns their command lines. What they answer stands in `apps.py`: prepared answers, as cheap as an application
can make them, so that what is measured is the server under it.
"""

import contextlib
import socket
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gossamer.loadtest.cpu import tree
from gossamer.loadtest.servers import Place, Server, start_logged, wait_until_ready
from gossamer.loadtest.web.rows import BULK_VARIABLE

BACKLOG: Final = 4096
APPS: Final = "gossamer.loadtest.web.apps"


class Arguments(msgspec.Struct, frozen=True):
    """How a peer is started: `python -P -m MODULE WORDS`; {port}, or {fd} of a socket that listens there."""

    module: str
    words: str


ARGUMENTS: Final = {
    "granian": Arguments(
        "granian",
        "--interface asginl --http 1 --no-ws --loop uvloop --workers 1 "
        f"--host :: --port {{port}} {APPS}:asgi",
    ),
    "uvicorn": Arguments(
        "uvicorn",
        f"{APPS}:asgi --no-access-log --log-level warning --loop uvloop --http httptools --lifespan off "
        # It would put the current folder first by itself.
        f"--app-dir {sysconfig.get_path('purelib')} --fd {{fd}}",
    ),
    "hypercorn": Arguments(
        "hypercorn", f"--workers 1 --worker-class uvloop --keep-alive 300 --bind fd://{{fd}} {APPS}:asgi"
    ),
    "gunicorn": Arguments(
        "gunicorn",
        "--workers 1 --worker-class gthread --threads 64 --keep-alive 300 --no-control-socket "
        f"--bind fd://{{fd}} {APPS}:wsgi",
    ),
    "asyncio": Arguments(APPS, "{fd}"),
}
"""By name; the extra `bench` brings those that are packages."""


def start_python_peer(place: Place, name: str, work: Path, port: int, bulk_bytes: int) -> Server:
    """Start a peer and wait until it answers. Raises: ServerError, OSError."""
    log = work / f"{name}.log"
    with listening(place, port, ARGUMENTS[name]) as fds:
        words = ARGUMENTS[name].words.format(port=port, fd=fds[0] if fds else "")
        argv = [sys.executable, "-P", "-m", ARGUMENTS[name].module, *words.split()]
        process = start_logged(place, argv, log, {BULK_VARIABLE: str(bulk_bytes)}, fds)
    server = Server(name, process, port, log, lambda: tree(process.pid))
    wait_until_ready(place, server, lambda: True)
    return server


@contextlib.contextmanager
def listening(place: Place, port: int, arguments: Arguments) -> Iterator[tuple[int, ...]]:
    """A socket that listens there, for who takes one: asyncio's own would be of one family."""
    if "{fd}" not in arguments.words:
        yield ()
        return
    with place.entered():
        sock = socket.create_server(
            ("::", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True
        )
    with sock:
        yield (sock.fileno(),)
