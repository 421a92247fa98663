"""Where the microseconds of a unit of work go: `gossamer bench where`.

For each row and each way to run our server: the worker's CPU time a unit, and how it divides among the rooms
of the house, by samples of the running function (`sampler.py`). Owns the table of rooms. What the kernel does
on behalf of a call stands under the room that makes it: `send` of the kernel's TCP, `sendmmsg` of packets,
and with either all that the peer's side does in softirq.
"""

import contextlib
import itertools
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from gossamer.loadtest.cpu import keep_on, process_ns, tree
from gossamer.loadtest.experiments.table import number
from gossamer.loadtest.servers import Gossamer, ServerError
from gossamer.loadtest.web.asking import ask, write_files
from gossamer.loadtest.web.contenders import OURS, Ground, service_of, start_ours, title_of
from gossamer.loadtest.web.links import LINKS
from gossamer.loadtest.web.measuring import processors
from gossamer.loadtest.web.rows import ROWS, AskedRow
from gossamer.loadtest.web.run import Told, check_needs, shortened
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


class PathCost(msgspec.Struct, frozen=True):
    """What one row costs on one way to run our server."""

    row: str
    contender: str
    unit: str
    cpu_us_per_unit: float
    """Of the worker."""
    samples: int
    rooms: dict[str, float]
    """CPU microseconds a unit by room."""
    functions: dict[str, float]
    """The same of the functions with the most."""


def room_of(place: str) -> str:
    """The room of a function, `module:function`."""
    module = place.partition(":")[0]
    beginnings = [each for each in ROOMS if module == each or module.startswith(f"{each}.")]
    return ROOMS[max(beginnings, key=len)] if beginnings else OTHER


def divided(row: AskedRow, contender: str, cost_us: float, counts: Counter[str]) -> PathCost:
    """A cost, divided as the samples are."""
    total = max(1, counts.total())
    rooms: dict[str, float] = {}
    for place, count in counts.most_common():
        rooms[room_of(place)] = rooms.get(room_of(place), 0.0) + cost_us * count / total
    most = {place: cost_us * count / total for place, count in counts.most_common(FUNCTIONS_SHOWN)}
    return PathCost(row.name, contender, row.unit, cost_us, counts.total(), rooms, most)


def measure_paths(settings: WebSettings, samples: int, say: Told) -> list[PathCost]:
    """Every row on every way, so many samples of each or as many rounds; what fails is told.

    Raises: CannotStartError, NamespaceError, OSError.
    """
    check_needs()
    found: list[PathCost] = []
    with tempfile.TemporaryDirectory(prefix="gossamer-bench-") as name, staged(settings.congestion) as stage:
        folder = Path(name)
        write_files(folder / "site", settings.bulk_bytes)
        (folder / "sitecustomize.py").write_text(PROGRAM)
        for row, contender in itertools.product(settings.rows, settings.contenders):
            try:
                found.append(one_path(settings, samples, stage, folder, ROWS[row], contender, say))
            except ServerError as error:
                say(f"{row}, {title_of(contender)}: left out, {shortened(error)}")
    return found


def one_path(
    settings: WebSettings,
    samples: int,
    stage: LinkStage,
    folder: Path,
    row: AskedRow,
    contender: str,
    say: Told,
) -> PathCost:
    """One row on one way, with a server of its own. Raises: ServerError, NamespaceError, OSError."""
    say(f"{row.name}, {title_of(contender)}")
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
            counts, spent_us, units = Counter[str](), 0.0, 0.0
            for _ in range(settings.rounds):
                if counts.total() >= samples:
                    break
                found = sampled(server, work)
                sample = ask(row, server, way.client, way.host, settings.seconds, folder)
                after = sampled(server, work)
                counts += after[0] - found[0]
                spent_us += (after[1] - found[1]) / 1_000
                units += sample.units
    return divided(row, contender, spent_us / units, counts)


def sampled(server: Gossamer, work: Path) -> tuple[Counter[str], int]:
    """What the worker has counted, and used, so far."""
    (pid,) = server.worker_pids()
    return counts_of(work, pid), process_ns(pid)


def show_paths(paths: list[PathCost], console: Console) -> None:
    """A table for each row: a line a room, a column each way."""
    for row in dict.fromkeys(path.row for path in paths):
        console.print(path_table([path for path in paths if path.row == row]))


def path_table(paths: list[PathCost]) -> Table:
    """One row of work."""
    unit = paths[0].unit
    table = Table(title=f"{paths[0].row}: CPU us of the worker a {unit}, by room", title_justify="left")
    table.add_column("")
    for path in paths:
        table.add_column(title_of(path.contender), justify="right")
    for room in dict.fromkeys((*ROOMS.values(), OTHER)):
        if any(room in path.rooms for path in paths):
            table.add_row(room, *(number(path.rooms.get(room, 0.0)) for path in paths))
    table.add_section()
    table.add_row("samples", *(f"{path.samples:,}" for path in paths))
    table.add_row("all", *(number(path.cpu_us_per_unit) for path in paths))
    return table
