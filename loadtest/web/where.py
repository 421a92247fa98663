"""Where the microseconds of a unit of work go: `gossamer bench where`.

For each row and each way to run our server: the worker's CPU time a unit, by rounds, and how it divides among
the rooms of the house, by samples of the running function (`sampler.py`). Owns the table of rooms. What the
kernel does on behalf of a call stands under the room that makes it: `send` of the kernel's TCP, `sendmmsg` of
packets, and with either all that the peer's side does in softirq.
"""

import contextlib
import itertools
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from rich.console import Console
from rich.table import Table

from gossamer.loadtest.cpu import keep_on, process_ns, tree
from gossamer.loadtest.experiments.plot import TEXT_POINTS, around_median, finish, save, sheet
from gossamer.loadtest.experiments.rounds import Pace
from gossamer.loadtest.experiments.table import HOW, figure_text, number, show_lines
from gossamer.loadtest.intervals import Figure, figure
from gossamer.loadtest.servers import Gossamer, ServerError
from gossamer.loadtest.surroundings import Surroundings, lines_of, surroundings
from gossamer.loadtest.web.asking import ask, write_files
from gossamer.loadtest.web.contenders import OURS, Ground, service_of, start_ours, title_of
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.measuring import processors
from gossamer.loadtest.web.rows import ROWS, AskedRow
from gossamer.loadtest.web.run import check_needs, shortened
from gossamer.loadtest.web.sampler import FOLDER_VARIABLE, PROGRAM, counts_of
from gossamer.loadtest.web.settings import WebSettings
from gossamer.loadtest.web.stage import LinkStage, staged

ROOMS: Final = {
    "ffi.nfqueue_netlink": "receive a batch: recvmmsg, parse, verdict (C)",
    "ffi.rawout": "emit and send: headers, checksums, sendmmsg (C)",
    "ffi": "other C: frames' hops, accept, files",
    "core.loop.epoll": "epoll_wait",
    "core.loop.tcp": "functional TCP: the doer (demux, perform, timers)",
    "core.demux": "functional TCP: the doer (demux, perform, timers)",
    "core.tcp": "functional TCP: step, pure",
    "core.wire": "functional TCP: step, pure",
    "core.loop.sock": "kernel sockets: send, recv, accept",
    "core.threads": "scheduler, threads",
    "core.io": "streams and files: reads, copies",
    "core.loop.disk": "streams and files: reads, copies",
    "core.loop": "scheduler, threads",
    "core.http": "HTTP and the site",
    "shards.web": "HTTP and the site",
    "loadtest.web.sink": "HTTP and the site",
}
"""By the longest beginning of a module's name."""
OTHER: Final = "else"
DEFAULT_ROWS: Final = ("keep-alive", "new-connection", "64k", "bulk-down", "bulk-up")
FUNCTIONS_SHOWN: Final = 5
ROUNDS_MAX: Final = 30
PATH_INCHES: Final = 0.3
PANEL_MARGIN_INCHES: Final = 0.6
OTHER_COLOUR: Final = "gainsboro"
ROOM_INCHES: Final = 0.12
"""Of the legend, beside the margins."""


SCHEMA: Final = "gossamer-bench-where/1"


class PathCost(msgspec.Struct, frozen=True):
    """What one row costs on one way to run our server."""

    row: str
    contender: str
    unit: str
    rounds: list[float]
    """CPU microseconds of the worker a unit, in each."""
    cpu_us_per_unit: Figure
    samples: int
    """Of the running function, in all rounds."""
    rooms: dict[str, float]
    """CPU microseconds a unit by room: of the median, as the samples divide it."""
    functions: dict[str, float]
    """The same of the functions with the most."""


class WhereResult(msgspec.Struct, frozen=True):
    """All of a run."""

    schema: Literal["gossamer-bench-where/1"]
    environment: Surroundings
    settings: WebSettings
    elapsed_s: float
    paths: list[PathCost]
    notes: list[str]


def room_of(place: str) -> str:
    """The room of a function, `module:function`."""
    module = place.partition(":")[0]
    beginnings = [each for each in ROOMS if module == each or module.startswith(f"{each}.")]
    return ROOMS[max(beginnings, key=len)] if beginnings else OTHER


def divided(row: AskedRow, contender: str, costs_us: list[float], counts: Counter[str]) -> PathCost:
    """A cost, divided as the samples are."""
    total, cost = max(1, counts.total()), figure(costs_us)
    rooms: dict[str, float] = {}
    for place, count in counts.most_common():
        rooms[room_of(place)] = rooms.get(room_of(place), 0.0) + cost.median * count / total
    most = {place: cost.median * count / total for place, count in counts.most_common(FUNCTIONS_SHOWN)}
    return PathCost(row.name, contender, row.unit, costs_us, cost, counts.total(), rooms, most)


def measure_paths(settings: WebSettings, samples: int, pace: Pace) -> WhereResult:
    """Every row on every way: as many rounds as asked for, and more until there are so many samples.

    Raises: CannotStartError, NamespaceError, ServerError, OSError.
    """
    check_needs()
    found: list[PathCost] = []
    with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as name, staged(settings.congestion) as stage:
        folder = Path(name)
        around = surroundings(stage.servers)
        write_files(folder / "site", settings.bulk_bytes)
        (folder / "sitecustomize.py").write_text(PROGRAM)
        for row, contender in itertools.product(settings.rows, settings.contenders):
            what = f"{row}, {title_of(contender)}"
            if pace.is_over(what):
                break
            pace.say(what)
            try:
                found.append(one_path(settings, samples, stage, folder, ROWS[row], contender, pace))
            except ServerError as error:
                pace.note(f"{what}: left out, {shortened(error)}")
    if not found:
        raise ServerError("; ".join(pace.notes))
    return WhereResult(SCHEMA, around, settings, round(pace.elapsed_s(), 1), found, pace.notes)


def one_path(
    settings: WebSettings,
    samples: int,
    stage: LinkStage,
    folder: Path,
    row: AskedRow,
    contender: str,
    pace: Pace,
) -> PathCost:
    """One row on one way, with a server of its own. Raises: ServerError, NamespaceError, OSError."""
    work = folder / f"{row.name}-{contender}"
    work.mkdir()
    environment = {"PYTHONPATH": str(folder), FOLDER_VARIABLE: str(work), **OURS[contender].environment}
    ours = msgspec.structs.replace(OURS[contender], environment=environment)
    ground = Ground(stage.servers, folder / "site", work, settings)
    with contextlib.closing(
        start_ours(ground, ours, service_of(contender, row), work / "run", 7901)
    ) as server:
        keep_on(tree(server.process.pid), processors()[0])
        with stage.set_up(row, LINKS[settings.links[0]]) as way:
            ask(row, server, way.client, way.host, settings.seconds, folder)
            counts, costs_us = Counter[str](), list[float]()
            for number in range(ROUNDS_MAX):
                if number >= settings.rounds and counts.total() >= samples:
                    break
                found = sampled(server, work)
                sample = ask(row, server, way.client, way.host, settings.seconds, folder)
                after = sampled(server, work)
                counts += after[0] - found[0]
                costs_us.append(round((after[1] - found[1]) / 1_000 / sample.units, 3))
                if pace.is_over(f"{row.name}, {title_of(contender)}: round {number + 2}"):
                    break
    return divided(row, contender, costs_us, counts)


def sampled(server: Gossamer, work: Path) -> tuple[Counter[str], int]:
    """What the worker has counted, and used, so far."""
    (pid,) = server.worker_pids()
    return counts_of(work, pid), process_ns(pid)


def show_paths(found: WhereResult, console: Console) -> None:
    """A table for each row: a line a room, a column each way."""
    for row in dict.fromkeys(path.row for path in found.paths):
        console.print(path_table([path for path in found.paths if path.row == row]))
    share = "rooms: the median, divided by samples of what ran; n of them stand for n +- the root of n"
    show_lines([*found.notes, HOW, share, *lines_of(found.environment, found.elapsed_s)], console)


def rooms_of(paths: list[PathCost]) -> list[str]:
    """The rooms that any of them has, in the order of the house."""
    return [room for room in dict.fromkeys((*ROOMS.values(), OTHER)) if any(room in p.rooms for p in paths)]


def path_table(paths: list[PathCost]) -> Table:
    """One row of work."""
    unit = paths[0].unit
    table = Table(title=f"{paths[0].row}: CPU us of the worker a {unit}, by room", title_justify="left")
    table.add_column("")
    for path in paths:
        table.add_column(title_of(path.contender), justify="right")
    for room in rooms_of(paths):
        table.add_row(room, *(number(path.rooms.get(room, 0.0)) for path in paths))
    table.add_section()
    table.add_row("samples", *(f"{path.samples:,}" for path in paths))
    table.add_row("rounds", *(str(len(path.rounds)) for path in paths))
    table.add_row("all", *(figure_text(path.cpu_us_per_unit) for path in paths))
    return table


def draw_paths(found: WhereResult, prefix: Path) -> list[Path]:
    """Write PREFIX.png and PREFIX.svg, a panel a row of work. Raises: CannotStartError, OSError."""
    rows = list(dict.fromkeys(path.row for path in found.paths))
    rooms = rooms_of(found.paths)
    heights = [PANEL_MARGIN_INCHES + PATH_INCHES * sum(p.row == row for p in found.paths) for row in rows]
    height = sum(heights) + ROOM_INCHES * len(rooms)
    drawn, axes = sheet(len(rows), 1, height, gridspec_kw={"height_ratios": heights})
    for (axis,), row in zip(axes, rows, strict=True):
        _path_panel(axis, [path for path in reversed(found.paths) if path.row == row], rooms)
    panels = [axis for (axis,) in axes]
    finish(drawn, "Where a worker's CPU time goes, by room", found.environment, panels, abreast=2)
    return save(drawn, prefix)


def _path_panel(axis: Any, paths: list[PathCost], rooms: list[str]) -> None:
    """A bar for each way, a piece of it a room; the line is the interval of the whole."""
    titles = [title_of(path.contender) for path in paths]
    begun = [0.0] * len(paths)
    for number_of, room in enumerate(rooms):
        parts = [path.rooms.get(room, 0.0) for path in paths]
        colour = OTHER_COLOUR if room == OTHER else f"C{number_of}"
        axis.barh(titles, parts, left=begun, label=room, color=colour)
        begun = [start + part for start, part in zip(begun, parts, strict=True)]
    costs = [path.cpu_us_per_unit for path in paths]
    medians = [each.median for each in costs]
    axis.errorbar(medians, titles, xerr=around_median(costs), fmt="none", ecolor="black", capsize=3)
    axis.set_xlim(left=0)
    axis.set_xlabel(f"{paths[0].row}: CPU us a {paths[0].unit}", fontsize=TEXT_POINTS)
    axis.tick_params(labelsize=TEXT_POINTS - 1)
    axis.grid(axis="x", alpha=0.3)
