"""gossamer bench: the experiments, from options to tables, JSON and plots.

Owns the commands and their options. Exit codes: 0 when it was measured, whether goals are met or not; 1 when
a measurement failed; 2 for a wrong option; 3 when something it needs is not installed.
"""

from pathlib import Path
from typing import Final

import click

from gossamer.cli.bench_http import http
from gossamer.cli.bench_options import SIZE, conduct, on_disk_options, rounds_option, shown_options
from gossamer.cli.bench_where import where
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

EPILOG: Final = """\b
Examples:
  gossamer bench http --output results
  gossamer bench connections --count 1000000
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


@click.group(epilog=EPILOG)
def bench() -> None:
    """Measure the web server beside others over a link, and the paper's experiments again."""


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
@click.option(
    "--count",
    type=click.IntRange(1, 1_000_000),
    default=100_000,
    show_default=True,
    help="Idle connections, at most.",
)
@shown_options
def connections(count: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """Idle keep-alive connections on the functional TCP: memory, and what a request costs beside them."""
    count = min(count, connections_experiment.QUICK_COUNT) if quick else count
    conduct(lambda say: connections_experiment.run(say, count), as_json, prefix)


@bench.command()
@click.option(
    "--workers", type=click.IntRange(1, 16), default=8, show_default=True, help="Worker processes, at most."
)
@rounds_option
@shown_options
def shards(workers: int, rounds: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """More worker processes: what a request costs, over a link."""
    conduct(lambda say: shards_experiment.run(say, workers, 1 if quick else rounds), as_json, prefix)


@bench.command()
@click.option(
    "--connections",
    type=click.IntRange(1, 10_000),
    default=500,
    show_default=True,
    help="Keep-alive clients, each with ten requests a second at most.",
)
@click.option(
    "--times",
    type=click.IntRange(1, 100),
    default=10,
    show_default=True,
    help="How often each event happens.",
)
@shown_options
def restart(connections: int, times: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """What clients lose while workers are replaced, added, removed and killed, on both stacks and beside
    nginx. Needs root."""
    few = (min(connections, 50), 2) if quick else (connections, times)
    conduct(lambda say: restart_experiment.run(say, *few), as_json, prefix)


@bench.command()
@rounds_option
@shown_options
def simulator(rounds: int, quick: bool, as_json: bool, prefix: Path | None) -> None:
    """Segments a second through the TCP alone, in the simulator."""
    conduct(lambda say: simulator_experiment.run(say, 1 if quick else rounds), as_json, prefix)


bench.add_command(http)
bench.add_command(where)
