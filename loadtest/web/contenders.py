"""Who is measured: a table. Each contender knows how its servers are started and why it cannot be here.

Owns the names and the configurations of ours, and who is asked which row; `loadtest.peers` and
`python_peers.py` own those of the others. All have one worker process. A further build of ours, chosen by its
environment, is one more line of `OURS`.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from gossamer.core import native
from gossamer.loadtest.peers import nginx_binary, start_nginx
from gossamer.loadtest.servers import Gossamer, KeyFiles, Place, Server, start_gossamer
from gossamer.loadtest.web.python_peers import APPS, ARGUMENTS, start_python_peer
from gossamer.loadtest.web.rows import BULK_VARIABLE, NATIVE, AskedRow, Service
from gossamer.loadtest.web.settings import WebSettings
from gossamer.shards.plan.machine_facts import find_nfqueue_obstacle

SERVICES: Final[tuple[Service, ...]] = ("site", "sink", "tls", "echo")
SINK: Final = "gossamer.loadtest.web.sink:handler"
ECHO: Final = "gossamer.loadtest.web.echo:handler"
FIRST_PORT: Final = 7901
BASELINE: Final = "kernel"
"""Ours on kernel sockets: what all ratios are over."""
LIMITS: Final = ("--timeout-keep-alive", "300s", "--limit-concurrency", "20000")
MOUNTED: Final = f"""
[[mount]]
path = "{NATIVE.rstrip("/")}"
target = "{SINK}"
"""


class Ground(msgspec.Struct, frozen=True):
    """Where servers are started: the place, the folder of files, and one for logs and sockets."""

    place: Place
    site: Path
    work: Path
    settings: WebSettings
    keys: KeyFiles | None = None
    """Of those that speak TLS."""


class Ours(msgspec.Struct, frozen=True):
    """One way to run our server."""

    title: str
    stack: str
    output: str = "auto"
    environment: Mapping[str, str] = {}
    """What chooses the build."""
    workers: int = 1
    target: str = ""
    """The application that is served; "" for files, and for the handlers of uploads and WebSockets."""
    config: str = ""
    """More of its config.toml."""


INTERPRETED: Final = {native.VARIABLE: "0"}
COMPILED: Final = {native.VARIABLE: "1"}
OURS: Final = {
    BASELINE: Ours("gossamer kernel", "kernel"),
    "frames": Ours("gossamer frames", "nfqueue", "frames", INTERPRETED),
    "raw": Ours("gossamer raw", "nfqueue", "raw", INTERPRETED),
    "native": Ours("gossamer native", "nfqueue", "frames", COMPILED),
}
APPLICATIONS: Final = {
    "asgi-kernel": Ours("gossamer ASGI kernel", "kernel", target=f"{APPS}:asgi"),
    "asgi-native": Ours("gossamer ASGI native", "nfqueue", "frames", COMPILED, target=f"{APPS}:asgi"),
}
"""Ours with the application of the Python peers, beside whom they stand."""
HANDLERS: Final = {
    "handler-kernel": Ours("handler kernel", "kernel", target=SINK),
    "filed-kernel": Ours("handler beside files kernel", "kernel", config=MOUNTED),
    "mounted-kernel": Ours("handler beside ASGI kernel", "kernel", target=f"{APPS}:asgi", config=MOUNTED),
    "handler-native": Ours("handler native", "nfqueue", "frames", COMPILED, target=SINK),
    "filed-native": Ours("handler beside files native", "nfqueue", "frames", COMPILED, config=MOUNTED),
    "mounted-native": Ours(
        "handler beside ASGI native", "nfqueue", "frames", COMPILED, target=f"{APPS}:asgi", config=MOUNTED
    ),
}
"""A native handler alone; mounted, in one process with files; and with an application: what the last two
differ in is what an application costs it."""
ALL_OURS: Final = {**OURS, **APPLICATIONS, **HANDLERS}
OURS_NAMES: Final = tuple(OURS)
OURS_AND_NGINX: Final = (*OURS_NAMES, "nginx")
PEERS: Final = tuple(name for name, arguments in ARGUMENTS.items() if not arguments.is_variant)
EVERYBODY: Final = (*OURS_AND_NGINX, *APPLICATIONS, *PEERS)
"""Who is asked what all can answer."""
ALL: Final = (*OURS_AND_NGINX, *APPLICATIONS, *HANDLERS, *ARGUMENTS)
ONLY: Final = {
    "asgi": (*APPLICATIONS, "granian", "uvicorn", "hypercorn", "uvicorn-asyncio", "uvicorn-gossamer"),
    "tls": (BASELINE, "native", "nginx", *APPLICATIONS, "granian", "uvicorn", "hypercorn"),
    "websocket": (BASELINE, "native", *APPLICATIONS, "uvicorn", "uvicorn-wsproto", "hypercorn"),
    "beside": tuple(HANDLERS),
}
"""Who alone is asked a row."""
FUNCTIONAL: Final = tuple(name for name, ours in OURS.items() if ours.stack == "nfqueue")
CANNOT: Final = {
    ("gunicorn", "pipelining"): "its threads answer only the first of several requests that come at once",
    ("nginx", "bulk-up"): "it takes an upload only for an application behind it",
}
"""Which row is not asked of whom, and why."""


def asked_of(row: str) -> tuple[str, ...]:
    """Who can be asked a row."""
    return ONLY.get(row, EVERYBODY)


def title_of(name: str) -> str:
    """The contender's name in tables."""
    ours = ALL_OURS.get(name)
    return name if ours is None else ours.title


def obstacle(name: str) -> str:
    """Why a contender cannot run here; empty when it can."""
    if name == "nginx":
        return "" if nginx_binary() else "it is not installed (Debian package nginx-light)"
    if name in ARGUMENTS:
        missing = [need for need in ARGUMENTS[name].needs if not importlib.util.find_spec(need)]
        return f"{', '.join(missing)} is not installed (extra `bench`)" if missing else ""
    ours = ALL_OURS[name]
    if ours.environment == COMPILED and (why := native.obstacle()):
        return f"{why}; `make native` builds it"
    return (find_nfqueue_obstacle() or "") if ours.stack == "nfqueue" else ""


def service_of(name: str, row: AskedRow) -> Service:
    """Which server of a contender a row is asked of."""
    if row.is_encrypted:
        return "tls"
    if name in OURS and row.work in ("upload", "echo"):
        return "sink" if row.work == "upload" else "echo"
    return "site"


def port_of(name: str, service: Service) -> int:
    """The port of a contender's server."""
    return FIRST_PORT + len(SERVICES) * ALL.index(name) + SERVICES.index(service)


def start(ground: Ground, name: str, service: Service) -> Server:
    """Start a contender's server and wait until it answers. Raises: ServerError."""
    port = port_of(name, service)
    work = ground.work / f"{name}-{service}"
    keys = ground.keys if service == "tls" else None
    if (ours := ALL_OURS.get(name)) is not None:
        server: Server = start_ours(ground, ours, service, work, port)
    elif name in ARGUMENTS:
        server = start_python_peer(
            ground.place, name, work.with_suffix(".log"), port, ground.settings.bulk_bytes, keys
        )
    else:
        server = start_nginx(ground.place, ground.site, work, port=port, keys=keys)
    server.name = name
    return server


def start_ours(ground: Ground, ours: Ours, service: Service, run_dir: Path, port: int) -> Gossamer:
    """Start our server one way and wait until it answers. Raises: ServerError."""
    config = run_dir.with_suffix(".toml")
    config.write_text(ours.config)
    target = {"sink": SINK, "echo": ECHO}.get(service, ground.site)
    return start_gossamer(
        ground.place,
        ours.target or target,
        run_dir,
        *LIMITS,
        "--config",
        str(config),
        "--set",
        f"nfqueue.output={ours.output}",
        "--set",
        f"tcp.congestion={ground.settings.congestion}",
        stack=ours.stack,
        workers=ours.workers,
        port=port,
        host="::",
        environment={**ours.environment, BULK_VARIABLE: str(ground.settings.bulk_bytes)},
        keys=ground.keys if service == "tls" else None,
    )
