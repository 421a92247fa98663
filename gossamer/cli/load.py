"""gossamer load: from options to a run and its report.

Owns the options and how the run ends. Exit codes: 0 when every request was answered without error, 1 when
some were not or there is no server, 2 for a wrong option or URL, 3 when the stack is not available.
"""

import json
import math
import resource
import signal
from typing import Final, Literal

import click
from rich.console import Console

from gossamer.cli.duration import Duration
from gossamer.core.clock import monotonic_us
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.thread import Raise
from gossamer.loadtest.client import conduct
from gossamer.loadtest.report import ProgressDisplay, print_summary
from gossamer.loadtest.run import LoadOptions, LoadRun
from gossamer.loadtest.stacks import ClientStack, client_stack
from gossamer.loadtest.target import parse_url
from gossamer.shards.exitcode import CannotStartError, CommandError, ConfigError, ExitCode

CONNECTIONS_MAX: Final = 100_000
REQUESTS_MAX: Final = 1_000_000_000
PIPELINE_MAX: Final = 256
DESCRIPTORS_KEPT: Final = 64

EPILOG: Final = """\b
Examples:
  gossamer load http://127.0.0.1:8080/ -c 64 -d 10s
  gossamer load http://127.0.0.1:8080/ --rate 5000 -d 30s --json
  gossamer load http://10.0.0.2/ --stack nfqueue --requests 100000

\b
Exit codes:
  0  every request was answered without error
  1  some were not, or there is no server
  2  a wrong option or URL
  3  the stack, or that many connections, is not to be had
"""


@click.command(epilog=EPILOG)
@click.argument("url")
@click.option(
    "-c",
    "--connections",
    type=click.IntRange(1, CONNECTIONS_MAX),
    default=64,
    show_default=True,
    help="Connections, each with a thread of its own on the thread library.",
)
@click.option(
    "-d",
    "--duration",
    type=Duration(),
    default="10s",
    show_default=True,
    help="End after this time at the latest.",
)
@click.option(
    "-n",
    "--requests",
    type=click.IntRange(1, REQUESTS_MAX),
    default=REQUESTS_MAX,
    help="End after so many requests.  [no bound but the time]",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 1e7),
    default=0.0,
    help="Requests a second, sent whether or not the server keeps up; latency counts from when each was due.",
)
@click.option(
    "--stack",
    type=click.Choice(["kernel", "nfqueue"]),
    default="kernel",
    show_default=True,
    help="Kernel sockets, or the functional TCP (needs root).",
)
@click.option(
    "--keepalive/--no-keepalive", default=True, help="Use a connection for many requests, or for one."
)
@click.option(
    "--pipeline",
    type=click.IntRange(1, PIPELINE_MAX),
    default=1,
    show_default=True,
    help="Requests sent at once on a connection.",
)
@click.option(
    "--timeout",
    type=Duration(),
    default="30s",
    show_default=True,
    help="Give up on an answer after this time.",
)
@click.option("--method", type=click.Choice(["GET", "HEAD"]), default="GET", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def load(
    url: str,
    connections: int,
    duration: int,
    requests: int,
    rate: float,
    stack: Literal["kernel", "nfqueue"],
    keepalive: bool,
    pipeline: int,
    timeout: int,
    method: str,
    as_json: bool,
) -> None:
    """Load the server at URL with requests and measure it."""
    if pipeline > 1 and not keepalive:
        raise ConfigError("--pipeline: found with --no-keepalive; allowed: one of the two")
    if math.isnan(rate):
        raise ConfigError(
            "--rate: found nan; allowed: a number of requests a second, 0 for as many as can be"
        )
    options = LoadOptions(
        parse_url(url), connections, duration, requests, rate, keepalive, pipeline, timeout, method
    )
    console = Console(stderr=True)
    with client_stack(stack, connections) as opened:
        for warning in opened.warnings:
            console.print(f"[yellow]warning[/yellow] {warning}")
        run = perform(options, opened, console)
    summary = {"url": url, "stack": stack, "connections": connections, **run.tally.summary(run.elapsed_us)}
    if as_json:
        click.echo(json.dumps(summary))
    else:
        print_summary(summary, Console())
    raise SystemExit(ExitCode.FAILED if run.tally.errors_total else ExitCode.OK)


def allow_descriptors(connections: int) -> None:
    """Raise the limit of open files as far as needed. Raises: CannotStartError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + DESCRIPTORS_KEPT
    if wanted > hard != resource.RLIM_INFINITY:
        raise CannotStartError(
            f"--connections: found {connections}; allowed: {hard - DESCRIPTORS_KEPT} ({hard} open files)"
        )
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def perform(options: LoadOptions, stack: ClientStack, console: Console) -> LoadRun:
    """Run to the end, or to the first Ctrl-C; the run. Raises: CommandError."""
    if stack.name == "kernel":
        allow_descriptors(options.connections)
    scheduler = Scheduler(EpollWaiter(), [SleepLoop(), stack.loop], monotonic_us)
    run = LoadRun(options, stack.connector, monotonic_us)
    display = ProgressDisplay(console)

    def stop(*_: object) -> None:
        run.end()
        scheduler.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    conductor = scheduler.spawn(conduct(run, display), "conductor")
    try:
        scheduler.run()
    finally:
        display.close()
        scheduler.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    run.end()
    if isinstance(conductor.inbox, Raise):
        raise conductor.inbox.error
    if run.refusal is not None:
        host, port = options.target.address
        why = run.refusal.strerror or str(run.refusal) or type(run.refusal).__name__
        raise CommandError(f"no connection to {host} port {port}: {why}; is the server running?")
    return run


if __name__ == "__main__":
    load()
