"""gossamer load: from options to a run and its report.

Owns the command and how it ends. Exit codes: 0 when every request that was due was answered without error, 1
when some were not or there is no server, 2 for a wrong option or URL, 3 when the stack is not available, 4
with --strict when the figures are not valid, 5 when a threshold was missed.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Final

import click
from rich.console import Console

from gossamer.cli.load.checked import Asked, checked, sources_asked
from gossamer.cli.load.options import load_options
from gossamer.cli.load.perform import perform
from gossamer.cli.load.scenario import REQUESTS
from gossamer.cli.output import write_out
from gossamer.loadtest.environment import environment
from gossamer.loadtest.output.written import check_output, write_output
from gossamer.loadtest.report import ProgressDisplay, print_summary
from gossamer.loadtest.run import LoadOptions
from gossamer.loadtest.stacks import ClientStack, client_stack
from gossamer.loadtest.summary import is_whole, whole_summary
from gossamer.shards.exitcode import ExitCode

EPILOG: Final = """\b
Examples:
  gossamer load http://127.0.0.1:8080/ -c 64 -d 10s
  gossamer load http://127.0.0.1:8080/ --rate 5000 -d 30s --json
  gossamer load http://10.0.0.2/ --stack nfqueue --requests 100000
  gossamer load http://127.0.0.1:8080/ --rate 100-2000:1m --require 'p99<50ms' -o report.html
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


@click.command(epilog=EPILOG)
@click.argument("url", required=False)
@load_options
@click.pass_context
def load(ctx: click.Context, /, url: str | None, strict: bool, as_json: bool, **asked: Any) -> None:
    """Load the server at URL with requests and measure it."""
    options = checked(url, asked, ctx.meta.get(REQUESTS, ()))
    for path in asked["outputs"]:
        check_output(path)
    console, where = Console(stderr=True), environment()
    display = ProgressDisplay(console, lines=asked["progress"])
    with opened_stack(options, asked, console) as stack:
        result = perform(options, stack, display)
    found = whole_summary(result, url or options.target.url, asked["stack"], where)
    if as_json:
        write_out(lambda: click.echo(json.dumps(found)))
    else:
        write_out(lambda: print_summary(found, Console()))
    for path in asked["outputs"]:
        write_output(path, found)
    raise SystemExit(exit_code(found, strict=strict))


@contextlib.contextmanager
def opened_stack(options: LoadOptions, asked: Asked, console: Console) -> Iterator[ClientStack]:
    """The stack that was asked for, its warnings told. Raises: CommandError."""
    sources, unix_socket = sources_asked(asked), asked["unix_socket"] or ""
    with client_stack(asked["stack"], options.connections, sources, unix_socket) as opened:
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
