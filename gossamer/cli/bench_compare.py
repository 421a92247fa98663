"""gossamer bench compare A.json B.json: whether one of two runs of a bench is better.

Owns the command, and what it warns of. Exit codes as `gossamer load compare` has them: 0 when no figure of
ours is worse in the second, 5 when one is, 2 when a file is no run of a bench or the two are of two benches.
"""

from pathlib import Path
from random import Random
from typing import Final

import click
import msgspec
from rich.console import Console

from gossamer.cli.load.compare import FILE, ratios_table
from gossamer.cli.option_lists import json_option
from gossamer.cli.output import write_out
from gossamer.loadtest.bench_documents import BenchRun, Measured, NoBenchError, plain, read_run
from gossamer.loadtest.comparison import CONFIDENCE, FigureRatio, compare_medians
from gossamer.loadtest.experiments.table import number, show_lines
from gossamer.loadtest.request_files import read_octets
from gossamer.loadtest.surroundings import Surroundings, caption, differences
from gossamer.shards.exitcode import ConfigError, ExitCode

SCHEMA: Final = "gossamer-bench-compare/1"
NOT_DECIDED: Final = "not decided"
WIDTH: Final = 120

EPILOG: Final = """\b
Examples:
  gossamer bench sync --json > before.json
  gossamer bench sync --json > after.json
  gossamer bench compare before.json after.json
  gossamer bench compare before.json after.json --json

\b
Exit codes:
  0  no figure of ours is worse in the second
  2  a file is no run of a bench, or the two are of different benches
  5  one is
"""


class BenchCompared(msgspec.Struct, frozen=True):
    """Two runs of a bench beside each other."""

    schema: str
    bench: str
    one: str
    other: str
    seed: int
    environments: tuple[Surroundings, Surroundings]
    figures: list[FigureRatio]
    """Ours: they alone decide how the command ends."""
    others: list[FigureRatio]
    """Of who was measured beside: a change of ours cannot move them."""
    warnings: list[str]

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends that shows it."""
        return ExitCode.MISSED if any(each.verdict == "worse" for each in self.figures) else ExitCode.OK


@click.command(epilog=EPILOG)
@click.argument("one", type=FILE)
@click.argument("other", type=FILE)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the drawings.")
@json_option
def compare(one: Path, other: Path, seed: int, as_json: bool) -> None:
    """Say whether the run in OTHER is better than the one in ONE: two files of `gossamer bench --json`.

    Each figure has the ratio of the medians, an interval that holds it 99 times in 100, and better, worse or
    not decided.
    """
    found = compared((str(one), str(other)), (read(one), read(other)), seed)
    if as_json:
        write_out(lambda: click.echo(msgspec.json.encode(found)))
    else:
        write_out(lambda: print_compared(found, Console(width=max(WIDTH, Console().width))))
    raise SystemExit(found.exit_code)


def read(path: Path) -> BenchRun:
    """A run that was written. Raises: ConfigError, in one line."""
    try:
        return read_run(read_octets(path, "compare"))
    except NoBenchError as error:
        raise ConfigError(f"compare {path}: no run of gossamer bench: {error}") from None


def compared(names: tuple[str, str], runs: tuple[BenchRun, BenchRun], seed: int) -> BenchCompared:
    """The figures that both have. Raises: ConfigError for runs of two benches."""
    before, after = runs
    if before.bench != after.bench:
        raise ConfigError(
            f"compare: {names[0]} is of bench {before.bench}, {names[1]} of bench {after.bench}; "
            "two runs of one bench are compared"
        )
    later = {each.name: each for each in after.figures}
    pairs = [(each, later[each.name]) for each in before.figures if each.name in later]
    if not pairs:
        raise ConfigError(f"compare: {names[0]} and {names[1]} have no figure in common")
    draw = Random(seed)
    ours = [ratio_of(*pair, draw) for pair in pairs if pair[0].is_ours]
    others = [ratio_of(*pair, draw) for pair in pairs if not pair[0].is_ours]
    warnings = [*warnings_of(before, after), *moved(others)]
    environments = (before.environment, after.environment)
    return BenchCompared(SCHEMA, before.bench, *names, seed, environments, ours, others, warnings)


def ratio_of(one: Measured, other: Measured, draw: Random) -> FigureRatio:
    """One figure."""
    return compare_medians(one.name, one.samples, other.samples, draw, more_is_better=one.more_is_better)


def warnings_of(one: BenchRun, other: BenchRun) -> list[str]:
    """What makes two runs unlike beside the code."""
    found = []
    if machine := differences(one.environment, other.environment):
        found.append(plain(f"not the same machine, or not as it was: {'; '.join(machine)}"))
    settings = [
        f"{name} {one.settings.get(name)} / {other.settings.get(name)}"
        for name in dict.fromkeys((*one.settings, *other.settings))
        if one.settings.get(name) != other.settings.get(name)
    ]
    if settings:
        found.append(plain(f"other settings: {'; '.join(settings)}"))
    names = ({each.name for each in run.figures} for run in (one, other))
    if alone := len(set.symmetric_difference(*names)):
        found.append(f"{alone} figures are in one of them only, and left out")
    return found


def moved(others: list[FigureRatio]) -> list[str]:
    """What those say whom no change of ours can move."""
    decided = sum(each.verdict != NOT_DECIDED for each in others)
    if not decided:
        return []
    what = f"{decided} of {len(others)} figures of others, which no change of ours can move, have moved"
    return [f"{what}: the machine was another meanwhile, so look at ratios within a run"]


def print_compared(found: BenchCompared, console: Console) -> None:
    """A row for each figure, ours first."""
    runs = zip((found.one, found.other), found.environments, strict=True)
    show_lines([f"{name}: {plain(caption(around))}" for name, around in runs], console)
    for title, figures in (("Ours:", found.figures), ("Others, beside them:", found.others)):
        if figures:
            show_lines(["", title], console)
            console.print(ratios_table(figures, lambda _, value: number(value)))
    count = len(found.figures) + len(found.others)
    chance = f"of {count} figures chance alone decides about {count * (1 - CONFIDENCE):.1f}"
    show_lines(["", *(f"warning: {line}" for line in found.warnings), chance], console)
