"""Installs, shows and removes the rules that `shards.rules` builds: the thin doer.

Owns the calls of iptables-restore, iptables-save and their IPv6 twins. Every change of one family is one
restore, hence atomic; whatever is there already, or gone already, is left alone.
"""

import shutil
import subprocess
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from gossamer.core.errors import what_failed
from gossamer.shards.exitcode import StackUnavailableError
from gossamer.shards.modules import load_module, missing_modules
from gossamer.shards.procfs import is_alive
from gossamer.shards.rules import (
    VARIANTS,
    Family,
    Owner,
    QueueTarget,
    Variant,
    build_removal,
    build_rules,
    chain_name,
    chains_in,
    families,
    owner_of_chain,
    port_ranges_in,
)

COMMAND: Final[dict[Family, str]] = {4: "iptables", 6: "ip6tables"}
LOCK_WAIT_SECONDS: Final = "10"
TIMEOUT_SECONDS: Final = 30


class FirewallError(StackUnavailableError):
    """iptables refused, or is not there."""

    def __init__(self, message: str, modules: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.modules = modules
        """The kernel modules that it missed."""


class Installed(msgspec.Struct, frozen=True):
    """What was installed."""

    chains: tuple[str, ...]
    warnings: tuple[str, ...]


def has_commands(family: Family) -> bool:
    """Whether the commands of a family are installed."""
    return all(shutil.which(f"{COMMAND[family]}-{verb}") for verb in ("save", "restore"))


def _run(family: Family, arguments: list[str], rules: str = "") -> str:
    """What the command prints; a kernel module that it misses is loaded, where that can be had."""
    try:
        return _run_once(family, arguments, rules)
    except FirewallError as error:
        loaded = [name for name in error.modules if load_module(name)]
        if not loaded:
            raise
    return _run_once(family, arguments, rules)


def _refusal(command: str, done: subprocess.CompletedProcess[str]) -> FirewallError:
    modules = missing_modules(done.stderr)
    if modules:
        names = " ".join(modules)
        hint = f"modprobe -a {names} on the host to have it"
        return FirewallError(
            f"{command}: the kernel lacks the module {names.replace(' ', ', ')}; {hint}", modules
        )
    first = next((line for line in done.stderr.splitlines() if line.strip()), "no message")
    return FirewallError(f"{command}: exit code {done.returncode}: {first.strip()}")


def _run_once(family: Family, arguments: list[str], rules: str) -> str:
    command = [f"{COMMAND[family]}-{arguments[0]}", *arguments[1:]]
    try:
        done = subprocess.run(
            command,
            input=rules,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            process_group=0,  # Ctrl-C must not end it half-way
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirewallError(f"{command[0]}: {what_failed(error)}; Debian package: iptables") from error
    if done.returncode:
        raise _refusal(command[0], done)
    return done.stdout


def saved_rules(family: Family) -> str:
    """The raw table as iptables-save prints it; "" where the family has no commands or no table."""
    return _run(family, ["save", "-t", "raw"]) if has_commands(family) else ""


def _restore(family: Family, rules: str) -> None:
    _run(family, ["restore", "--noflush", "-w", LOCK_WAIT_SECONDS], rules)


def _warnings(family: Family, variant: Variant, target: QueueTarget) -> list[str]:
    name = COMMAND[family]
    missing = []
    if not variant.hmark and len(target.queues) > 1:
        missing.append(f"{name} has no HMARK: all IPv{family} connections go to one worker")
    if not variant.notrack:
        missing.append(
            f"{name} has no CT --notrack: a rule that drops ctstate INVALID would stop our answers"
        )
    if not variant.addrtype:
        missing.append(
            f"{name} has no addrtype: packets that this machine forwards to the port are taken, too"
        )
    if not variant.icmp:
        missing.append(f"{name} has no u32: ICMP errors do not reach the functional TCP")
    return missing


def _install_family(family: Family, owner: Owner, target: QueueTarget, secret: int) -> list[str]:
    refusals: list[FirewallError] = []
    for variant in VARIANTS:
        try:
            _restore(family, build_rules(family, owner, target, secret, variant))
        except FirewallError as error:
            refusals.append(error)
            continue
        return _warnings(family, variant, target)
    # The plainest variant misses only what nothing can be done without.
    raise refusals[-1] if refusals[-1].modules else refusals[0]


def install_rules(owner: Owner, target: QueueTarget, secret: int) -> Installed:
    """Install the rules of a target, in place of what this owner had for the same port.

    IPv6 is best effort where IPv4 works too: what it lacks is a warning. Raises: FirewallError.
    """
    names = frozenset(chain_name(direction, target.port_first, owner) for direction in ("I", "O"))
    remove_chains(names.__contains__)
    warnings: list[str] = []
    for family in families(target.host):
        try:
            warnings += _install_family(family, owner, target, secret)
        except FirewallError as error:
            if family == 4 or len(families(target.host)) == 1:
                remove_chains(names.__contains__)
                raise
            warnings.append(f"no IPv6 over the functional TCP: {error}")
    return Installed(tuple(sorted(names)), tuple(warnings))


def remove_chains(is_wanted: Callable[[str], bool]) -> list[str]:
    """Remove those of our chains that are wanted, in both families, with the jumps to them; returns their
    names.
    """
    removed: set[str] = set()
    for family in COMMAND:
        saved = saved_rules(family)
        chains = frozenset(filter(is_wanted, chains_in(saved)))
        if rules := build_removal(saved, chains):
            _restore(family, rules)
            removed |= chains
    return sorted(removed)


def remove_rules_of(owner: Owner) -> list[str]:
    """Remove all that this owner installed."""
    return remove_chains(lambda name: owner_of_chain(name) == owner)


def _is_dead(chain: str) -> bool:
    owner = owner_of_chain(chain)
    return owner is not None and not is_alive(owner)


def remove_dead_rules() -> list[str]:
    """Remove what killed processes left behind, whatever their run directory was."""
    return remove_chains(_is_dead)


def port_ranges_taken() -> tuple[tuple[int, int], ...]:
    """The local ports of our chains in both families."""
    found = {ports for family in COMMAND for ports in port_ranges_in(saved_rules(family))}
    return tuple(sorted(found))


def our_rules(chains: Iterable[str] | None = None) -> dict[str, list[str]]:
    """The lines of iptables-save that are ours, by command: of these chains, or of all."""
    shown: dict[str, list[str]] = {}
    wanted = None if chains is None else frozenset(chains)
    for family, command in COMMAND.items():
        saved = saved_rules(family)
        names = [name for name in chains_in(saved) if wanted is None or name in wanted]
        lines = [
            line for line in saved.splitlines() if line.startswith("-A") and any(n in line for n in names)
        ]
        shown[command] = [f"-t raw {line}" for line in lines]
    return shown
