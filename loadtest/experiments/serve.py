"""What a request costs on both stacks, beside nginx and uvicorn, and what threads and connections hold.

    gossamer bench serve --rounds 5

Owns only how it is presented as an experiment; `loadtest.bench` owns what is measured.
"""

from typing import Any, Final

import msgspec

from gossamer.loadtest.bench import FULL, KEEP_ALIVE, NEW_CONNECTION, QUICK, run_bench
from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Axes, Goal, Point, Result, Say
from gossamer.loadtest.namespaces import NamespaceError
from gossamer.loadtest.servers import ServerError

COLUMNS: Final = {KEEP_ALIVE: "keep-alive us", NEW_CONNECTION: "new connection us"}
AXES: Final = Axes(
    "GET of a cached file of 1 KiB, 64 connections",
    "round",
    tuple((column, f"CPU us of the worker: {what}") for what, column in COLUMNS.items()),
    is_log_x=False,
)


def run(say: Say, seconds: int, rounds: int, quick: bool) -> Result:
    """All of it. Raises: MeasurementFailed."""
    size = QUICK if quick else msgspec.structs.replace(FULL, seconds=seconds, rounds=rounds)
    try:
        found = run_bench(size, say)
    except (ServerError, NamespaceError, OSError) as error:
        raise MeasurementFailed(str(error)) from error
    return as_result(found)


def as_result(found: dict[str, Any]) -> Result:
    """The figures of `loadtest.bench` as points and goals."""
    rows: dict[tuple[str, int], dict[str, float]] = {}
    for what, servers in found["http_rounds_cpu_us"].items():
        for name, costs in servers.items():
            for number, cost in enumerate(costs, 1):
                rows.setdefault((name, number), {})[COLUMNS[what]] = cost
    points = [Point(name, number, values) for (name, number), values in rows.items()]
    goals = [Goal(t["name"], t["figure"], t["limit"], t["unit"]) for t in found["targets"]]
    return Result("serve", AXES, points, goals, found["notes"], {"http": found["http"]})
