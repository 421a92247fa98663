"""gossamer bench: the experiments, from options to tables, JSON and plots.

Owns the options. Exit codes: 0 when it was measured, whether goals are met or not; 1 when a measurement
failed; 2 for a wrong option; 3 when something it needs is not installed.
"""

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click
from rich.console import Console

from gossamer.cli.sim.options import Value
from gossamer.loadtest.experiments import disk as disk_experiment
from gossamer.loadtest.experiments import fifo as fifo_experiment
from gossamer.loadtest.experiments import serve as serve_experiment
from gossamer.loadtest.experiments import sync as sync_experiment
from gossamer.loadtest.experiments import threads as threads_experiment
from gossamer.loadtest.experiments import timers as timers_experiment
from gossamer.loadtest.experiments import webdisk as webdisk_experiment
from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Result, Say
from gossamer.loadtest.experiments.plot import draw, pyplot
from gossamer.loadtest.experiments.table import WIDTH, show
from gossamer.shards.exitcode import CommandError
from gossamer.shards.units import parse_size_bytes

EPILOG: Final = """\b
Examples:
  gossamer bench threads --count 1000000
  gossamer bench fifo --plot fifo
  gossamer bench disk --directory /var/tmp --size 4GiB --output results
  gossamer bench web-disk --size 1GiB --quick
  gossamer bench sync --json

\b
Exit codes:
  0  it was measured (a goal that is missed is reported, and is no failure)
  1  a measurement failed
  2  a wrong option
  3  something that it needs is not installed
"""

SIZE_MIN: Final = 1 << 20
SIZE_MAX: Final = 1 << 40

F = TypeVar("F", bound=Callable[..., Any])


@click.group(epilog=EPILOG)
def bench() -> None:
    """Make the experiments of the paper again, beside real alternatives, in one run."""


def _size(text: str) -> int:
    size = parse_size_bytes(text)
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise ValueError(text)
    return size


SIZE: Final = Value("size", "1MiB to 1024GiB, such as 4GiB", _size)


def shown_options(command: F) -> F:
    """The options by which a result is shown."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
    plot = click.option(
        "--plot",
        "prefix",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Draw PREFIX.png and PREFIX.svg (needs the extra `plots`).",
        metavar="PREFIX",
    )
    output = click.option(
        "--output",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Draw into that folder, NAME.png and NAME.svg.",
        metavar="DIR",
    )
    quick = click.option("--quick", is_flag=True, help="A look, not a figure to quote.")

    @wraps(command)
    def with_prefix(folder: Path | None, prefix: Path | None, **others: Any) -> Any:
        if folder is not None and prefix is not None:
            raise click.UsageError("--plot and --output: only one of them")
        name = click.get_current_context().info_name or ""
        return command(prefix=folder / name if folder is not None else prefix, **others)

    return as_json(plot(output(quick(cast("F", with_prefix)))))


rounds_option = click.option(
    "--rounds", type=click.IntRange(1, 99), default=5, show_default=True, help="Rounds, interleaved."
)


def on_disk_options(command: F) -> F:
    """The options of experiments that put files on a disk."""
    directory = click.option(
        "--directory",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Where the files are put, and removed afterwards.  [default: the folder for temporary files]",
    )
    seconds = click.option(
        "--seconds", type=click.IntRange(1, 60), default=2, show_default=True, help="Length of one sample."
    )
    return directory(seconds(command))


def conduct(run: Callable[[Say], Result], as_json: bool, prefix: Path | None) -> None:
    """Run an experiment and show what it found."""
    if prefix is not None:
        pyplot()
    progress = Console(stderr=True)
    try:
        result = run(lambda text: progress.print(f"[dim]{text}[/dim]"))
    except MeasurementFailed as error:
        raise CommandError(str(error)) from error
    if as_json:
        click.echo(json.dumps(result.as_json()))
    else:
        show(result, Console(width=WIDTH))
    if prefix is not None:
        for path in draw(result, prefix):
            progress.print(f"[dim]written to {path}[/dim]")


@bench.command()
@click.option(
    "--count",
    type=click.IntRange(1_000, 100_000_000),
    default=1_000_000,
    show_default=True,
    help="Threads of ours, at most; the paper's count is 10000000.",
)
@shown_options
def threads(count: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """Memory, creation and switch of threads that loop on yield."""
    conduct(lambda say: threads_experiment.run(say, count, quick), as_json, prefix)


@bench.command()
@click.option(
    "--idle", type=click.IntRange(1, 1_000_000), default=100_000, show_default=True, help="Idle threads."
)
@rounds_option
@shown_options
def fifo(idle: int, rounds: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """Pipes with idle threads beside them."""
    messages, rounds = (50, 1) if quick else (400, rounds)
    conduct(lambda say: fifo_experiment.run(say, idle, messages, rounds), as_json, prefix)


@bench.command()
@rounds_option
@shown_options
def sync(rounds: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """Mutex, channel and transactions."""
    count, rounds = (10_000, 2) if quick else (200_000, rounds)
    conduct(lambda say: sync_experiment.run(say, count, rounds), as_json, prefix)


@bench.command()
@click.option(
    "--count", type=click.IntRange(1_000, 10_000_000), default=1_000_000, show_default=True, help="Timers."
)
@shown_options
def timers(count: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """Pending timers: to arm one, to cancel it."""
    conduct(lambda say: timers_experiment.run(say, count, 1 if quick else 3), as_json, prefix)


@bench.command()
@click.option(
    "--threads",
    "threads_max",
    type=click.IntRange(1, 65_536),
    default=65_536,
    show_default=True,
    help="Most threads.",
)
@click.option("--size", type=SIZE, default="4GiB", show_default=True, help="Size of the file.")
@on_disk_options
@rounds_option
@shown_options
def disk(
    threads_max: int,
    size: int,
    directory: Path | None,
    seconds: float,
    rounds: int,
    quick: bool,
    as_json: bool,
    prefix: Path | None,
) -> None:
    """Random reads of 4 KB by many threads, beside fio."""
    folder = disk_experiment.a_directory(directory)
    seconds, rounds = (0.5, 1) if quick else (seconds, rounds)
    conduct(lambda say: disk_experiment.run(say, folder, size, seconds, rounds, threads_max), as_json, prefix)


@bench.command("web-disk")
@click.option(
    "--connections", type=click.IntRange(1, 1_024), default=1_024, show_default=True, help="Most connections."
)
@click.option("--size", type=SIZE, default="4GiB", show_default=True, help="Size of all files together.")
@on_disk_options
@rounds_option
@shown_options
def web_disk(
    connections: int,
    size: int,
    directory: Path | None,
    seconds: int,
    rounds: int,
    quick: bool,
    as_json: bool,
    prefix: Path | None,
) -> None:
    """The web server with files that no cache holds, beside nginx."""
    seconds, rounds = (1, 1) if quick else (seconds, rounds)
    conduct(
        lambda say: webdisk_experiment.run(say, directory, size, seconds, rounds, connections),
        as_json,
        prefix,
    )


@bench.command()
@click.option("--seconds", type=click.IntRange(1, 60), default=3, show_default=True, help="Of one sample.")
@rounds_option
@shown_options
def serve(seconds: int, rounds: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """CPU time of a request and memory of a connection, beside nginx and uvicorn."""
    conduct(lambda say: serve_experiment.run(say, seconds, rounds, quick), as_json, prefix)
