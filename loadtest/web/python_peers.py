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
from gossamer.loadtest.servers import KeyFiles, Place, Server, start_logged, wait_until_ready
from gossamer.loadtest.web.rows import BULK_VARIABLE

BACKLOG: Final = 4096
APPS: Final = "gossamer.loadtest.web.apps"


class Arguments(msgspec.Struct, frozen=True):
    """How a peer is started: `python -P -m MODULE WORDS`; {port}, or {fd} of a socket that listens there."""

    module: str
    words: str
    tls: str = ""
    """What tells it its {certificate} and {key}."""
    packages: tuple[str, ...] = ()
    """That it wants beside."""
    is_variant: bool = False
    """Whether it is another of them with something changed, for the rows that are about that."""

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be installed."""
        return (self.module, *self.packages)


UVICORN: Final = (
    f"{APPS}:asgi --no-access-log --log-level warning --http httptools --lifespan off "
    # It would put the current folder first by itself.
    f"--app-dir {sysconfig.get_path('purelib')} --fd {{fd}}"
)
UVICORN_TLS: Final = "--ssl-certfile {certificate} --ssl-keyfile {key}"

ARGUMENTS: Final = {
    "granian": Arguments(
        "granian",
        "--interface asginl --http 1 --no-ws --loop uvloop --workers 1 "
        f"--host :: --port {{port}} {APPS}:asgi",
        "--ssl-certificate {certificate} --ssl-keyfile {key}",
    ),
    "uvicorn": Arguments(
        "uvicorn", f"{UVICORN} --loop uvloop", UVICORN_TLS, ("uvloop", "httptools", "websockets")
    ),
    "uvicorn-wsproto": Arguments(
        "uvicorn", f"{UVICORN} --loop uvloop --ws wsproto", packages=("wsproto",), is_variant=True
    ),
    "uvicorn-asyncio": Arguments(
        "uvicorn", f"{UVICORN} --loop asyncio", packages=("httptools",), is_variant=True
    ),
    "uvicorn-gossamer": Arguments(
        "uvicorn",
        f"{UVICORN} --loop gossamer.aio:new_event_loop",
        packages=("httptools",),
        is_variant=True,
    ),
    "hypercorn": Arguments(
        "hypercorn",
        f"--workers 1 --worker-class uvloop --keep-alive 300 --bind fd://{{fd}} {APPS}:asgi",
        "--certfile {certificate} --keyfile {key}",
    ),
    "gunicorn": Arguments(
        "gunicorn",
        "--workers 1 --worker-class gthread --threads 64 --keep-alive 300 --no-control-socket "
        f"--bind fd://{{fd}} {APPS}:wsgi",
    ),
    "asyncio": Arguments(APPS, "{fd}"),
}
"""By name; the extra `bench` brings those that are packages."""


def start_python_peer(
    place: Place, name: str, log: Path, port: int, bulk_bytes: int, keys: KeyFiles | None = None
) -> Server:
    """Start a peer and wait until it answers. Raises: ServerError, OSError."""
    arguments = ARGUMENTS[name]
    with listening(place, port, arguments) as fds:
        words = arguments.words.format(port=port, fd=fds[0] if fds else "").split()
        if keys is not None:
            words += arguments.tls.format(certificate=keys.certificate, key=keys.key).split()
        argv = [sys.executable, "-P", "-m", arguments.module, *words]
        process = start_logged(place, argv, log, {BULK_VARIABLE: str(bulk_bytes)}, fds)
    server = Server(name, process, port, log, lambda: tree(process.pid), is_encrypted=keys is not None)
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
        # What is accepted there inherits it. asyncio sets it, but not where uvicorn takes a descriptor,
        # which that calls a Unix socket. Without it a response in two segments waits for a delayed ACK.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with sock:
        yield (sock.fileno(),)
