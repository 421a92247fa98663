"""Idle keep-alive connections on the functional TCP: what each holds, and what others pay for their presence.

    gossamer bench connections --count 1000000

Over a veth pair one worker serves clients that each ask once and stay (`loadtest.idle_clients`). At each step
the growth of the worker's resident memory since the first FIRST is divided by their number, once all of them
are parked; then wrk asks over 16 other connections for what a request costs beside them. The first are not
counted: they pay for what is built once. At the end the worker is told to stop while all of them stand.
"""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil

from gossamer.loadtest.cpu import keep_on, rss_bytes, tree
from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Axes, Point, Result, Say
from gossamer.loadtest.idle_clients import CLIENTS_MAX, IdleClients, idle_clients
from gossamer.loadtest.namespaces import (
    RIGHT_V4,
    Namespace,
    NamespaceError,
    join_by_veth,
    missing_requirement,
    pair,
    remove_stale,
)
from gossamer.loadtest.servers import Gossamer, ServerError, start_gossamer
from gossamer.loadtest.web.asking import ask, write_files
from gossamer.loadtest.web.measuring import processors
from gossamer.loadtest.web.rows import SMALL, AskedRow
from gossamer.loadtest.web.sample import figures
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.machine import find_nfqueue_obstacle

FIRST: Final = 500
QUICK_COUNT: Final = 5_000
STEPS: Final = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
PORT: Final = 7899
PARK_AFTER_S: Final = 2
PARKED_WAIT_S: Final = 60.0
"""Until all are parked, at most."""
STEP_S: Final = 0.2
OPENING_LIMIT_S: Final = 600.0
"""For one step."""
BYTES_EACH: Final = 4_000
"""Room that a connection may take at most, of both sides, before the machine is asked for so many."""
ASKED: Final = AskedRow("beside", "GET of 1 KiB, keep-alive, 16 connections", connections=16)
ASK_SECONDS: Final = 1
ASK_ROUNDS: Final = 3
TOLD_FROM: Final = 1_000
"""With fewer connections the pages of memory say more than they do."""
END_WAIT_S: Final = 20.0
"""More than its graceful timeout."""
AXES: Final = Axes(
    "Idle connections on the functional TCP, one worker",
    "connections",
    (
        ("bytes each", "bytes of RSS a connection"),
        ("CPU us a request", "CPU us a request beside them"),
        ("p99 us", "p99 of a request beside them, us"),
    ),
)


def check_needs(count: int) -> None:
    """Raises: CannotStartError."""
    if reason := missing_requirement() or find_nfqueue_obstacle():
        raise CannotStartError(f"bench connections: {reason}")
    if count > min(CLIENTS_MAX, int(psutil.virtual_memory().available) // BYTES_EACH):
        raise CannotStartError(f"--count: found {count}; there is no memory for so many connections")


def options(count: int) -> tuple[str, ...]:
    """What lets a server hold so many for long."""
    most = count + FIRST + 1_000
    return (
        "--timeout-keep-alive",
        "20h",
        "--limit-concurrency",
        str(most),
        "--set",
        f"tcp.connections_max={most}",
        "--set",
        f"tcp.park_after={PARK_AFTER_S}s",
    )


def run(say: Say, count: int) -> Result:
    """All steps up to `count`. Raises: CannotStartError, MeasurementFailed."""
    check_needs(count)
    try:
        points, drained_s = measured(say, count)
    except (ServerError, NamespaceError, OSError) as error:
        raise MeasurementFailed(f"connections: {error}") from error
    each = points[-1].values.get("bytes each")
    note = f"the worker ended {drained_s:.1f} s after it was told to stop, with all of them open"
    return Result(
        "connections", AXES, points, [], [note], {"bytes_per_connection": each, "drained_s": drained_s}
    )


def measured(say: Say, count: int) -> tuple[list[Point], float]:
    """One point a step, and how many seconds draining took. Raises: ServerError, NamespaceError, OSError."""
    remove_stale()
    with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as name, pair() as (left, right):
        folder = Path(name)
        join_by_veth(left, right)
        write_files(folder / "site", 0)
        server = start_gossamer(
            right, folder / "site", folder / "run", *options(count), stack="nfqueue", port=PORT, host="::"
        )
        request = f"GET {SMALL} HTTP/1.1\r\nHost: {RIGHT_V4}\r\n\r\n".encode()
        keep_on(tree(server.process.pid), processors()[0])
        with contextlib.ExitStack() as held:
            held.callback(server.close, END_WAIT_S)
            clients = held.enter_context(idle_clients(left, (RIGHT_V4, PORT), request))
            open_idle(clients, FIRST)
            beside(clients, server, left, folder)
            rest(clients, server, FIRST)
            (pid,) = server.worker_pids()
            before = rss_bytes(pid)
            points = [
                step(say, clients, server, left, folder, steps, before)
                for steps in (*(each for each in STEPS if each < count), count)
            ]
            return points, drain(clients, server)


def open_idle(clients: IdleClients, count: int) -> None:
    """Raises: ServerError."""
    if not clients.open_to(count, OPENING_LIMIT_S):
        raise ServerError(f"only {clients.answered_total} of {count} connections were answered in time")


def rest(clients: IdleClients, server: Gossamer, count: int) -> None:
    """Wait until so many are parked. Raises: ServerError."""
    end_s = time.monotonic() + PARKED_WAIT_S
    while server.settled_status()["workers"][0]["parked"] < count:
        if time.monotonic() > end_s:
            raise ServerError(f"not all of {count} connections are parked after {PARKED_WAIT_S:g} s")
        clients.answer_for(STEP_S)


def drain(clients: IdleClients, server: Gossamer) -> float:
    """Stop the server; how many seconds that took. Raises: ServerError where it had to be killed."""
    started_s = time.monotonic()
    server.process.terminate()
    while server.process.poll() is None and time.monotonic() < started_s + END_WAIT_S:
        clients.answer_for(STEP_S)
    if server.process.poll() is None or "killed" in server.log.read_text():
        raise ServerError("the worker did not end in time with its connections open")
    return time.monotonic() - started_s


def step(
    say: Say, clients: IdleClients, server: Gossamer, place: Namespace, folder: Path, count: int, before: int
) -> Point:
    """One number of idle connections. Raises: ServerError, OSError."""
    started_s = time.monotonic()
    open_idle(clients, FIRST + count)
    opened_s = time.monotonic() - started_s
    rest(clients, server, FIRST + count)
    (pid,) = server.worker_pids()
    grown = rss_bytes(pid) - before
    values = beside(clients, server, place, folder)
    say(f"{count:,} connections, opened in {opened_s:.0f} s")
    memory: dict[str, float] = {"RSS MiB": round(rss_bytes(pid) / 2**20)}
    if count >= TOLD_FROM:
        memory = {"bytes each": round(grown / count), **memory}
    return Point("gossamer", count, {**memory, **values})


def beside(clients: IdleClients, server: Gossamer, place: Namespace, folder: Path) -> dict[str, float]:
    """What requests of others cost now. Raises: ServerError, OSError."""
    found = []
    for _ in range(ASK_ROUNDS):
        found.append(ask(ASKED, server, place, RIGHT_V4, ASK_SECONDS, folder))
        clients.answer_for(0)
    middle = figures(found)
    assert middle is not None
    assert middle.latency_us is not None
    return {"CPU us a request": round(middle.cpu_us_per_unit, 2), "p99 us": middle.latency_us.p99}
