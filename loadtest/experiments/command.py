"""gossamer bench: the experiments, from options to tables, JSON and plots.

Owns the options. Exit codes: 0 when it was measured, whether goals are met or not; 1 when a measurement
failed; 2 for a wrong option; 3 when something it needs is not installed.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from gossamer.loadtest.experiments import fifo as fifo_experiment
from gossamer.loadtest.experiments import sync as sync_experiment
from gossamer.loadtest.experiments import threads as threads_experiment
from gossamer.loadtest.experiments import timers as timers_experiment
from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Result, Say
from gossamer.loadtest.experiments.plot import draw, pyplot
from gossamer.loadtest.experiments.table import WIDTH, show
from gossamer.shards.exitcode import CommandError
from rich.console import Console

EPILOG: Final = """\b
Examples:
  gossamer bench threads --count 1000000
  gossamer bench fifo --plot fifo
  gossamer bench sync --json

\b
Exit codes:
  0  it was measured (a goal that is missed is told, and is no failure)
  1  a measurement failed
  2  a wrong option
  3  something that it needs is not installed
"""

F = TypeVar("F", bound=Callable[..., Any])


@click.group(epilog=EPILOG)
def bench() -> None:
    """Make the experiments of the paper again, beside real alternatives, in one run."""


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
    quick = click.option("--quick", is_flag=True, help="A look, not a figure to quote.")
    return as_json(plot(quick(command)))


rounds_option = click.option(
    "--rounds", type=click.IntRange(1, 99), default=5, show_default=True, help="Rounds, interleaved."
)


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
