"""gossamer stop, reload, worker: requests to a running server.

Owns the waiting: each command ends when what it asked for has happened, or when its time limit is over.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import click
import msgspec

from gossamer.cli.duration import Duration
from gossamer.cli.status import fetch_status, run_dir_options, show
from gossamer.core.clock import SECOND_US
from gossamer.shards.exitcode import CommandError, NotRunningError
from gossamer.shards.machine.procfs import ProcessIdentity, is_alive
from gossamer.shards.rundir.control import ControlRequest, ask, ask_for
from gossamer.shards.rundir.rundir import CONTROL, find_run_dir, read_state
from gossamer.shards.seen.status import ServerStatus

POLL_SECONDS: Final = 0.05
ALL: Final = "all"

wait_option = click.option(
    "--timeout", type=Duration(), default="60s", show_default=True, help="How long to wait."
)


def wait_for_end(owner: ProcessIdentity, timeout_seconds: float) -> bool:
    """Whether a process ended in time."""
    deadline = time.monotonic() + timeout_seconds
    while is_alive(owner):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def wait_for_status(
    directory: Path, is_reached: Callable[[ServerStatus], bool], timeout_seconds: float, what: str
) -> ServerStatus:
    """The status once it is as wanted. Raises: CommandError."""
    deadline = time.monotonic() + timeout_seconds
    while not is_reached(status := fetch_status(directory)):
        if time.monotonic() > deadline:
            raise CommandError(f"{what}: not finished after {timeout_seconds:g} s; see gossamer status")
        time.sleep(POLL_SECONDS)
    return status


@click.command(epilog="Example: gossamer stop --port 8080")
@run_dir_options
@wait_option
def stop(run_dir: str | None, port: int | None, timeout: int) -> None:
    """Drain a server and end it."""
    directory = find_run_dir(run_dir, port)
    state = read_state(directory)
    if state is None:
        raise NotRunningError(f"{directory}: the server has ended meanwhile")
    ask(directory / CONTROL, ControlRequest("stop"))
    for process in (state.owner, state.keeper):
        if process is not None and not wait_for_end(process, timeout / SECOND_US):
            raise CommandError(f"stop: process {process.pid} still runs after {timeout / SECOND_US:g} s")
    click.echo(f"stopped {state.url}")


def _finish_replacement(directory: Path, timeout: int, what: str) -> None:
    status = wait_for_status(directory, lambda status: not status.reloading, timeout / SECOND_US, what)
    if status.reload_error:
        raise CommandError(f"{what}: {status.reload_error}")
    click.echo(f"{what}: done; workers {', '.join(str(worker.pid) for worker in status.workers)}")


@click.command(epilog="Example: gossamer reload --run-dir /run/gossamer/8080")
@run_dir_options
@wait_option
def reload(run_dir: str | None, port: int | None, timeout: int) -> None:
    """Replace the workers by ones of the configuration as it is now."""
    directory = find_run_dir(run_dir, port)
    for ignored in ask_for(directory / CONTROL, ControlRequest("reload"), list[str]):
        click.echo(f"note: {ignored}", err=True)
    _finish_replacement(directory, timeout, "reload")


@click.command(epilog="Example: gossamer upgrade --run-dir /run/gossamer/8080")
@run_dir_options
@wait_option
def upgrade(run_dir: str | None, port: int | None, timeout: int) -> None:
    """Replace a running server by the version that is installed now."""
    directory = find_run_dir(run_dir, port)
    before = fetch_status(directory)
    ask(directory / CONTROL, ControlRequest("upgrade"))
    status = _wait_for_upgrade(directory, before.generation, time.monotonic() + timeout / SECOND_US)
    if status.reload_error:
        raise CommandError(f"upgrade: {status.reload_error}")
    pids = ", ".join(str(worker.pid) for worker in status.workers)
    click.echo(f"upgrade: done; supervisor {status.pid}, workers {pids}")


def _wait_for_upgrade(directory: Path, generation: int, deadline: float) -> ServerStatus:
    """The status once the new version serves, or it has come to nothing. Raises: CommandError."""
    while time.monotonic() < deadline:
        # While the process becomes another program, nobody answers.
        with contextlib.suppress(NotRunningError):
            status = fetch_status(directory)
            if not status.reloading and (status.generation > generation or status.reload_error):
                return status
        time.sleep(POLL_SECONDS)
    raise CommandError("upgrade: not finished in time; see gossamer status, and its log")


@click.group()
def worker() -> None:
    """List the workers, replace them, or have more or fewer."""


@worker.command("list", epilog="Example: gossamer worker list --json")
@run_dir_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def list_workers(run_dir: str | None, port: int | None, as_json: bool) -> None:
    """List the workers of a server."""
    status = fetch_status(find_run_dir(run_dir, port))
    if as_json:
        click.echo(msgspec.json.encode(status.workers).decode())
    else:
        show(status)


def worker_number(_context: click.Context, _parameter: click.Parameter, value: str) -> int | None:
    """A worker's number; None for all. Raises: click.BadParameter."""
    if value == ALL:
        return None
    try:
        return int(value)
    except ValueError:
        what = f"found {value!r}; allowed: a number of gossamer worker list, or {ALL}"
        raise click.BadParameter(what) from None


def _scale(command: Literal["add", "remove"], run_dir: str | None, port: int | None, timeout: int) -> None:
    directory = find_run_dir(run_dir, port)
    ask(directory / CONTROL, ControlRequest(command))
    _finish_replacement(directory, timeout, f"worker {command}")


@worker.command("add", epilog="Example: gossamer worker add")
@run_dir_options
@wait_option
def add_worker(run_dir: str | None, port: int | None, timeout: int) -> None:
    """Have one worker more, which gets its share of what the others serve."""
    _scale("add", run_dir, port, timeout)


@worker.command("remove", epilog="Example: gossamer worker remove")
@run_dir_options
@wait_option
def remove_worker(run_dir: str | None, port: int | None, timeout: int) -> None:
    """Have one worker less: that of the highest number, whose connections go to the others."""
    _scale("remove", run_dir, port, timeout)


@worker.command("restart", epilog="Example: gossamer worker restart 1")
@click.argument("number", callback=worker_number, default=ALL, metavar="[NUMBER|all]")
@run_dir_options
@wait_option
def restart_worker(number: int | None, run_dir: str | None, port: int | None, timeout: int) -> None:
    """Replace worker NUMBER, or all of them (which is what no number means, too), without a gap."""
    directory = find_run_dir(run_dir, port)
    ask(directory / CONTROL, ControlRequest("restart", number))
    _finish_replacement(directory, timeout, "worker restart")
