"""What more shards cost: our server with 1 to MOST workers, asked by the same 64 connections over a link.

    gossamer bench shards --workers 8

All ways with the same number of workers are up at once, and asked in turn. A flow lives in one shard, so
shards share nothing but the processors: the CPU time a request should stay what it is, but that each worker
finds less in a batch. Owns only the order; `loadtest.web` knows how to ask.
"""

import contextlib
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Axes, Column, Result, Values
from gossamer.loadtest.experiments.rounds import Key, Pace, Round, interleaved, points_of
from gossamer.loadtest.namespaces import NamespaceError
from gossamer.loadtest.servers import Server, ServerError
from gossamer.loadtest.web.asking import ask, write_files
from gossamer.loadtest.web.contenders import FIRST_PORT, OURS, Ground, start_ours, title_of
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.run import check_needs
from gossamer.loadtest.web.sample import values_of
from gossamer.loadtest.web.settings import FULL, WebSettings
from gossamer.loadtest.web.stage import LinkStage, staged

ROW: Final = ROWS["keep-alive"]
LINK: Final = LINKS["veth4"]
WAYS: Final = ("kernel", "frames")
STEPS: Final = (1, 2, 4, 8, 16)
AXES: Final = Axes(
    f"{ROW.title}, over a link",
    "workers",
    (
        Column("CPU us a request", "CPU us a request"),
        Column("requests/s", "requests a second", more_is_better=True),
        Column("p50 us", "p50 of a request, us"),
        Column("p99 us", "p99 of a request, us"),
    ),
)
SETTINGS: Final = WebSettings((ROW.name,), (LINK.name,), WAYS, FULL.rounds, FULL.seconds, 0, 0.0, "cubic")


def run(pace: Pace, most: int) -> Result:
    """1 to `most` workers. Raises: CannotStartError, MeasurementFailed."""
    check_needs()
    found: list[Round] = []
    try:
        with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as name, staged("cubic") as stage:
            write_files(Path(name, "site"), SETTINGS.bulk_bytes)
            for count in (each for each in STEPS if each <= most):
                found += with_workers(pace, stage, Path(name), count)
    except (ServerError, NamespaceError, OSError) as error:
        raise MeasurementFailed(f"shards: {error}") from error
    return Result("shards", AXES, points_of(found), [], pace.notes)


def with_workers(pace: Pace, stage: LinkStage, folder: Path, workers: int) -> list[Round]:
    """Every way with so many workers. Raises: ServerError, NamespaceError, OSError."""
    ground = Ground(stage.servers, folder / "site", folder, SETTINGS)
    servers: dict[str, Server] = {}
    with contextlib.ExitStack() as held, stage.set_up(ROW, LINK) as link:
        for number, way in enumerate(WAYS):
            ours = msgspec.structs.replace(OURS[way], workers=workers)
            server = start_ours(ground, ours, "site", folder / f"{way}-{workers}", FIRST_PORT + number)
            servers[title_of(way)] = held.enter_context(contextlib.closing(server))

        def take(key: Key) -> Values:
            return values_of(ask(ROW, servers[key[0]], link.client, link.host, pace.seconds, folder))

        keys: list[Key] = [(title, workers) for title in servers]
        for key in keys:
            take(key)  # What is slow once is none of a request's cost.
        return interleaved(pace, keys, take)
