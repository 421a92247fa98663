"""What the commands of `gossamer bench` share: how a result is shown, how long a run is, how it is ended.

Owns those options. Ctrl-C, SIGTERM and SIGHUP end a run alike: what it has started, made and set up goes.
"""

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, Final, cast

import click
from rich.console import Console

from gossamer.cli.option_lists import F, json_option, listed
from gossamer.cli.sim.options import Value
from gossamer.loadtest.experiments.child import MeasurementFailed
from gossamer.loadtest.experiments.experiment import Result, Say
from gossamer.loadtest.experiments.plot import draw, pyplot
from gossamer.loadtest.experiments.table import WIDTH, show
from gossamer.shards.exitcode import CommandError
from gossamer.shards.units import parse_size_bytes

SIZE_MIN: Final = 1 << 20
SIZE_MAX: Final = 1 << 40


def _size(text: str) -> int:
    size = parse_size_bytes(text)
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise ValueError(text)
    return size


SIZE: Final = Value("size", "1MiB to 1024GiB, such as 4GiB", _size)


def shown_options(command: F) -> F:
    """The options by which a result is shown."""
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

    return listed(json_option, plot, output, quick)(cast("F", with_prefix))


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
    return listed(directory, seconds)(command)


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


def conduct(run: Callable[[Say], Result], as_json: bool, prefix: Path | None) -> None:
    """Run an experiment and show what it found."""
    if prefix is not None:
        pyplot()
    say = teller()
    try:
        with ended_cleanly():
            result = run(say)
    except MeasurementFailed as error:
        raise CommandError(str(error)) from error
    if as_json:
        click.echo(json.dumps(result.as_json()))
    else:
        show(result, Console(width=WIDTH))
    if prefix is not None:
        for path in draw(result, prefix):
            say(f"written to {path}")
