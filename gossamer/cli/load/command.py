"""gossamer load: from options to a run and its report.

Owns the command and how it ends. Exit codes: 0 when every request that was due was answered without error, 1
when some were not or there is no server, 2 for a wrong option or URL, 3 when the stack is not available, 4
with --strict when the figures are not valid.
"""

import json
from typing import Any, Final

import click
from rich.console import Console

from gossamer.cli.load.checked import checked, sources_asked
from gossamer.cli.load.options import load_options
from gossamer.cli.load.perform import perform
from gossamer.cli.load.scenario import REQUESTS
from gossamer.cli.output import write_out
from gossamer.loadtest.report import print_summary
from gossamer.loadtest.stacks import client_stack
from gossamer.loadtest.summary import is_whole, summary
from gossamer.shards.exitcode import ExitCode

EPILOG: Final = """\b
Examples:
  gossamer load http://127.0.0.1:8080/ -c 64 -d 10s
  gossamer load http://127.0.0.1:8080/ --rate 5000 -d 30s --json
  gossamer load http://10.0.0.2/ --stack nfqueue --requests 100000

\b
Exit codes:
  0  every request that was due was answered without error
  1  some were not, the run was interrupted, or there is no server
  2  a wrong option or URL
  3  the stack, or that many connections, is not to be had
  4  with --strict: all were answered, but a warning says that the figures are not valid

docs/load-testing.md says what each figure means.
"""


@click.command(epilog=EPILOG)
@click.argument("url", required=False)
@load_options
@click.pass_context
def load(ctx: click.Context, /, url: str | None, strict: bool, as_json: bool, **asked: Any) -> None:
    """Load the server at URL with requests and measure it."""
    options = checked(url, asked, ctx.meta.get(REQUESTS, ()))
    sources = sources_asked(asked)
    console = Console(stderr=True)
    with client_stack(asked["stack"], options.connections, sources, asked["unix_socket"] or "") as opened:
        for warning in opened.warnings:
            console.print(f"[yellow]warning[/yellow] {warning}")
        run = perform(options, opened, console)
    found = {
        "url": url or f"http://{options.target.authority}{options.target.path}",
        "stack": asked["stack"],
        "connections": options.connections,
        "rate": options.rate,
        "arrivals": options.process,
        "seed": options.seed,
        **summary(run),
    }
    if as_json:
        write_out(lambda: click.echo(json.dumps(found)))
    else:
        write_out(lambda: print_summary(found, Console()))
    raise SystemExit(exit_code(found, strict=strict))


def exit_code(found: dict[str, Any], *, strict: bool) -> ExitCode:
    """How the command ends."""
    if not is_whole(found):
        return ExitCode.FAILED
    return ExitCode.NOT_VALID if strict and not found["valid"] else ExitCode.OK


if __name__ == "__main__":
    load()
