"""Installs, shows and removes the rules that `shards.firewall.rules` builds: the thin doer.

Owns the calls of iptables-restore, iptables-save and their IPv6 twins. Every change of one family is one
restore, hence atomic; whatever is there already, or gone already, is left alone.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final

import msgspec

from gossamer.core.errors import what_failed
from gossamer.ffi.rulesets import tables_there_are
from gossamer.shards.exitcode import StackUnavailableError
from gossamer.shards.firewall.rules import (
    ANY_HOSTS,
    BEST,
    TABLES,
    Family,
    QueueTarget,
    Variant,
    build_removal,
    build_rules,
    chain_name,
    chains_in,
    families,
    is_first,
    is_of_tree,
    owner_of_chain,
    poorer,
    port_ranges_in,
    tables_in,
)
from gossamer.shards.machine.modules import load_module, missing_modules
from gossamer.shards.machine.procfs import ProcessIdentity, is_alive

COMMAND: Final[dict[Family, str]] = {4: "iptables", 6: "ip6tables"}
FAMILY_NAME: Final[dict[Family, str]] = {4: "ip", 6: "ip6"}
LOCK_WAIT_SECONDS: Final = "10"
TIMEOUT_SECONDS: Final = 12
"""How long a command may take; longer than it waits for the lock of iptables."""
BUSY: Final = 4
"""The exit code where another one holds the lock. Source: iptables, include/xtables.h, RESOURCE_PROBLEM."""


class FirewallError(StackUnavailableError):
    """iptables refused, or is not there."""

    def __init__(self, message: str, modules: tuple[str, ...] = (), *, is_final: bool = False) -> None:
        super().__init__(message)
        self.modules = modules
        """The kernel modules that it missed."""
        self.is_final = is_final
        """Whether no other rules, and no other table, would fare better: it hung, or was locked out."""


class Installed(msgspec.Struct, frozen=True):
    """What was installed."""

    chains: tuple[str, ...]
    warnings: tuple[str, ...]


def has_commands(family: Family) -> bool:
    """Whether the commands of a family are installed."""
    return all(shutil.which(f"{COMMAND[family]}-{verb}") for verb in ("save", "restore"))


def require_commands(needed: Iterable[Family]) -> None:
    """Raises: FirewallError where the commands of one of them are not there, or no longer."""
    for family in needed:
        if not has_commands(family):
            name = COMMAND[family]
            raise FirewallError(f"{name}-save and {name}-restore are not to be found", is_final=True)


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
    said = f"{command}: exit code {done.returncode}: {first.strip()}"
    return FirewallError(said, is_final=done.returncode == BUSY)


def _run_once(family: Family, arguments: list[str], rules: str) -> str:
    command = [f"{COMMAND[family]}-{arguments[0]}", *arguments[1:]]
    try:
        done = _run_bounded(command, rules)
    except OSError as error:
        raise FirewallError(f"{command[0]}: {what_failed(error)}; Debian package: iptables") from error
    except subprocess.TimeoutExpired as error:
        what = f"{command[0]}: not done after {TIMEOUT_SECONDS} s, and killed"
        raise FirewallError(what, is_final=True) from error
    if done.returncode:
        raise _refusal(command[0], done)
    return done.stdout


def _run_bounded(command: list[str], rules: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, or to that of its time. Raises: OSError, subprocess.TimeoutExpired."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,  # Ctrl-C must not end it half-way
    ) as process:
        try:
            output, errors = process.communicate(rules, TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            # With all that it has started.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def _tables_of(family: Family) -> frozenset[str]:
    """Those of TABLES that the kernel has; all where it does not say. A command for each that it has not
    would be most of what a start costs."""
    try:
        return tables_there_are(FAMILY_NAME[family]) & set(TABLES)
    except OSError:
        return frozenset(TABLES)


def saved_rules(family: Family) -> str:
    """The tables where our rules may stand, as iptables-save prints them.

    Where the family has no commands, "". A table that does not exist holds nothing of ours.

    Raises: FirewallError when none can be read.
    """
    if not has_commands(family):
        return ""
    saved: list[str] = []
    refusals: list[FirewallError] = []
    there_are = _tables_of(family)
    for table in TABLES:
        if saved and table not in there_are:
            continue
        try:
            saved.append(_run(family, ["save", "-t", table]))
        except FirewallError as error:
            if error.is_final:
                raise
            refusals.append(error)
    if not saved:
        raise refusals[0]
    return "\n".join(saved)


def _restore(family: Family, rules: str) -> None:
    _run(family, ["restore", "--noflush", "-w", LOCK_WAIT_SECONDS], rules)


def _warnings(family: Family, variant: Variant, target: QueueTarget) -> list[str]:
    name, several = COMMAND[family], len(target.queues) > 1
    any_host = target.host in ANY_HOSTS
    lacks = {
        "no table security, and mangle comes before the host's filter: INPUT rules that refuse (DROP, "
        "REJECT, limits) do not hold for our port": variant.table == "mangle",
        f"no HMARK: all IPv{family} connections go to one worker": not variant.hmark and several,
        "no addrtype: packets to a broadcast address are taken, too": not variant.addrtype and any_host,
        "no pkttype: packets in frames to a broadcast address are taken, too": not variant.pkttype,
        "no socket match: fragments are joined only where connections are tracked": (
            not variant.socket and family == 6
        ),
        "no u32: ICMP errors do not reach the functional TCP": not variant.icmp,
    }
    return [f"{name} has {what}" for what, is_so in lacks.items() if is_so]


def _install_family(family: Family, owner: ProcessIdentity, target: QueueTarget, secret: int) -> list[str]:
    refusals: list[FirewallError] = []
    variant: Variant | None = BEST
    while variant is not None:
        try:
            _restore(family, build_rules(family, owner, target, secret, variant))
        except FirewallError as error:
            if error.is_final:
                raise
            refusals.append(error)
            variant = poorer(variant, error.modules)
            continue
        return _warnings(family, variant, target)
    # What the plainest variant lacks cannot be done without.
    raise refusals[-1] if refusals[-1].modules else refusals[0]


def install_rules(owner: ProcessIdentity, target: QueueTarget, secret: int) -> Installed:
    """Install the rules of a target, in place of what this owner had for the same port.

    IPv6 is best effort where IPv4 works too: what it lacks is a warning. Raises: FirewallError.
    """
    chain = chain_name(target.port_first, owner)
    remove_chains(partial(is_of_tree, chain=chain))
    warnings: list[str] = []
    for family in families(target.host):
        try:
            warnings += _install_family(family, owner, target, secret)
        except FirewallError as error:
            if family == 4 or len(families(target.host)) == 1:
                remove_chains(partial(is_of_tree, chain=chain))
                raise
            warnings.append(f"no IPv6 over the functional TCP: {error}")
    return Installed((chain,), tuple(warnings))


def restore_rules(
    family: Family, owner: ProcessIdentity, targets: Iterable[QueueTarget], secret: int
) -> None:
    """Install in one family again what somebody removed, and what of it is left. Raises: FirewallError."""
    for target in targets:
        if family in families(target.host):
            remove_chains(partial(is_of_tree, chain=chain_name(target.port_first, owner)), (family,))
            _install_family(family, owner, target, secret)


def remove_chains(is_wanted: Callable[[str], bool], among: Iterable[Family] = tuple(COMMAND)) -> list[str]:
    """Remove those of our chains that are wanted, in these families, with the jumps to them; returns their
    names, but for those of the nodes of a tree that went with its first chain.
    """
    removed: set[str] = set()
    for family in among:
        if not _tables_of(family):
            continue
        saved = saved_rules(family)
        chains = frozenset(filter(is_wanted, chains_in(saved)))
        if rules := build_removal(saved, chains):
            _restore(family, rules)
            removed |= chains
    return sorted(name for name in removed if is_first(name) or not any(map(is_first, removed)))


def remove_rules_of(owner: ProcessIdentity) -> list[str]:
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
    wanted = None if chains is None else tuple(chains)
    return {command: list(_lines_of_ours(family, wanted)) for family, command in COMMAND.items()}


def _lines_of_ours(family: Family, wanted: tuple[str, ...] | None) -> Iterator[str]:
    for table, lines in tables_in(saved_rules(family)):
        ours = chains_in("\n".join(lines))
        names = ours if wanted is None else [n for n in ours if any(is_of_tree(n, each) for each in wanted)]
        for line in lines:
            if line.startswith("-A") and any(name in line for name in names):
                yield f"-t {table} {line}"
