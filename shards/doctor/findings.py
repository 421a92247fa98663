"""A row of `gossamer doctor`, and what all rows together mean for a stack. Pure.

Owns the verdict: a stack runs where no row that it needs is amiss; what only some users need never decides.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Literal

import msgspec

Wanted = Literal["auto", "kernel", "nfqueue"]


class For(StrEnum):
    """Who needs what a row is about."""

    ANY = "any server"
    NFQUEUE = "functional TCP"
    SOME = "some users"
    """Nobody cannot do without it."""


class Finding(msgspec.Struct, frozen=True):
    """One row."""

    name: str
    found: str
    needed_for: For
    way_out: str = ""
    """What to do about it; "" where it is as it should be."""

    @property
    def is_amiss(self) -> bool:
        """Whether it is not as it should be."""
        return bool(self.way_out)


NEEDED_BY: Final[dict[Wanted, frozenset[For]]] = {
    "auto": frozenset({For.ANY}),
    "kernel": frozenset({For.ANY}),
    "nfqueue": frozenset({For.ANY, For.NFQUEUE}),
}
"""`auto` serves on kernel sockets where the functional TCP is not to be had."""


def in_the_way(findings: Iterable[Finding], wanted: Wanted) -> list[Finding]:
    """The rows for which the wanted stack does not run."""
    return [each for each in findings if each.is_amiss and each.needed_for in NEEDED_BY[wanted]]


def verdict(findings: Iterable[Finding], wanted: Wanted) -> str:
    """The last line: what runs here, and what does not."""
    rows = list(findings)
    if obstacles := in_the_way(rows, "kernel"):
        return f"no server runs here: {_names(obstacles)}"
    if obstacles := in_the_way(rows, "nfqueue"):
        kernel = "kernel sockets serve" + (", and auto takes them" if wanted == "auto" else "")
        return f"{kernel}; the functional TCP does not run here: {_names(obstacles)}"
    return "both stacks run here"


def _names(findings: Iterable[Finding]) -> str:
    return ", ".join(each.name for each in findings)
