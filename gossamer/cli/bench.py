"""gossamer bench: the experiments, each a command with its own options beside those of the dialect.

Owns the commands. Exit codes: 0 when it was measured, whether goals are met or not; 1 when a measurement
failed; 2 for a wrong option; 3 when something it needs is not installed; 5 from `compare` alone.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from gossamer.cli.bench_compare import compare
from gossamer.cli.bench_http import http
from gossamer.cli.bench_options import SIZE, Asked, Length, conduct, dialect
from gossamer.cli.bench_where import where
from gossamer.cli.option_lists import F
from gossamer.loadtest.crowd import CrowdSize
from gossamer.loadtest.experiments import connections as connections_experiment
from gossamer.loadtest.experiments import disk as disk_experiment
from gossamer.loadtest.experiments import fifo as fifo_experiment
from gossamer.loadtest.experiments import restart as restart_experiment
from gossamer.loadtest.experiments import shards as shards_experiment
from gossamer.loadtest.experiments import simulator as simulator_experiment
from gossamer.loadtest.experiments import sync as sync_experiment
from gossamer.loadtest.experiments import threads as threads_experiment
from gossamer.loadtest.experiments import timers as timers_experiment
from gossamer.loadtest.experiments import webdisk as webdisk_experiment
from gossamer.loadtest.experiments.experiment import Document

EPILOG: Final = """\b
Examples:
  gossamer bench http --output results
  gossamer bench sync --json > before.json
  gossamer bench compare before.json after.json
  gossamer bench connections --count 1000000
  gossamer bench disk --directory /var/tmp --size 4GiB --output results

\b
Every command has the same options: --rounds, --time-limit, --quick, --json, --schema, --plot, --output, and
--seconds where a sample has a length. Figures are medians of rounds with the interval that holds them 95
times in 100; a goal is met or missed where that decides it, and else not decided.

\b
Exit codes:
  0  it was measured (a goal that is missed is reported, and is no failure)
  1  a measurement failed
  2  a wrong option, or to compare: no run of a bench
  3  something that it needs is not installed
  5  compare: a figure of the second run is worse
"""


@click.group(epilog=EPILOG)
def bench() -> None:
    """Measure the web server beside others over a link, and the paper's experiments again."""


def example(name: str, options: str = "") -> str:
    """What stands below the help of a command."""
    return f"""\b
Examples:
  gossamer bench {name}{f" {options}" if options else ""} --output results
  gossamer bench {name} --quick
"""


def on_disk(command: F) -> F:
    """Where an experiment puts its files."""
    return click.option(
        "--directory",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Where the files are put, and removed afterwards.  [default: the folder for temporary files]",
    )(command)


def counted(most: int, help_text: str, default: int = 1_000_000) -> Callable[[F], F]:
    """How many there are of what a bench measures."""
    return click.option(
        "--count", type=click.IntRange(1_000, most), default=default, show_default=True, help=help_text
    )


@bench.command(epilog=example("threads", "--count 10000000"))
@counted(100_000_000, "Threads of ours, at most; the paper's count is 10000000.")
@dialect(Document)
def threads(asked: Asked, count: int) -> None:
    """Memory, creation and switch of threads that loop on yield."""
    conduct(asked, lambda pace: threads_experiment.run(pace, count, is_quick=asked.is_quick))


@bench.command(epilog=example("fifo", "--idle 10000"))
@click.option(
    "--idle", type=click.IntRange(1, 1_000_000), default=100_000, show_default=True, help="Idle threads."
)
@dialect(Document)
def fifo(asked: Asked, idle: int) -> None:
    """Pipes with idle threads beside them."""
    messages = 50 if asked.is_quick else 400
    conduct(asked, lambda pace: fifo_experiment.run(pace, idle, messages))


@bench.command(epilog=example("sync"))
@dialect(Document)
def sync(asked: Asked) -> None:
    """Mutex, channel and transactions."""
    count = 10_000 if asked.is_quick else 200_000
    conduct(asked, lambda pace: sync_experiment.run(pace, count))


@bench.command(epilog=example("timers", "--count 100000"))
@counted(10_000_000, "Timers.")
@dialect(Document)
def timers(asked: Asked, count: int) -> None:
    """Pending timers: to arm one, to cancel it."""
    conduct(asked, lambda pace: timers_experiment.run(pace, count))


@bench.command(epilog=example("disk", "--directory /var/tmp --size 4GiB"))
@click.option(
    "--threads",
    "threads_max",
    type=click.IntRange(1, 65_536),
    default=65_536,
    show_default=True,
    help="Most threads.",
)
@click.option("--size", type=SIZE, default="4GiB", show_default=True, help="Size of the file.")
@on_disk
@dialect(Document, Length(seconds=2))
def disk(asked: Asked, threads_max: int, size: int, directory: Path | None) -> None:
    """Random reads of 4 KB by many threads, beside fio."""
    conduct(
        asked,
        lambda pace: disk_experiment.run(pace, disk_experiment.a_directory(directory), size, threads_max),
    )


@bench.command("web-disk", epilog=example("web-disk", "--size 1GiB"))
@click.option(
    "--connections",
    "connections_max",
    type=click.IntRange(1, 1_024),
    default=1_024,
    show_default=True,
    help="Most connections.",
)
@click.option("--size", type=SIZE, default="4GiB", show_default=True, help="Size of all files together.")
@on_disk
@dialect(Document, Length(seconds=2))
def web_disk(asked: Asked, connections_max: int, size: int, directory: Path | None) -> None:
    """The web server with files that no cache holds, beside nginx."""
    conduct(asked, lambda pace: webdisk_experiment.run(pace, directory, size, connections_max))


@bench.command(epilog=example("connections", "--count 300000"))
@click.option(
    "--count",
    type=click.IntRange(1, 1_000_000),
    default=100_000,
    show_default=True,
    help=f"Idle connections, at most; --quick: {connections_experiment.QUICK_COUNT} at most.",
)
@dialect(Document, Length(seconds=1))
def connections(asked: Asked, count: int) -> None:
    """Idle keep-alive connections on the functional TCP: memory, and what a request costs beside them.

    Needs root.
    """
    count = min(count, connections_experiment.QUICK_COUNT) if asked.is_quick else count
    conduct(asked, lambda pace: connections_experiment.run(pace, count))


@bench.command(epilog=example("shards", "--workers 4"))
@click.option(
    "--workers", type=click.IntRange(1, 16), default=8, show_default=True, help="Worker processes, at most."
)
@dialect(Document, Length(seconds=1))
def shards(asked: Asked, workers: int) -> None:
    """More worker processes: what a request costs, over a link. Needs root."""
    conduct(asked, lambda pace: shards_experiment.run(pace, workers))


@bench.command(epilog=example("restart", "--times 3"))
@click.option(
    "--connections",
    type=click.IntRange(1, 10_000),
    default=500,
    show_default=True,
    help="Keep-alive clients, each with ten requests a second at most; --quick: 50 at most.",
)
@click.option(
    "--one-each",
    type=click.IntRange(1, 500),
    default=20,
    show_default=True,
    help="Clients that open a connection for each request, ten a second at most; --quick: 4 at most.",
)
@click.option(
    "--downloads",
    type=click.IntRange(1, 500),
    default=20,
    show_default=True,
    help="Downloads at once, each of 1 MiB a second at most, again and again; --quick: 4 at most.",
)
@click.option(
    "--size",
    type=SIZE,
    default="8MiB",
    show_default=True,
    help="Of each download; --quick: 2MiB at most.",
)
@click.option(
    "--times",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="How often workers are reloaded and killed in a round; half as often are there more or fewer, one "
    "upgrade and one kill of the supervisor for ten. --quick: 2.",
)
@click.option(
    "--hogs",
    type=click.IntRange(0, 100),
    default=0,
    show_default=True,
    help="Processes that do nothing but use a processor: a quiet machine is over with most before it counts.",
)
@dialect(Document, Length(rounds=1, quick_rounds=1))
def restart(
    asked: Asked, connections: int, one_each: int, downloads: int, size: int, times: int, hogs: int
) -> None:
    """What clients lose while workers are replaced, added, removed and killed, on both stacks and beside
    nginx, uvicorn, gunicorn and granian. Needs root."""
    crowd = CrowdSize(connections, one_each, downloads, size)
    if asked.is_quick:
        crowd, times = restart_experiment.quick(crowd), restart_experiment.QUICK_TIMES
    conduct(asked, lambda pace: restart_experiment.run(pace, crowd, times, hogs))


@bench.command(epilog=example("simulator"))
@dialect(Document)
def simulator(asked: Asked) -> None:
    """Segments a second through the TCP alone, in the simulator."""
    conduct(asked, simulator_experiment.run)


for command in (http, where, compare):
    bench.add_command(command)
