"""What clients lose while workers are replaced, added, removed and killed, and supervisors too.

    gossamer bench restart --connections 500 --hogs 3

A crowd in a namespace: keep-alive clients in a closed loop, clients that open a connection for each request,
downloads of limited rate, and clients in the midst of a request head. Each event happens so many times in a
row, beside processes that keep the processors busy where that is wished for. nginx, uvicorn, gunicorn and
granian are reloaded beside ours. Owns the order, and what is counted as lost.
"""

import contextlib
import signal
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from gossamer.loadtest.crowd import KINDS, Crowd, CrowdSize, ServedFolder, write_site
from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Axes, Column, Goal, Result, Values, goal
from gossamer.loadtest.experiments.restart_events import (
    EVENTS,
    SETTLE_S,
    WORKERS,
    times_of,
    wait_until_all_serve,
)
from gossamer.loadtest.experiments.rounds import Key, Pace, Round, interleaved, points_of
from gossamer.loadtest.hogs import hogs
from gossamer.loadtest.met import Met
from gossamer.loadtest.namespaces import Namespace, NamespaceError, namespace
from gossamer.loadtest.reloaded_peers import PEERS, start_peer, wait_until_reloaded, why_not
from gossamer.loadtest.servers import Server, ServerError, running, start_gossamer

PORT: Final = 8080
ADDRESS: Final = ("127.0.0.1", PORT)
SURVIVING: Final = ("--set", "supervisor.survive_crash=true")
"""Of the functional TCP; kernel sockets have nothing of it."""
HEAD_WAITS: Final = ("--set", "web.head_timeout=120s")
"""Longer than any event."""
PEER_S: Final = 20.0
"""No reload of a peer is begun after it: some take longer than all of ours together."""
SURVIVOR: Final = "nfqueue"
"""Of both, the stack on which connections outlive their worker."""
STACKS: Final = (SURVIVOR, "kernel")
SPLIT: Final = ": "
"""Between a kind of client and a column, while one sample has all kinds."""
AXES: Final = Axes(
    "Clients while workers come and go",
    "event, clients",
    (
        Column("times", "times it happened", more_is_better=True, is_drawn=False),
        Column("answered", "requests answered", more_is_better=True, is_drawn=False),
        Column("lost", "requests lost"),
        Column("reset", "connections reset", is_drawn=False),
        Column("different", "answers not as they should be", is_drawn=False),
        Column("reopened", "connections opened anew", is_drawn=False),
        Column("stall ms", "the longest stall, ms"),
    ),
    is_log_x=False,
)
QUICK: Final = CrowdSize(50, 4, 4, 2 << 20)
QUICK_TIMES: Final = 2
FAULTS: Final = ("lost", "reset", "different", "reopened")
HOWS_MAX: Final = 5
"""Of the ways in which requests of one kind were lost, as many are noted."""
GOAL: Final = "lost, reset, different or reopened"
KEYS: Final[tuple[Key, ...]] = (
    *((stack, event) for stack in STACKS for event in EVENTS),
    *((peer, "reload") for peer in PEERS),
)


class Scene(NamedTuple):
    """What all samples have in common."""

    place: Namespace
    folder: Path
    site: ServedFolder
    size: CrowdSize
    times: int
    """How often workers are reloaded."""


def run(pace: Pace, size: CrowdSize, times: int, busy: int = 0, keys: Sequence[Key] = KEYS) -> Result:
    """Each event on each stack, a round, beside so many processes that spin; a reload so many times. Raises:
    CannotStartError, MeasurementFailed."""
    here = [key for key in keys if key[0] not in PEERS or is_here(pace, key[0])]
    try:
        with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as name, namespace() as place:
            folder = Path(name)
            folder.chmod(0o755)
            scene = Scene(place, folder, write_site(folder / "site", size.bulk_bytes), size, times)
            with hogs(busy):
                rounds = interleaved(pace, here, partial(_sample, pace, scene))
    except (ServerError, NamespaceError, OSError, RuntimeError) as error:
        raise MeasurementFailed(f"restart: {error}") from error
    lines = [lines_of(found) for found in rounds]
    return Result("restart", AXES, points_of(lines), goals_of(lines), pace.notes)


def quick(size: CrowdSize) -> CrowdSize:
    """The same, but no more than a look needs."""
    return CrowdSize(*map(min, msgspec.structs.astuple(size), msgspec.structs.astuple(QUICK)))


def place_of(event: str, kind: str) -> str:
    """Where a line stands in the series of its server."""
    return f"{event}, {kind}"


def lines_of(found: Round) -> Round:
    """A round with a line for each kind of client."""
    lines: Round = {}
    for (server, event), values in found.items():
        for name, value in values.items():
            kind, _, column = name.partition(SPLIT)
            lines.setdefault((server, place_of(str(event), kind)), {})[column] = value
    return lines


def goals_of(lines: list[Round]) -> list[Goal]:
    """What no client of ours must meet while connections move; on the functional TCP not by a kill either."""
    goals = []
    for stack in STACKS:
        for is_kill in (False, True) if stack == SURVIVOR else (False,):
            found = [_faults(each, stack, is_kill=is_kill) for each in lines]
            how = "by a kill" if is_kill else "but by a kill"
            samples = [faults for faults in found if faults is not None]
            goals += [goal(f"{GOAL} on {stack}, {how}", samples, 0, "", is_count=True)] if samples else []
    return goals


def _faults(lines: Round, stack: str, *, is_kill: bool) -> float | None:
    """What its clients met in a round, all together; None where nothing of it was measured."""
    killed = {place_of("kill", kind) for kind in KINDS}
    found = [
        sum(values[column] for column in FAULTS)
        for (server, place), values in lines.items()
        if server == stack and (place in killed) == is_kill
    ]
    return sum(found) if found else None


def is_here(pace: Pace, peer: str) -> bool:
    """Whether it is installed; that it is not, is noted."""
    if why := why_not(peer):
        pace.note(f"{peer}: not run, {why}")
    return not why


def _sample(pace: Pace, scene: Scene, key: Key) -> Values:
    server, event = key[0], str(key[1])
    crowd = Crowd(ADDRESS, scene.size, scene.site, scene.place.entered)
    if server in PEERS:
        found, times = _peer(scene, crowd, server)
    else:
        times = times_of(event, scene.times)
        found = _ours(scene, crowd, server, event, times)
    for kind, met in found.items():
        for how, count in met.lost.most_common(HOWS_MAX):
            pace.note(f"{server}, {place_of(event, kind)}: {count} lost by {how}")
    return _values(found, times)


def _ours(scene: Scene, crowd: Crowd, stack: str, event: str, times: int) -> dict[str, Met]:
    run_dir = scene.folder / f"run-{stack}-{event}"
    options = (*SURVIVING, *HEAD_WAITS)
    started = start_gossamer(
        scene.place, scene.site.folder, run_dir, *options, stack=stack, workers=WORKERS, port=PORT
    )
    with contextlib.closing(started) as server:
        wait_until_all_serve(server)
        with crowd:
            time.sleep(SETTLE_S)
            for number in range(times):
                crowd.meet(partial(EVENTS[event], server, number))
                time.sleep(SETTLE_S)
            return crowd.end()


def _peer(scene: Scene, crowd: Crowd, name: str) -> tuple[dict[str, Met], int]:
    """What the clients met, and how often it was reloaded. Raises: MeasurementFailed; only a failure of ours
    ends the run."""
    try:
        started = start_peer(scene.place, name, scene.site.folder, scene.folder / name, WORKERS, PORT)
        with running(started) as server, crowd:
            time.sleep(SETTLE_S)
            done = _reload_again_and_again(server, crowd, scene.times)
            return crowd.end(), done
    except (ServerError, OSError) as error:
        raise MeasurementFailed(str(error)) from error


def _reload_again_and_again(server: Server, crowd: Crowd, times: int) -> int:
    """So often, or as often as is begun within PEER_S."""
    until_s, done = time.monotonic() + PEER_S, 0
    while done < times and time.monotonic() < until_s:
        before = set(server.worker_pids())
        crowd.meet(partial(_hang_up, server))
        wait_until_reloaded(server, before, WORKERS)
        done += 1
        time.sleep(SETTLE_S)
    return done


def _hang_up(server: Server) -> None:
    """Ask for a reload; whoever is in the midst of a head goes on a while later, over or not."""
    server.process.send_signal(signal.SIGHUP)
    time.sleep(SETTLE_S)


def _values(found: dict[str, Met], times: int) -> Values:
    return {
        f"{kind}{SPLIT}{column}": value
        for kind, met in found.items()
        for column, value in _columns(met, times).items()
    }


def _columns(met: Met, times: int) -> Values:
    return {
        "times": float(times),
        "answered": float(met.answered),
        "lost": float(met.lost.total()),
        "reset": float(met.resets),
        "different": float(met.different),
        "reopened": float(met.reopened),
        "stall ms": round(met.longest_s * 1000, 1),
    }
