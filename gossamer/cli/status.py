"""gossamer status: what the supervisor reports, as a table or as JSON."""

from pathlib import Path

import click
import msgspec

from gossamer.shards.rundir.control import ControlRequest, ask_for
from gossamer.shards.rundir.rundir import CONTROL, find_run_dir
from gossamer.shards.seen.status import ServerStatus


def run_dir_options(command: click.decorators.FC) -> click.decorators.FC:
    """The options by which a command finds its server."""
    by_port = click.option("--port", type=int, help="The server on that port, in its default run directory.")
    by_path = click.option("--run-dir", envvar="GOSSAMER_RUN_DIR", help="The server of that run directory.")
    return by_port(by_path(command))


def fetch_status(directory: Path) -> ServerStatus:
    """The status of a running server. Raises: NotRunningError."""
    return ask_for(directory / CONTROL, ControlRequest("status"), ServerStatus)


def show(status: ServerStatus) -> None:
    """Print it for people. What draws the table is loaded here: programs ask for JSON, and do not wait."""
    from gossamer.cli.status_table import print_status, wide_console

    print_status(status, wide_console())


@click.command(epilog="Example: gossamer status --json")
@run_dir_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(run_dir: str | None, port: int | None, as_json: bool) -> None:
    """Show a running server and its workers."""
    found = fetch_status(find_run_dir(run_dir, port))
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        show(found)
