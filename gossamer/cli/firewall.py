"""gossamer firewall: the rules of running servers, shown, installed again, removed."""

import json
import time
from pathlib import Path
from typing import Final

import click

from gossamer.cli.status import fetch_status, run_dir_options
from gossamer.shards.exitcode import CannotStartError, CommandError
from gossamer.shards.firewall import firewall as rules
from gossamer.shards.firewall.rules import owner_of_chain
from gossamer.shards.machine.procfs import is_alive
from gossamer.shards.plan.machine_facts import FIREWALL_RIGHTS, INSTALL_HINT, missing_rights
from gossamer.shards.rundir.control import ControlRequest, ask_for
from gossamer.shards.rundir.rundir import CONTROL, find_run_dir

WAIT_SECONDS: Final = 20.0
POLL_SECONDS: Final = 0.1


def _need_root_and_commands() -> None:
    if missing := missing_rights(FIREWALL_RIGHTS):
        raise CannotStartError(f"firewall: it needs {missing}")
    if not rules.has_commands(4):
        raise CannotStartError(f"firewall: it needs iptables-save and iptables-restore; {INSTALL_HINT}")


@click.group()
def firewall() -> None:
    """Show, install or remove the rules that bring packets to the workers."""


@firewall.command("show", epilog="Example: gossamer firewall show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(as_json: bool) -> None:
    """Show all rules of gossamer in this network namespace."""
    _need_root_and_commands()
    found = rules.our_rules()
    if as_json:
        click.echo(json.dumps(found))
        return
    for command, lines in found.items():
        for line in lines:
            click.echo(f"{command} {line}")
    if not any(found.values()):
        click.echo("no rules of gossamer are installed", err=True)


@firewall.command("up", epilog="Example: gossamer firewall up --port 8080")
@run_dir_options
def up(run_dir: str | None, port: int | None) -> None:
    """Have a running server restore its rules now; it does so by itself, but after several times later."""
    _need_root_and_commands()
    # The server does it itself: nothing that stands in a run directory is believed with root's rights.
    directory = find_run_dir(run_dir, port)
    chains = ask_for(directory / CONTROL, ControlRequest("firewall"), list[str])
    missing = wait_for_rules(directory, frozenset(chains))
    if missing:
        raise CommandError(f"firewall up: {', '.join(sorted(missing))} is not there; see gossamer status")
    for chain in chains:
        click.echo(f"installed {chain}")


def wait_for_rules(directory: Path, chains: frozenset[str]) -> frozenset[str]:
    """Those of the chains that a server has not brought to stand in time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        trouble = fetch_status(directory).rules_trouble
        standing = {chain for chain in chains if any(rules.our_rules([chain]).values())}
        if (standing == chains and not trouble) or time.monotonic() > deadline:
            return chains - standing
        time.sleep(POLL_SECONDS)


@firewall.command("down", epilog="Example: gossamer firewall down --dead")
@click.option("--dead", is_flag=True, help="Only what killed servers left behind.")
def down(dead: bool) -> None:
    """Remove all rules of gossamer; a server that runs restores its own at once."""
    _need_root_and_commands()
    removed = (
        rules.remove_dead_rules()
        if dead
        else rules.remove_chains(lambda name: owner_of_chain(name) is not None)
    )
    for chain in removed:
        click.echo(f"removed {chain}")
        owner = owner_of_chain(chain)
        if owner is not None and is_alive(owner):
            click.echo(f"process {owner.pid} runs and restores {chain}: gossamer stop ends it", err=True)
    if not removed:
        click.echo("there was nothing to remove", err=True)
