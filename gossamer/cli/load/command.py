"""gossamer load: from options to a run and its report.

Owns the command and how it ends. Exit codes: 0 when every request that was due was answered without error, 1
when some were not or there is no server, 2 for a wrong option or URL, 3 when the stack is not available, 4
with --strict when the figures are not valid, 5 when a threshold was missed.
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, NoReturn

import click
import msgspec
from rich.console import Console

from gossamer.cli.load.checked import Asked, checked, engines_asked, sources_asked
from gossamer.cli.load.compare import SCHEMA as COMPARE_SCHEMA
from gossamer.cli.load.compare import Compared, alternate, compare_files, show_compared
from gossamer.cli.load.find import Found, Perform, as_record, find, print_found
from gossamer.cli.load.options import load_options
from gossamer.cli.load.perform import perform
from gossamer.cli.load.scenario import REQUESTS
from gossamer.cli.output import write_out
from gossamer.core.clock import monotonic_us
from gossamer.core.errors import what_failed
from gossamer.loadtest.comparison import compare
from gossamer.loadtest.engines.conductor import Conductor
from gossamer.loadtest.environment import environment
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.output.written import check_output, write_output
from gossamer.loadtest.record import json_schema
from gossamer.loadtest.report import ProgressDisplay, print_summary
from gossamer.loadtest.result import RunResult
from gossamer.loadtest.room import check_descriptors, check_ports
from gossamer.loadtest.seat import Seat
from gossamer.loadtest.stacks import ClientStack, PathFaults, client_stack
from gossamer.loadtest.summary import is_whole, whole_summary
from gossamer.loadtest.thresholds import parse_threshold
from gossamer.shards.exitcode import CommandError, ConfigError, ExitCode

EPILOG: Final = """\b
Examples:
  gossamer load http://127.0.0.1:8080/ -c 64 -d 10s
  gossamer load http://127.0.0.1:8080/ --rate 5000 -d 30s --json
  gossamer load http://10.0.0.2/ --stack nfqueue --requests 100000
  gossamer load http://10.0.0.2/ --stack nfqueue --faults loss=1%,delay=20ms
  gossamer load https://localhost:8443/ --cacert ca.pem
  gossamer load http://127.0.0.1:8080/ --rate 100-2000:1m --require 'p99<50ms' -o report.html
  gossamer load http://127.0.0.1:8080/ --find 'p99<50ms'
  gossamer load http://127.0.0.1:8080/ --against http://127.0.0.1:8081/ -d 30s
  gossamer load compare before.json after.json
  gossamer load --requests-file targets.txt --rate 500 --check status=2xx

\b
Exit codes:
  0  every request that was due was answered without error
  1  some were not, the run was interrupted, or there is no server
  2  a wrong option or URL
  3  the stack, or that many connections, is not to be had
  4  with --strict: all were answered, but a warning says that the figures are not valid
  5  a threshold of --require was missed

docs/load-testing.md says what each figure means.
"""


class LoadCommand(click.Command):
    """The command, and `compare` below it: a URL is never that word."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of `compare`, where that is the first argument."""
        if args[:1] != [compare_files.name]:
            return super().make_context(info_name, args, parent, **extra)
        return compare_files.make_context(f"{info_name} {compare_files.name}", args[1:], parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the context is of."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)


@click.command(cls=LoadCommand, epilog=EPILOG)
@click.argument("url", required=False)
@load_options
@click.pass_context
def load(ctx: click.Context, /, url: str | None, strict: bool, as_json: bool, **asked: Any) -> None:
    """Load the server at URL with requests and measure it.

    `gossamer load compare A.json B.json` compares two results.
    """
    if asked["schema"]:
        write_out(lambda: click.echo(json.dumps(schema_of(asked), indent=1)))
        return
    options = checked(url, asked, ctx.meta.get(REQUESTS, ()))
    for path in asked["outputs"]:
        check_output(path)
    console = Console(stderr=True)
    if asked["stack"] == "kernel":
        check_room(options, asked, console)

    def run(options: LoadOptions, display: ProgressDisplay | None = None) -> RunResult:
        display = display or ProgressDisplay(console)
        engines = engines_asked(asked)

        def perform_part(options: LoadOptions, seat: Seat | None = None) -> RunResult:
            with opened_stack(options, asked, console, seat) as stack:
                return perform(options, stack, display if seat is None else ProgressDisplay.of_none(), seat)

        if engines == 1:
            return perform_part(options)
        return Conductor(options, engines, display, monotonic_us).run(perform_part)

    if asked["sought"]:
        answer_find(options, asked, run, console, as_json=as_json)
    if asked["against"]:
        answer_against(options, asked, run, console, as_json=as_json)
    where = environment()
    with opened_sink(asked["intervals"]) as sink:
        display = ProgressDisplay(console, lines=asked["progress"], sink=sink)
        result = run(options, display)
    found = whole_summary(result, url or options.target.url, asked["stack"], where)
    if as_json:
        write_out(lambda: click.echo(json.dumps(found)))
    else:
        write_out(lambda: print_summary(found, Console()))
    for path in asked["outputs"]:
        write_output(path, found)
    if display.failure:
        raise CommandError(f"--intervals: {display.failure}")
    raise SystemExit(exit_code(found, strict=strict))


def check_room(options: LoadOptions, asked: Asked, console: Console) -> None:
    """Whether the machine has room for all connections. Raises: CannotStartError."""
    check_descriptors(options.connections, engines_asked(asked))
    if not asked["unix_socket"]:
        sources, addresses = len(sources_asked(asked)), len(options.target.addresses)
        if warning := check_ports(options.connections, sources, addresses):
            console.print(f"[yellow]warning[/yellow] {warning}")


def schema_of(asked: Asked) -> dict[str, Any]:
    """The JSON Schema of what would be printed."""
    if asked["sought"]:
        return msgspec.json.schema(Found)
    return msgspec.json.schema(Compared) if asked["against"] else json_schema()


def answer_find(
    options: LoadOptions, asked: Asked, run: Perform, console: Console, *, as_json: bool
) -> NoReturn:
    """Search for a rate, show it and end."""
    found = find(options, parse_threshold(asked["sought"], "--find"), run, console)
    if as_json:
        write_out(lambda: click.echo(json.dumps(as_record(found))))
    else:
        write_out(lambda: print_found(found, Console()))
    raise SystemExit(ExitCode.OK if found.rate else ExitCode.MISSED)


def answer_against(
    options: LoadOptions, asked: Asked, run: Perform, console: Console, *, as_json: bool
) -> NoReturn:
    """Load two servers in turn, show which is better and end."""
    other = checked(asked["against"], {**asked, "seed": options.seed})
    sides = alternate(options, other, run, lambda text: console.print(text, style="dim"))
    figures = compare(*sides, options.seed, paired=True)
    compared = Compared(COMPARE_SCHEMA, options.target.url, other.target.url, options.seed, figures)
    show_compared(compared, as_json=as_json)


@contextlib.contextmanager
def opened_sink(path: Path | None) -> Iterator[IO[bytes] | None]:
    """The file of the intervals, if there is one. Raises: ConfigError."""
    if path is None:
        yield None
        return
    try:
        # Without a buffer: what could not be written is not tried again when it is closed.
        file = path.open("wb", buffering=0)
    except OSError as error:
        raise ConfigError(f"--intervals: {what_failed(error)}") from None
    with file:
        yield file


@contextlib.contextmanager
def opened_stack(
    options: LoadOptions, asked: Asked, console: Console, seat: Seat | None = None
) -> Iterator[ClientStack]:
    """The stack that was asked for, its warnings told. Raises: CommandError."""
    sources, unix_socket = sources_asked(asked), asked["unix_socket"] or ""
    number = 0 if seat is None else seat.number
    faults = None if options.faults is None else PathFaults(options.faults, options.faults_seed + number)
    with client_stack(asked["stack"], options.connections, sources, unix_socket, faults) as opened:
        for warning in opened.warnings:
            console.print(f"[yellow]warning[/yellow] {warning}")
        yield opened


def exit_code(found: dict[str, Any], *, strict: bool) -> ExitCode:
    """How the command ends. A threshold on errors stands in place of the rule that there are none."""
    if not all(judged["met"] for judged in found["thresholds"]):
        return ExitCode.MISSED
    allows_errors = any(judged["text"].startswith("errors") for judged in found["thresholds"])
    if not (is_whole(found) or (allows_errors and not found["interrupted"])):
        return ExitCode.FAILED
    return ExitCode.NOT_VALID if strict and not found["valid"] else ExitCode.OK


if __name__ == "__main__":
    load()
