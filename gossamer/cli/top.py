"""gossamer top: what each worker does, a line each, drawn again each second.

Owns the asking and the end. What is shown comes of two statuses (`cli.rates`), how, of `cli.top_screen`.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from gossamer.cli.duration import Duration
from gossamer.cli.keys import is_quit_pressed, keys_at_once
from gossamer.cli.option_lists import json_option
from gossamer.cli.rates import RateHistory, ServerRates, rates_between
from gossamer.cli.status import fetch_status, run_dir_options
from gossamer.core.clock import SECOND_US
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.rundir.rundir import find_run_dir
from gossamer.shards.seen.status import ServerStatus

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

INTERVAL_US_MIN = 100_000


class ServerWatch:
    """One server, looked at again and again."""

    def __init__(self, directory: Path) -> None:
        """Raises: NotRunningError."""
        self._directory = directory
        self.status: ServerStatus = fetch_status(directory)
        self.history = RateHistory()

    def look(self) -> ServerRates:
        """What happened since the last look. Raises: NotRunningError."""
        before, self.status = self.status, fetch_status(self._directory)
        rates = rates_between(before, self.status)
        self.history.add(rates)
        return rates


def _drawn(watch: ServerWatch, console: "Console", hint: str) -> "RenderableType":
    from gossamer.cli.top_screen import bars_that_fit, draw

    rates = watch.look()
    bars = bars_that_fit(console.width)
    return draw(watch.status, rates, watch.history.lines(bars) if bars else {}, hint, console.width)


def _print_once(watch: ServerWatch, seconds: float) -> None:
    from gossamer.cli.status_table import wide_console

    is_quit_pressed(None, seconds)
    console = wide_console()
    console.print(_drawn(watch, console, ""))


def _print_json(watch: ServerWatch, seconds: float, *, is_once: bool) -> None:
    while True:
        is_quit_pressed(None, seconds)
        click.echo(msgspec.json.encode(watch.look()).decode())
        if is_once:
            return


def _show(watch: ServerWatch, seconds: float) -> None:
    """Draw until q or Ctrl-C."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    hint = f"each {seconds:g} s; q ends"
    with keys_at_once() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        live.update(_drawn(watch, console, hint), refresh=True)
        while not is_quit_pressed(keys, seconds):
            live.update(_drawn(watch, console, hint), refresh=True)


@click.command(epilog="Example: gossamer top --once --json")
@run_dir_options
@click.option("--interval", type=Duration(), default="1s", show_default=True, help="Between two looks.")
@click.option(
    "--once", is_flag=True, help="Look for one interval, print, and end; so too without a terminal."
)
@json_option
def top(run_dir: str | None, port: int | None, interval: int, once: bool, as_json: bool) -> None:
    """Watch the workers of a running server; q ends."""
    if interval < INTERVAL_US_MIN:
        raise ConfigError("--interval: allowed: at least 100ms")
    watch, seconds = ServerWatch(find_run_dir(run_dir, port)), interval / SECOND_US
    try:
        if as_json:
            _print_json(watch, seconds, is_once=once)
        elif once or not sys.stdout.isatty():
            _print_once(watch, seconds)
        else:
            _show(watch, seconds)
    except KeyboardInterrupt:
        return  # How one ends it.
