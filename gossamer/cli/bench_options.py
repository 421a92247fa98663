"""The one dialect of `gossamer bench`: options, how a result comes out, and how a run is ended.

Owns the options that mean the same in every command, and their order. Ctrl-C, SIGTERM and SIGHUP end a run
alike: what it has started, made and set up goes.
"""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple, cast

import click
import msgspec
from rich.console import Console

from gossamer.cli.duration import Duration
from gossamer.cli.option_lists import F, Option, json_option, listed
from gossamer.cli.output import write_out
from gossamer.cli.sim.options import Value
from gossamer.core.clock import SECOND_US
from gossamer.core.errors import what_failed
from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Document, Result, document
from gossamer.loadtest.experiments.plot import draw, pyplot
from gossamer.loadtest.experiments.rounds import Pace
from gossamer.loadtest.experiments.table import WIDTH, show
from gossamer.loadtest.surroundings import surroundings
from gossamer.shards.exitcode import CommandError, ConfigError
from gossamer.shards.units import parse_size_bytes

SIZE_MIN: Final = 1 << 20
SIZE_MAX: Final = 1 << 40
ROUNDS: Final = 6
"""The fewest that decide anything."""
QUICK_ROUNDS: Final = 2
TIME_LIMIT: Final = "20m"
QUICK_NOTE: Final = "--quick: a look, no figures to quote"
OUTPUT_NAMES: Final = ("quick", "as_json", "schema", "prefix", "folder")
"""Of options that say nothing of what is measured."""


def _size(text: str) -> int:
    size = parse_size_bytes(text)
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise ValueError(text)
    return size


SIZE: Final = Value("size", "1MiB to 1024GiB, such as 4GiB", _size)


class Length(NamedTuple):
    """How long a bench is unless somebody says otherwise, and with --quick."""

    rounds: int = ROUNDS
    quick_rounds: int = QUICK_ROUNDS
    seconds: int = 0
    """Of a sample; 0 where samples have no length of their own."""
    quick_seconds: int = 1
    time_limit: str = TIME_LIMIT


class Asked(NamedTuple):
    """What was asked of a bench, beside its own options."""

    name: str
    rounds: int
    seconds: int
    time_limit_s: float
    is_quick: bool
    as_json: bool
    prefix: Path | None
    """Of the pictures."""
    document: Path | None
    """Where the JSON is written."""
    settings: dict[str, Any]
    """All options that say what is measured, in JSON's types."""

    def pace(self) -> Pace:
        """For the run that begins now."""
        pace = Pace(teller(), self.rounds, self.seconds, self.time_limit_s)
        if self.is_quick:
            pace.note(QUICK_NOTE)
        return pace


LENGTH: Final = Length()


def dialect(kind: type, length: Length = LENGTH) -> Option:
    """The options that every bench has; the command is called with `asked`. `kind`: what its JSON is."""

    def decorate(command: F) -> F:
        @wraps(command)
        def with_asked(schema: bool, **values: Any) -> Any:
            if schema:
                write_out(lambda: click.echo(json.dumps(msgspec.json.schema(kind), indent=2)))
                return None
            own = {name: value for name, value in values.items() if name not in SHARED}
            return command(asked=asked_of(length, own, values), **own)

        return listed(*_length_options(length), *OUTPUT_OPTIONS)(cast("F", with_asked))

    return decorate


SHARED: Final = ("rounds", "seconds", "time_limit", *OUTPUT_NAMES)


def asked_of(length: Length, own: dict[str, Any], values: dict[str, Any]) -> Asked:
    """Everything that was said, or what holds instead. Raises: click.UsageError, ConfigError."""
    folder, prefix, is_quick = values["folder"], values["prefix"], values["quick"]
    if folder is not None and prefix is not None:
        raise click.UsageError("--plot and --output: only one of them")
    name = click.get_current_context().info_name or ""
    rounds = values["rounds"] or (length.quick_rounds if is_quick else length.rounds)
    seconds = values.get("seconds") or (length.quick_seconds if is_quick else length.seconds)
    time_limit_s = values["time_limit"] / SECOND_US
    settings: dict[str, Any] = {"rounds": rounds, "time_limit_s": time_limit_s, "quick": is_quick}
    if length.seconds:
        settings["seconds"] = seconds
    settings |= {each: str(value) if isinstance(value, Path) else value for each, value in own.items()}
    if folder is not None:
        prefix = folder / name
    document = None if folder is None else folder / f"{name}.json"
    return Asked(name, rounds, seconds, time_limit_s, is_quick, values["as_json"], prefix, document, settings)


def _length_options(length: Length) -> list[Option]:
    rounds = click.option(
        "--rounds",
        type=click.IntRange(1, 99),
        help=f"Rounds, interleaved; fewer than {ROUNDS} decide nothing.  "
        f"[{length.rounds}; --quick: {length.quick_rounds}]",
    )
    seconds = click.option(
        "--seconds",
        type=click.IntRange(1, 60),
        help=f"Length of one sample.  [{length.seconds}; --quick: {length.quick_seconds}]",
    )
    time_limit = click.option(
        "--time-limit",
        type=Duration(),
        default=length.time_limit,
        show_default=True,
        help="Begin nothing after this time.",
    )
    return [rounds, *([seconds] if length.seconds else []), time_limit]


OUTPUT_OPTIONS: Final = (
    click.option("--quick", is_flag=True, help="A look, not a figure to quote."),
    json_option,
    click.option(
        "--schema", is_flag=True, help="Print the JSON Schema of what --json prints, and measure nothing."
    ),
    click.option(
        "--plot",
        "prefix",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Draw PREFIX.png and PREFIX.svg (needs the extra `plots`).",
        metavar="PREFIX",
    ),
    click.option(
        "--output",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Write NAME.json into that folder, and draw NAME.png and NAME.svg (the same extra).",
        metavar="DIR",
    ),
)

ENDINGS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Unwind, once: what is cleaned up then is not interrupted again."""
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def ended_cleanly() -> Iterator[None]:
    """Every signal that asks for an end unwinds the block, as Ctrl-C does; one that is ignored stays so."""
    before = {number: signal.getsignal(number) for number in ENDINGS}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def teller() -> Callable[[str], None]:
    """Says how far a run is, on standard error."""
    progress = Console(stderr=True)
    return lambda text: progress.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)


def conduct(asked: Asked, run: Callable[[Pace], Result]) -> None:
    """Run an experiment and show what it found. Raises: CommandError."""
    check_output(asked)
    pace = asked.pace()
    try:
        with ended_cleanly():
            around = surroundings()
            result = run(pace)
    except MeasurementFailed as error:
        raise CommandError(str(error)) from error
    found = document(result, around, asked.settings, round(pace.elapsed_s(), 1))
    present(asked, found, lambda console: show(found, console), lambda prefix: draw(found, prefix), WIDTH)


def check_output(asked: Asked) -> None:
    """What is to be written can be, before anything is measured. Raises: ConfigError, CannotStartError."""
    if asked.prefix is None:
        return
    pyplot()
    folder, flag = asked.prefix.parent, "--plot" if asked.document is None else "--output"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{flag}: {what_failed(error)}") from None
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{flag}: {folder} cannot be written")


def present(
    asked: Asked,
    found: Document | msgspec.Struct,
    show_in: Callable[[Console], None],
    draw_at: Callable[[Path], list[Path]],
    width: int,
) -> None:
    """A result as it was asked for. Raises: CommandError where it cannot be written."""
    if asked.as_json:
        write_out(lambda: click.echo(msgspec.json.encode(found)))
    else:
        write_out(lambda: show_in(Console(width=max(width, Console().width))))
    try:
        for path in written(asked, found, draw_at):
            teller()(f"written to {path}")
    except OSError as error:
        raise CommandError(f"the result could not be written: {what_failed(error)}") from error


def written(
    asked: Asked, found: Document | msgspec.Struct, draw_at: Callable[[Path], list[Path]]
) -> list[Path]:
    """The files. Raises: OSError."""
    paths = []
    if asked.document is not None:
        asked.document.write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
        paths.append(asked.document)
    return paths + (draw_at(asked.prefix) if asked.prefix is not None else [])
