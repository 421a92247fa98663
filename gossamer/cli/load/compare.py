"""`gossamer load compare A.json B.json`, and `--against URL`: whether one of two is better.

Owns how files are read, how slices of two servers alternate, and how a comparison is shown. Exit codes: 0
when no figure of the second is worse, 5 when one is, 2 when a file is not a run.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gossamer.cli.option_lists import json_option
from gossamer.cli.output import write_out
from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.loadtest.comparison import FigureRatio, Slice, compare, joined, slice_of
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.record import IntervalRecord, LoadRecord
from gossamer.loadtest.report import human_us
from gossamer.loadtest.request_files import read_octets
from gossamer.loadtest.result import RunResult
from gossamer.loadtest.summary import shown_interval
from gossamer.shards.exitcode import CommandError, ConfigError, ExitCode

SCHEMA: Final = "gossamer-load-compare/1"
FILE: Final = click.Path(path_type=Path, dir_okay=False)
PAIRS: Final = 12
"""Slices of each server, where two alternate."""
SLICE_US_MIN: Final = SECOND_US // 4


class Compared(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two runs beside each other, as `compare --json` and `--against --json` print them."""

    schema: Literal["gossamer-load-compare/1"]
    one: str
    other: str
    seed: int
    figures: list[FigureRatio]

    @property
    def exit_code(self) -> ExitCode:
        """How a command ends that shows it."""
        is_worse = any(each.verdict == "worse" for each in self.figures)
        return ExitCode.MISSED if is_worse else ExitCode.OK


def print_schema(ctx: click.Context, _param: click.Parameter, asked: bool) -> None:
    """Print the JSON Schema of a comparison, and end."""
    if asked and not ctx.resilient_parsing:
        click.echo(json.dumps(msgspec.json.schema(Compared), indent=1))
        ctx.exit()


@click.command("compare")
@click.argument("one", type=FILE)
@click.argument("other", type=FILE)
@click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_schema,
    help="Print the JSON Schema of what --json prints.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the drawings.")
@json_option
def compare_files(one: Path, other: Path, seed: int, as_json: bool) -> None:
    """Say whether the run in OTHER is better than the one in ONE: files of `gossamer load --json`."""
    before, after = read_record(one), read_record(other)
    figures = compare(slices_of(before.timeline), slices_of(after.timeline), seed)
    show_compared(Compared(SCHEMA, str(one), str(other), seed, figures), as_json=as_json)


def read_record(path: Path) -> LoadRecord:
    """A run that was written. Raises: ConfigError, in one line."""
    try:
        return msgspec.json.decode(read_octets(path, "compare"), type=LoadRecord)
    except msgspec.DecodeError as error:
        raise ConfigError(f"compare {path}: no run of gossamer load: {error}") from None


def slices_of(timeline: list[IntervalRecord]) -> list[Slice]:
    """The seconds of a run; what is much shorter, at its end, is none."""
    try:
        slices = [slice_of(interval) for interval in timeline]
    except ValueError:
        raise ConfigError("compare: a timeline whose counts are no pairs of bucket and count") from None
    longest = max((each.duration_us for each in slices), default=0)
    return [each for each in slices if 2 * each.duration_us >= longest]


def show_compared(found: Compared, *, as_json: bool) -> NoReturn:
    """Print it, and end with its exit code."""
    if as_json:
        write_out(lambda: click.echo(json.dumps(msgspec.to_builtins(found))))
    else:
        write_out(lambda: print_compared(found, Console()))
    raise SystemExit(found.exit_code)


def print_compared(found: Compared, console: Console) -> None:
    """A row for each figure."""
    console.print(f"one: {found.one}\nother: {found.other}", markup=False, highlight=False)
    console.print(ratios_table(found.figures, figure_shown))


def ratios_table(figures: Sequence[FigureRatio], shown: Callable[[str, float], str]) -> Table:
    """A row for each figure; `shown` makes text of a figure's name and value."""
    table = Table(box=None, pad_edge=False)
    for title in ("figure", "one", "other", "ratio", "99 % of drawings", ""):
        table.add_column(title, justify="left" if title in ("figure", "") else "right", no_wrap=True)
    for each in figures:
        ratio = "" if each.ratio is None else f"{each.ratio:.3f}"
        interval = "" if each.least is None else f"{each.least:.3f} to {each.most:.3f}"
        values = (shown(each.name, each.one), shown(each.name, each.other))
        table.add_row(escape(each.name), *values, ratio, interval, each.verdict)
    return table


def figure_shown(name: str, value: float) -> str:
    """A figure with its unit."""
    if name == "errors":
        return f"{value:.3%}"
    return f"{value:,.1f}/s" if name == "rate" else human_us(value)


def alternate(
    one: LoadOptions,
    other: LoadOptions,
    perform: Callable[[LoadOptions], RunResult],
    say: Callable[[str], None],
) -> tuple[list[Slice], list[Slice]]:
    """Slices of two servers in turn: one other, other one, one other ... Raises: CommandError."""
    duration_us = one.duration_us if one.duration_us < NEVER_US else 10 * SECOND_US
    slice_us = max(SLICE_US_MIN, duration_us // PAIRS)
    sides: tuple[list[Slice], list[Slice]] = ([], [])
    for pair in range(PAIRS):
        for side in (0, 1) if pair % 2 == 0 else (1, 0):
            options = msgspec.structs.replace((one, other)[side], duration_us=slice_us, thresholds=())
            result = perform(options)
            if result.is_interrupted:
                raise CommandError("interrupted: nothing is decided")
            sides[side].append(whole_slice(result))
        say(f"pair {pair + 1} of {PAIRS}")
    return sides


def whole_slice(result: RunResult) -> Slice:
    """A run as one slice of the time that was asked for."""
    intervals: list[Any] = [shown_interval(each) for each in result.intervals]
    slices = [slice_of(msgspec.convert(each, IntervalRecord)) for each in intervals]
    return msgspec.structs.replace(joined(slices), duration_us=result.asked_us)
