"""gossamer load: from options to a run and its report.

Owns the options and how the run ends. Exit codes: 0 when every request that was due was answered without
error, 1 when some were not or there is no server, 2 for a wrong option or URL, 3 when the stack is not
available, 4 with --strict when the figures are not valid.
"""

import gc
import json
import math
import resource
import secrets
import signal
from typing import Any, Final, Literal

import click
from rich.console import Console

from gossamer.cli.duration import Duration
from gossamer.cli.output import write_out
from gossamer.core.clock import NEVER_US, SECOND_US, monotonic_us
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.thread import Raise
from gossamer.loadtest.client import conduct
from gossamer.loadtest.fields import parse_fields
from gossamer.loadtest.report import ProgressDisplay, print_summary
from gossamer.loadtest.run import LoadOptions, LoadRun
from gossamer.loadtest.stacks import ClientStack, client_stack
from gossamer.loadtest.summary import is_whole, summary
from gossamer.loadtest.target import parse_url
from gossamer.shards.exitcode import CannotStartError, CommandError, ConfigError, ExitCode

CONNECTIONS_MAX: Final = 100_000
REQUESTS_MAX: Final = 1_000_000_000
RATE_MAX: Final = 1e7
PIPELINE_MAX: Final = 256
SEED_MAX: Final = (1 << 32) - 1
DESCRIPTORS_KEPT: Final = 64
DURATION_US_DEFAULT: Final = 10 * SECOND_US
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What ends a run early; it reports all the same."""

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
    default=None,
    help="End after this time at the latest.  [10s, without --requests]",
)
@click.option(
    "-n",
    "--requests",
    type=click.IntRange(1, REQUESTS_MAX),
    default=None,
    help="End after so many requests.  [no bound but the time]",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, RATE_MAX),
    default=0.0,
    help="Requests a second, sent whether or not the server keeps up; latency counts from when each was due.",
)
@click.option(
    "--arrivals",
    type=click.Choice(["even", "poisson"]),
    default="even",
    show_default=True,
    help="How requests of --rate come: evenly, or at random, as those of independent users.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, SEED_MAX),
    default=None,
    help="Of random arrivals: the same seed is the same run.  [drawn, and told]",
)
@click.option(
    "--warm-up",
    type=Duration(least_us=0),
    default="0s",
    show_default=True,
    help="Load for so long before anything counts.",
)
@click.option(
    "--drain",
    type=Duration(least_us=0),
    default="2s",
    show_default=True,
    help="What was due and has no answer at the end has so long to come.",
)
@click.option(
    "--connect-rate",
    type=click.FloatRange(1, RATE_MAX),
    default=5_000.0,
    show_default=True,
    help="Connections opened a second before the clock starts.",
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
@click.option(
    "-H",
    "--header",
    "fields",
    multiple=True,
    metavar="FIELD",
    help="A header field of each request, as 'Accept: text/html'; may be given again.",
)
@click.option("--method", type=click.Choice(["GET", "HEAD"]), default="GET", show_default=True)
@click.option("--strict", is_flag=True, help="Exit code 4 where a warning says that figures are not valid.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def load(url: str, stack: Literal["kernel", "nfqueue"], strict: bool, as_json: bool, **asked: Any) -> None:
    """Load the server at URL with requests and measure it."""
    options = checked(url, stack, asked)
    console = Console(stderr=True)
    with client_stack(stack, options.connections) as opened:
        for warning in opened.warnings:
            console.print(f"[yellow]warning[/yellow] {warning}")
        run = perform(options, opened, console)
    found = {
        "url": url,
        "stack": stack,
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


def checked(url: str, stack: str, asked: dict[str, Any]) -> LoadOptions:
    """The options of a run. Raises: ConfigError."""
    if asked["pipeline"] > 1 and not asked["keepalive"]:
        raise ConfigError("--pipeline: found with --no-keepalive; allowed: one of the two")
    if asked["arrivals"] != "even" and not asked["rate"]:
        raise ConfigError("--arrivals: found poisson without --rate; allowed: both, or neither")
    for name in ("rate", "connect_rate"):
        if math.isnan(asked[name]):
            flag = "--" + name.replace("_", "-")
            raise ConfigError(f"{flag}: found nan; allowed: a number a second")
    target = parse_url(url)
    if stack != "kernel" and any(len(address) > 2 for address in target.addresses):
        raise ConfigError(f"URL {url!r}: a zone is for --stack kernel; the functional TCP knows none")
    requests_max = asked["requests"] or REQUESTS_MAX
    duration_default = NEVER_US if asked["requests"] else DURATION_US_DEFAULT
    return LoadOptions(
        target,
        asked["connections"],
        duration_default if asked["duration"] is None else asked["duration"],
        requests_max,
        asked["rate"],
        asked["keepalive"],
        asked["pipeline"],
        asked["timeout"],
        asked["method"],
        asked["warm_up"],
        asked["drain"],
        asked["connect_rate"],
        asked["arrivals"],
        secrets.randbelow(SEED_MAX) if asked["seed"] is None else asked["seed"],
        parse_fields(asked["fields"]),
    )


def exit_code(found: dict[str, Any], *, strict: bool) -> ExitCode:
    """How the command ends."""
    if not is_whole(found):
        return ExitCode.FAILED
    return ExitCode.NOT_VALID if strict and not found["valid"] else ExitCode.OK


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
    """Run to the end, or to the first signal; the run. Raises: CommandError."""
    if stack.name == "kernel":
        allow_descriptors(options.connections)
    waiter = EpollWaiter()
    scheduler = Scheduler(waiter, [SleepLoop(), stack.loop], monotonic_us)
    run = LoadRun(options, stack.connector, monotonic_us)
    display = ProgressDisplay(console)

    async def whole() -> None:
        await conduct(run, display)
        scheduler.stop()

    def stop(*_: object) -> None:
        run.is_interrupted = run.is_stopped = True
        scheduler.stop()

    heeded = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # nohup(1)
    before = {number: signal.signal(number, stop) for number in heeded}
    conductor = scheduler.spawn(whole(), "conductor")
    gc.freeze()  # what was imported lives to the end: no collection need look at it while requests are due
    try:
        scheduler.run()
    finally:
        display.close()
        scheduler.close()
        waiter.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    run.end()
    if isinstance(conductor.inbox, Raise):
        raise conductor.inbox.error
    if run.refusal is not None:
        tell_refusal(run, run.refusal, console)
    return run


def tell_refusal(run: LoadRun, refusal: OSError, console: Console) -> None:
    """Warn of an address without a server. Raises: CommandError where no address has one."""
    host, port = run.options.target.addresses[0][:2]
    why = refusal.strerror or str(refusal) or type(refusal).__name__
    if not run.addresses:
        raise CommandError(f"no connection to {host} port {port}: {why}; is the server running?")
    refused = [each[0] for each in run.options.target.addresses if each not in run.addresses]
    console.print(f"[yellow]warning[/yellow] no connection to {', '.join(refused)}: {why}")


if __name__ == "__main__":
    load()
