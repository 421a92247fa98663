"""Looks after the firewall's rules of a running server: sees that they are gone, and installs them again.

    what nf_tables and ip_tables say of themselves, at each tick
    -> other than when all of ours stood: iptables-save, in a thread, finds what of ours is gone
    -> that is restored, logged and counted

Owns what the rules were when they were installed, and that no one but this touches them meanwhile. When a
repair may begin is decided in `shards.firewall.repairs`; what is done is done by `shards.firewall.firewall`.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Final

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.core.errors import what_failed
from gossamer.ffi.rulesets import legacy_sizes, nf_tables_generation, nf_tables_rules
from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.repairs import Repairs, repair_delay_us, with_repair
from gossamer.shards.firewall.rules import TABLES, Family, QueueTarget, base36, chain_name, families
from gossamer.shards.log.logs import about
from gossamer.shards.machine.procfs import ProcessIdentity

log = logging.getLogger("gossamer.supervisor")

END_WAIT_SECONDS: Final = 60.0
"""For a repair that is under way when the server ends; each of its commands has a limit of its own."""
RETRY_US: Final = 5_000_000
"""Between two tries to repair, where that fails."""
BLIND_US: Final = 1_000_000
"""Between two looks by iptables-save, where nothing cheaper can be had."""

Lines = Mapping[str, list[str]]


class Traces(msgspec.Struct, frozen=True):
    """What is cheap to see of a ruleset, and other than before when one of ours was removed."""

    generation: int | None
    nf_tables: frozenset[bytes]
    legacy: tuple[bytes, ...]


NOTHING_SEEN: Final = Traces(None, frozenset(), ())


class LookOutcome(msgspec.Struct, frozen=True):
    """What a look came to."""

    gone: tuple[str, ...] = ()
    """Rules that were not there, or not in their place; none when all of them were."""
    is_restored: bool = False
    took_us: int = 0
    traces: Traces | None = None
    """As they were before it."""
    failure: str = ""


class RuleGuard:
    """The rules of one server, from their installation on."""

    def __init__(self, owner: ProcessIdentity, targets: tuple[QueueTarget, ...], secret: int) -> None:
        """Note what stands now. Raises: FirewallError."""
        self._owner, self._targets, self._secret = owner, targets, secret
        self._chains = tuple(chain_name(target.port_first, owner) for target in targets)
        self._traces: Traces | None = self._see_if_possible()
        """Those that iptables-save has confirmed; None where it is to look again."""
        self._lines: Lines = firewall.our_rules(self._chains)
        self._require_jumps()
        self._look_at_us = 0
        self._look: threading.Thread | None = None
        self._outcome = LookOutcome()
        self._is_blind = False
        self._history = Repairs()
        self.restored_total = 0
        self.trouble = ""
        """Why rules are missing at this moment, as far as is known; "" when none is."""

    def _require_jumps(self) -> None:
        """Raises: FirewallError where somebody has removed them before they could be noted."""
        for chain, target in zip(self._chains, self._targets, strict=True):
            command = firewall.COMMAND[families(target.host)[0]]
            if not any(line.endswith(f"-j {chain}") for line in self._lines[command]):
                raise firewall.FirewallError(f"{command}: {chain} was removed while it was installed")

    @property
    def rules_total(self) -> int:
        """How many there are to be."""
        return sum(map(len, self._lines.values()))

    @property
    def families(self) -> tuple[Family, ...]:
        """Where any of them stand."""
        return tuple(family for family, command in firewall.COMMAND.items() if self._lines[command])

    @property
    def is_looking(self) -> bool:
        """Whether iptables may be at work: its exit status belongs to the thread that waits for it."""
        return self._look is not None

    def tick(self, now_us: int) -> None:
        """Do the next step; returns at once."""
        if self._look is not None:
            if self._look.is_alive():
                return
            self._look = None
            self._conclude(self._outcome, now_us)
        if now_us >= self._look_at_us and (self._traces is None or self._is_disturbed(now_us)):
            self._begin(now_us)

    def restore_now(self) -> None:
        """Look at the next tick, and restore what is gone however often that was done of late."""
        self._traces, self._look_at_us, self._history = None, 0, Repairs()

    def close(self) -> None:
        """Wait for the end of what is under way; from now on the rules are the caller's."""
        if self._look is not None:
            self._look.join(END_WAIT_SECONDS)
            self._look = None

    def _is_disturbed(self, now_us: int) -> bool:
        """Whether what can be seen cheaply is other than when iptables-save saw all of ours."""
        before = self._traces
        assert before is not None
        try:
            generation = nf_tables_generation()
            if generation is not None and generation == before.generation and not before.legacy:
                return False
            traces = self._see()
        except OSError as error:
            if not self._is_blind:
                log.warning("firewall: looked at by iptables-save alone: %s", what_failed(error))
            self._is_blind = True
            self._look_at_us = now_us + BLIND_US
            return True
        is_same = (before.nf_tables, before.legacy) == (traces.nf_tables, traces.legacy)
        if is_same:
            self._traces = traces
        return not is_same

    def _see(self) -> Traces:
        mark = f"-{self._owner.pid}-{base36(self._owner.start_ticks)}".encode()
        return Traces(nf_tables_generation(), nf_tables_rules(mark, TABLES), legacy_sizes(TABLES))

    def _see_if_possible(self) -> Traces:
        try:
            return self._see()
        except OSError:
            return NOTHING_SEEN

    def _begin(self, now_us: int) -> None:
        self._outcome = LookOutcome(failure="the look at them ended with an error")
        wait_us = repair_delay_us(self._history, now_us)
        self._look = threading.Thread(target=self._run, args=(not wait_us,), name="firewall", daemon=True)
        self._look.start()

    def _run(self, may_restore: bool) -> None:
        """What the thread does: all that may take long."""
        began_us = monotonic_us()
        try:
            traces = self._see_if_possible()
            gone = self._find_gone(may_restore)
        except firewall.FirewallError as error:
            self._outcome = LookOutcome(failure=str(error))
        else:
            took_us = monotonic_us() - began_us
            self._outcome = LookOutcome(gone, bool(gone) and may_restore, took_us, traces)

    def _find_gone(self, may_restore: bool) -> tuple[str, ...]:
        found = firewall.our_rules(self._chains)
        gone: list[str] = []
        for family, command in firewall.COMMAND.items():
            wanted = self._lines[command]
            if found[command] != wanted:
                gone += [f"{command} {line}" for line in wanted if line not in found[command]] or wanted
                if may_restore:
                    firewall.restore_rules(family, self._owner, self._targets, self._secret)
        return tuple(gone)

    def _conclude(self, outcome: LookOutcome, now_us: int) -> None:
        if outcome.failure:
            self._wait(f"rules are gone, or cannot be looked at: {outcome.failure}", now_us + RETRY_US)
        elif not outcome.gone:
            self.trouble, self._traces = "", outcome.traces
        elif outcome.is_restored:
            self._restored(outcome, now_us)
        else:
            delay_us = repair_delay_us(self._history, now_us)
            what = "rules are removed again and again; those that are gone are restored ever later"
            self._wait(what, now_us + delay_us)

    def _restored(self, outcome: LookOutcome, now_us: int) -> None:
        self.trouble = ""
        self._traces = None  # That they stand now is seen by a further look.
        self._history = with_repair(self._history, now_us)
        self.restored_total += len(outcome.gone)
        log.warning(
            "firewall: %d of %d rules were removed by somebody, and are restored (%.0f ms): %s%s",
            len(outcome.gone),
            self.rules_total,
            outcome.took_us / 1000,
            outcome.gone[0],
            ", ..." if len(outcome.gone) > 1 else "",
            extra=about("rules_restored", rules=len(outcome.gone), why="somebody had removed them"),
        )

    def _wait(self, trouble: str, until_us: int) -> None:
        if trouble != self.trouble:
            log.error("firewall: %s", trouble, extra=about("rules_missing", why=trouble))
        self.trouble = trouble
        self._traces, self._look_at_us = None, until_us
