"""The rules of one server, as they are installed: put there, taken over with it, given back.

Owns their chains and who looks after them. What the rules are is `shards.firewall.rules`, which commands
install them `shards.firewall.firewall`; a server without rules has none of this.
"""

from collections.abc import Iterable

from gossamer.shards.firewall import firewall
from gossamer.shards.firewall.ruleguard import RuleGuard
from gossamer.shards.firewall.rules import QueueTarget
from gossamer.shards.machine.procfs import ProcessIdentity


class InstalledRules:
    """None before `install` or `take`."""

    def __init__(self, warnings: list[str], chains: tuple[str, ...] = ()) -> None:
        """What is to be said of them is added to `warnings`; `chains` are those that stand already."""
        self.chains = chains
        self._warnings = warnings
        self.guard: RuleGuard | None = None
        """Looks after the rules; None where there are none."""

    def install(self, owner: ProcessIdentity, targets: Iterable[QueueTarget], secret: int) -> None:
        """Install them in the owner's name, with the secret of the hash. Raises: FirewallError."""
        targets = tuple(targets)
        self.chains = ()
        for target in targets:
            installed = firewall.install_rules(owner, target, secret)
            self.chains += installed.chains
            self._warnings += installed.warnings
        self.guard = RuleGuard(owner, targets, secret)

    def take(self, owner: ProcessIdentity, targets: Iterable[QueueTarget], secret: int) -> None:
        """Look after them as they stand; where somebody has removed them meanwhile, install them. Raises:
        FirewallError."""
        targets = tuple(targets)
        try:
            self.guard = RuleGuard(owner, targets, secret)
        except firewall.FirewallError:
            self.install(owner, targets, secret)

    def remove(self, owner: ProcessIdentity) -> None:
        """Give the rules back. Raises: FirewallError that says how many stay, and how they go."""
        try:
            if self.guard is not None:
                self.guard.close()
                firewall.require_commands(self.guard.families)
            firewall.remove_rules_of(owner)
        except firewall.FirewallError as error:
            if self.guard is None:
                raise
            raise firewall.FirewallError(
                f"the firewall's rules of this server stay, {self.guard.rules_total} of them in "
                f"{', '.join(self.chains)}: {error}; gossamer firewall down --dead removes them"
            ) from error
