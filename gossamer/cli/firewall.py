"""gossamer firewall: the rules of running servers, shown, installed again, removed."""

import json

import click

from gossamer.cli.status import run_dir_options
from gossamer.shards import firewall as rules
from gossamer.shards.exitcode import CannotStartError, CommandError, NotRunningError
from gossamer.shards.machine import FIREWALL_RIGHTS, INSTALL_HINT, missing_rights
from gossamer.shards.rules import owner_of_chain
from gossamer.shards.rundir import find_run_dir, read_state


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
    """Install the rules of a running server again, where somebody flushed them."""
    _need_root_and_commands()
    directory = find_run_dir(run_dir, port)
    state = read_state(directory)
    if state is None:
        raise NotRunningError(f"{directory}: the server has ended meanwhile")
    if not state.targets:
        raise CommandError(f"firewall up: {state.url} runs on kernel sockets and needs no rules")
    for target in state.targets:
        for chain in rules.install_rules(state.owner, target, state.hmark_secret).chains:
            click.echo(f"installed {chain}")


@firewall.command("down", epilog="Example: gossamer firewall down --dead")
@click.option("--dead", is_flag=True, help="Only what killed servers left behind.")
def down(dead: bool) -> None:
    """Remove all rules of gossamer; its servers on the functional TCP then hear nothing."""
    _need_root_and_commands()
    removed = (
        rules.remove_dead_rules()
        if dead
        else rules.remove_chains(lambda name: owner_of_chain(name) is not None)
    )
    for chain in removed:
        click.echo(f"removed {chain}")
    if not removed:
        click.echo("there was nothing to remove", err=True)
