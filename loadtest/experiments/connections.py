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
from gossamer.loadtest.experiments.experiment import Axes, Column, Point, Result, Values, point
from gossamer.loadtest.experiments.rounds import Pace
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
from gossamer.loadtest.web.sample import values_of
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.plan.machine_facts import find_nfqueue_obstacle

FIRST: Final = 500
QUICK_COUNT: Final = 5_000
STEPS: Final = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
PORT: Final = 7899
PARK_AFTER_S: Final = 2
PARKED_WAIT_S: Final = 60.0
"""Until all are parked, at most."""
KILLED: Final = "(killed by signal"
"""What the supervisor says of a worker that has not ended by itself."""
STEP_S: Final = 0.2
OPENING_LIMIT_S: Final = 600.0
"""For one step."""
BYTES_EACH: Final = 4_000
"""Room that a connection may take at most, of both sides, before the machine is asked for so many."""
ASKED: Final = AskedRow("beside", "GET of 1 KiB, keep-alive, 16 connections", connections=16)
TOLD_FROM: Final = 1_000
"""With fewer connections the pages of memory say more than they do."""
END_WAIT_S: Final = 20.0
"""More than its graceful timeout."""
AXES: Final = Axes(
    "Idle connections on the functional TCP, one worker",
    "connections",
    (
        Column("bytes each", "bytes of RSS a connection"),
        Column("RSS MiB", "RSS of the worker, MiB", is_drawn=False),
        Column("CPU us a request", "CPU us a request beside them"),
        Column("p50 us", "p50 of a request beside them, us"),
        Column("p99 us", "p99 of a request beside them, us"),
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


def run(pace: Pace, count: int) -> Result:
    """All steps up to `count`. Raises: CannotStartError, MeasurementFailed."""
    check_needs(count)
    try:
        points, drained_s = measured(pace, count)
    except (ServerError, NamespaceError, OSError) as error:
        raise MeasurementFailed(f"connections: {error}") from error
    pace.note(f"the worker ended {drained_s:.1f} s after it was told to stop, with all of them open")
    return Result("connections", AXES, points, [], pace.notes, figures_of(points, drained_s))


def figures_of(points: list[Point], drained_s: float) -> dict[str, float]:
    """What programs look for."""
    each = points[-1].figures.get("bytes each")
    return {"drained_s": round(drained_s, 3), **({"bytes_per_connection": each.median} if each else {})}


def measured(pace: Pace, count: int) -> tuple[list[Point], float]:
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
            beside(clients, server, left, folder, pace)
            rest(clients, server, FIRST)
            (pid,) = server.worker_pids()
            before = rss_bytes(pid)
            points: list[Point] = []
            for each in (*(each for each in STEPS if each < count), count):
                if points and pace.is_over(f"{each:,} connections"):
                    break
                points.append(step(pace, clients, server, left, folder, each, before))
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
    if server.process.poll() is None or KILLED in server.log.read_text():
        raise ServerError("the worker did not end in time with its connections open")
    return time.monotonic() - started_s


def step(
    pace: Pace,
    clients: IdleClients,
    server: Gossamer,
    place: Namespace,
    folder: Path,
    count: int,
    before: int,
) -> Point:
    """One number of idle connections. Raises: ServerError, OSError."""
    started_s = time.monotonic()
    open_idle(clients, FIRST + count)
    opened_s = time.monotonic() - started_s
    rest(clients, server, FIRST + count)
    (pid,) = server.worker_pids()
    grown = rss_bytes(pid) - before
    first, *others = beside(clients, server, place, folder, pace)
    pace.say(f"{count:,} connections, opened in {opened_s:.0f} s")
    memory: Values = {"RSS MiB": round(rss_bytes(pid) / 2**20)}
    if count >= TOLD_FROM:
        memory = {"bytes each": round(grown / count), **memory}
    return point("gossamer", count, [{**memory, **first}, *others])


def beside(
    clients: IdleClients, server: Gossamer, place: Namespace, folder: Path, pace: Pace
) -> list[Values]:
    """What requests of others cost now, a sample a round. Raises: ServerError, OSError."""
    found = []
    for _ in range(pace.rounds):
        found.append(values_of(ask(ASKED, server, place, RIGHT_V4, pace.seconds, folder)))
        clients.answer_for(0)
    return found
