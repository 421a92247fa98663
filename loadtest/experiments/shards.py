"""What more shards cost: our server with 1 to MOST workers, asked by the same 64 connections over a link.

    gossamer bench shards --workers 8

A flow lives in one shard, so shards share nothing but the processors: the CPU time a request should stay what
it is, but that each worker finds less in a batch. Owns only the order; `loadtest.web` knows how to ask.
"""

import contextlib
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Axes, Point, Result, Say
from gossamer.loadtest.namespaces import NamespaceError
from gossamer.loadtest.servers import ServerError
from gossamer.loadtest.web.asking import ask, write_files
from gossamer.loadtest.web.contenders import FIRST_PORT, OURS, Ground, start_ours, title_of
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.rows import ROWS
from gossamer.loadtest.web.run import check_needs
from gossamer.loadtest.web.sample import WebSample, figures
from gossamer.loadtest.web.settings import FULL, WebSettings
from gossamer.loadtest.web.stage import LinkStage, staged

ROW: Final = ROWS["keep-alive"]
LINK: Final = LINKS["veth4"]
WAYS: Final = ("kernel", "frames")
STEPS: Final = (1, 2, 4, 8, 16)
AXES: Final = Axes(
    f"{ROW.title}, over a link",
    "workers",
    (("CPU us a request", "CPU us a request"), ("requests/s", "requests a second")),
)
SETTINGS: Final = WebSettings(
    (ROW.name,), (LINK.name,), WAYS, FULL.rounds, FULL.seconds, 0, FULL.time_limit_s, "cubic"
)


def run(say: Say, most: int, rounds: int) -> Result:
    """1 to `most` workers. Raises: CannotStartError, MeasurementFailed."""
    check_needs()
    steps = [count for count in STEPS if count <= most]
    try:
        with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as name, staged("cubic") as stage:
            write_files(Path(name, "site"), SETTINGS.bulk_bytes)
            points = [one(say, stage, Path(name), way, count, rounds) for count in steps for way in WAYS]
    except (ServerError, NamespaceError, OSError) as error:
        raise MeasurementFailed(f"shards: {error}") from error
    return Result("shards", AXES, points, [])


def one(say: Say, stage: LinkStage, folder: Path, way: str, workers: int, rounds: int) -> Point:
    """One way with so many workers. Raises: ServerError, NamespaceError, OSError."""
    say(f"{title_of(way)}, workers: {workers}")
    ground = Ground(stage.servers, folder / "site", folder, SETTINGS)
    ours = msgspec.structs.replace(OURS[way], workers=workers)
    started = start_ours(ground, ours, "site", folder / f"{way}-{workers}", FIRST_PORT)
    found: list[WebSample | None] = []
    with contextlib.closing(started) as server, stage.set_up(ROW, LINK) as link:
        for _ in range(1 + rounds):
            found.append(ask(ROW, server, link.client, link.host, SETTINGS.seconds, folder))
    middle = figures(found[1:])
    assert middle is not None
    values = {"CPU us a request": middle.cpu_us_per_unit, "requests/s": middle.units_per_second}
    return Point(title_of(way), workers, {name: round(value, 2) for name, value in values.items()})
