"""Results of benches that nobody has measured, as those of a run."""

from collections.abc import Sequence
from random import Random
from types import ModuleType
from typing import Final

from gossamer.loadtest.experiments import (
    connections,
    disk,
    fifo,
    restart,
    shards,
    simulator,
    sync,
    threads,
    timers,
    webdisk,
)
from gossamer.loadtest.experiments.experiment import Document, Place, Result, document, goal
from gossamer.loadtest.experiments.rounds import Key, Round, points_of
from gossamer.loadtest.intervals import figure
from gossamer.loadtest.surroundings import Surroundings
from gossamer.loadtest.web.contenders import ALL
from gossamer.loadtest.web.links import LINKS, Case
from gossamer.loadtest.web.result import SCHEMA, CaseResult, WebResult, case_result
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.sample import Latency, WebSample
from gossamer.loadtest.web.settings import WebSettings
from gossamer.loadtest.web.where import OTHER, ROOMS, PathCost, WhereResult
from gossamer.loadtest.web.where import SCHEMA as WHERE_SCHEMA

Keys = dict[str, Sequence[Place]]
"""By series, where it was measured."""

RESTART_KEYS: Final[Keys] = {
    server: [
        restart.place_of(str(event), kind)
        for other, event in restart.KEYS
        if other == server
        for kind in restart.KINDS
    ]
    for server in (*restart.STACKS, *restart.PEERS)
}
BENCHES: Final[dict[str, tuple[ModuleType, Keys]]] = {
    "threads": (
        threads,
        {
            "gossamer": (1_000, 10_000, 100_000, 1_000_000),
            "asyncio": (1_000, 10_000, 100_000, 1_000_000),
            "trio": (1_000, 10_000, 100_000),
            "os threads": (1_000,),
        },
    ),
    "fifo": (fifo, dict.fromkeys(fifo.SUBJECTS, (0, 100, 1_000))),
    "sync": (sync, dict.fromkeys(sync.SUBJECTS, (None,))),
    "timers": (timers, dict.fromkeys(timers.SUBJECTS, (100_000, 1_000_000))),
    "disk": (disk, {name: steps for name, (_, steps) in disk.SUBJECTS.items()}),
    "web-disk": (webdisk, dict.fromkeys((webdisk.OURS, webdisk.NGINX), webdisk.CONNECTIONS)),
    "connections": (connections, {"gossamer": connections.STEPS}),
    "shards": (shards, dict.fromkeys(("gossamer kernel", "gossamer frames"), shards.STEPS)),
    "restart": (restart, RESTART_KEYS),
    "simulator": (simulator, {simulator.SERIES: tuple(loss * 100 for loss in simulator.LOSSES)}),
}
AROUND: Final = Surroundings(
    "2026-11-30 10:00:00 UTC",
    "gossamer bench invented",
    "0123456789ab",
    "3.11.7",
    "6.1.0",
    "A Processor of a Name as Long as They Have",
    2,
    (0.5, 0.4, 0.3),
    {"gossamer": "0.1", "trio": "0.27"},
    {"net.core.somaxconn": "4096"},
)


def result(name: str, rounds: int = 6, seed: int = 1, slower: float = 1.0) -> Result:
    """What a bench would have found: figures of its columns; `slower`: ours, by that factor."""
    module, places = BENCHES[name]
    draw, found = Random(seed), list[Round]()
    keys: list[Key] = [(series, x) for series, steps in places.items() for x in steps]
    for _ in range(rounds):
        found.append({})
        for place, key in enumerate(keys):
            factor = slower if key[0].startswith("gossamer") else 1.0
            found[-1][key] = {
                column.name: (1 + len(column.name) + place / 4)
                * draw.uniform(0.95, 1.05)
                * (1 / factor if column.more_is_better else factor)
                for column in module.AXES.columns
            }
    goals = [goal("a ratio", [draw.uniform(0.9, 1.2) for _ in range(rounds)], 1.0, "x", is_least=True)]
    figures = {"bytes_per_thread": 394.0} if name == "threads" else {}
    return Result(name, module.AXES, points_of(found), goals, ["a note"], figures)


def bench_document(name: str, rounds: int = 6, seed: int = 1, slower: float = 1.0) -> Document:
    """The same with where and when."""
    return document(result(name, rounds, seed, slower), AROUND, {"rounds": rounds, "quick": False}, 12.5)


SETTINGS: Final = WebSettings(("keep-alive",), (), ALL, 6, 1, 1_000_000, 60, "cubic")


def web_sample(cost_us: float, is_asked: bool, draw: Random) -> WebSample:
    """One that costs so much."""
    p50 = draw.uniform(900, 1_100)
    latency = Latency(p50, 4 * p50, 9 * p50) if is_asked else None
    units = draw.uniform(900, 1_100)
    return WebSample(units, 0, 0.5, round(cost_us * units * 1_000), 20_000_000, 900, 5 << 20, latency)


def web_case(row: str, link: str, costs: dict[str, float], rounds: int, draw: Random) -> CaseResult:
    """One case of these costs, each round a little off."""
    is_asked = ROWS[row].has_latency
    samples: dict[str, list[WebSample | None]] = {
        name: [web_sample(cost * draw.uniform(0.95, 1.05), is_asked, draw) for _ in range(rounds)]
        for name, cost in costs.items()
    }
    return case_result(Case(ROWS[row], LINKS[link], tuple(costs)), samples, "cubic")


def web_result(rounds: int = 6, seed: int = 1, slower: float = 1.0) -> WebResult:
    """A comparison of all over a link, and of ours over another."""
    draw = Random(seed)
    costs = {name: 10.0 + 5 * place for place, name in enumerate(ALL)} | {"frames": 18 * slower}
    ours = {name: costs[name] for name in ("kernel", "frames", "native")}
    cases = [
        web_case("keep-alive", "veth4", costs, rounds, draw),
        web_case("bulk-down", "veth4", costs, rounds, draw),
        web_case("loss-1", "veth4-off", ours, rounds, draw),
    ]
    return WebResult(SCHEMA, AROUND, SETTINGS, 12.5, cases, ["hypercorn: not run, it is not installed"])


def where_result(rounds: int = 6, seed: int = 1, slower: float = 1.0) -> WhereResult:
    """Two rows on two ways."""
    draw, paths = Random(seed), []
    for row in ("keep-alive", "bulk-down"):
        for contender in ("kernel", "frames"):
            costs = [slower * draw.uniform(95, 105) for _ in range(rounds)]
            rooms = dict.fromkeys((*ROOMS.values(), OTHER), 0.0)
            middle = figure(costs)
            rooms = {room: middle.median / len(rooms) for room in rooms}
            unit = ROWS[row].unit
            paths.append(PathCost(row, contender, unit, costs, middle, 400, rooms, {"a:b": 1.0}))
    return WhereResult(WHERE_SCHEMA, AROUND, SETTINGS, 12.5, paths, [])
