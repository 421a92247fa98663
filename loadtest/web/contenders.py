"""Who is measured: a table. Each contender knows how its servers are started and why it cannot be here.

Owns the names and the configurations of ours; `loadtest.peers` and `python_peers.py` own those of the others.
All have one worker process. A further build of ours, chosen by its environment, is one more line of `OURS`.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from gossamer.core import native
from gossamer.loadtest.peers import nginx_binary, start_nginx
from gossamer.loadtest.servers import Gossamer, Place, Server, start_gossamer
from gossamer.loadtest.web.python_peers import APPS, ARGUMENTS, start_python_peer
from gossamer.loadtest.web.rows import BULK_VARIABLE, AskedRow
from gossamer.loadtest.web.settings import WebSettings
from gossamer.shards.machine import find_nfqueue_obstacle

Service = Literal["site", "sink"]
"""Files and whatever else there is; or a place for uploads, which for ours is a server of its own."""
SINK: Final = "gossamer.loadtest.web.sink:handler"
FIRST_PORT: Final = 7901
BASELINE: Final = "kernel"
"""Ours on kernel sockets: what all ratios are over."""
LIMITS: Final = ("--timeout-keep-alive", "300s", "--limit-concurrency", "20000")


class Ground(msgspec.Struct, frozen=True):
    """Where servers are started: the place, the folder of files, and one for logs and sockets."""

    place: Place
    site: Path
    work: Path
    settings: WebSettings


class Ours(msgspec.Struct, frozen=True):
    """One way to run our server."""

    title: str
    stack: str
    output: str = "auto"
    environment: Mapping[str, str] = {}
    """What chooses the build."""
    workers: int = 1
    target: str = ""
    """The application that is served; "" for files, and for the sink of uploads."""


INTERPRETED: Final = {native.VARIABLE: "0"}
NATIVE: Final = {native.VARIABLE: "1"}
OURS: Final = {
    BASELINE: Ours("gossamer kernel", "kernel"),
    "frames": Ours("gossamer frames", "nfqueue", "frames", INTERPRETED),
    "raw": Ours("gossamer raw", "nfqueue", "raw", INTERPRETED),
    "native": Ours("gossamer native", "nfqueue", "frames", NATIVE),
}
APPLICATIONS: Final = {
    "asgi-kernel": Ours("gossamer ASGI kernel", "kernel", target=f"{APPS}:asgi"),
    "asgi-native": Ours("gossamer ASGI native", "nfqueue", "frames", NATIVE, target=f"{APPS}:asgi"),
}
"""Ours with the application of the Python peers, beside whom they stand."""
OURS_NAMES: Final = tuple(OURS)
OURS_AND_NGINX: Final = (*OURS_NAMES, "nginx")
ALL: Final = (*OURS_AND_NGINX, *APPLICATIONS, *ARGUMENTS)
FUNCTIONAL: Final = tuple(name for name, ours in OURS.items() if ours.stack == "nfqueue")
CANNOT: Final = {
    ("gunicorn", "pipelining"): "its threads answer only the first of several requests that come at once",
    ("nginx", "bulk-up"): "it takes an upload only for an application behind it",
}
"""Which row is not asked of whom, and why."""


def title_of(name: str) -> str:
    """The contender's name in tables."""
    ours = ours_of(name)
    return name if ours is None else ours.title


def ours_of(name: str) -> Ours | None:
    """How a contender is run that is ours; None for any other."""
    return OURS.get(name) or APPLICATIONS.get(name)


def obstacle(name: str) -> str:
    """Why a contender cannot run here; empty when it can."""
    if name == "nginx":
        return "" if nginx_binary() else "it is not installed (Debian package nginx-light)"
    if name in ARGUMENTS:
        module = ARGUMENTS[name].module
        return "" if importlib.util.find_spec(module) else "it is not installed (extra `bench`)"
    ours = OURS.get(name) or APPLICATIONS[name]
    if ours.environment == NATIVE and (why := native.obstacle()):
        return f"{why}; `make native` builds it"
    return (find_nfqueue_obstacle() or "") if ours.stack == "nfqueue" else ""


def service_of(name: str, row: AskedRow) -> Service:
    """Which server of a contender a row is asked of."""
    return "sink" if row.work == "upload" and name in OURS else "site"


def port_of(name: str, service: Service) -> int:
    """The port of a contender's server."""
    return FIRST_PORT + 2 * ALL.index(name) + (service == "sink")


def start(ground: Ground, name: str, service: Service) -> Server:
    """Start a contender's server and wait until it answers. Raises: ServerError."""
    port = port_of(name, service)
    if (ours := ours_of(name)) is not None:
        run_dir = ground.work / f"{name}-{service}"
        server: Server = start_ours(ground, ours, service, run_dir, port)
    elif name in ARGUMENTS:
        server = start_python_peer(ground.place, name, ground.work, port, ground.settings.bulk_bytes)
    else:
        server = start_nginx(ground.place, ground.site, ground.work / "nginx", port=port)
    server.name = name
    return server


def start_ours(ground: Ground, ours: Ours, service: Service, run_dir: Path, port: int) -> Gossamer:
    """Start our server one way and wait until it answers. Raises: ServerError."""
    return start_gossamer(
        ground.place,
        ours.target or (ground.site if service == "site" else SINK),
        run_dir,
        *LIMITS,
        "--set",
        f"nfqueue.output={ours.output}",
        "--set",
        f"tcp.congestion={ground.settings.congestion}",
        stack=ours.stack,
        workers=ours.workers,
        port=port,
        host="::",
        environment={**ours.environment, BULK_VARIABLE: str(ground.settings.bulk_bytes)},
    )
