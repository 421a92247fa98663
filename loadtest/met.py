"""What clients met while something happened to a server: who was answered, cut off, left waiting.

Owns what counts as a reset, and how the accounts of several clients become one.
"""

from collections import Counter
from typing import Final

import msgspec

RESETS: Final = (ConnectionResetError, ConnectionRefusedError)
"""How a RST is told to a program: on a connection, and in answer to a SYN."""


class Met(msgspec.Struct):
    """What one client met, or some of them together."""

    answered: int = 0
    lost: Counter[str] = msgspec.field(default_factory=Counter)
    """Requests that were not answered, by what came instead."""
    resets: int = 0
    """Connections that a RST ended, or refused, whether or not a request was lost with it."""
    different: int = 0
    """Answers that came whole and were not what was asked for."""
    reopened: int = 0
    """Connections that ended between two requests."""
    longest_s: float = 0.0
    """The longest that a client was left waiting."""

    def note(self, error: OSError) -> None:
        """Count it, if it is a RST."""
        self.resets += isinstance(error, RESETS)

    def lose(self, error: OSError, when: str = "") -> None:
        """A request was lost by it."""
        self.note(error)
        self.lost[f"{type(error).__name__}{when}"] += 1

    def wait(self, waited_s: float) -> None:
        """So long a client was left waiting."""
        self.longest_s = max(self.longest_s, waited_s)

    def add(self, other: "Met") -> None:
        """Another client's."""
        self.answered += other.answered
        self.lost.update(other.lost.copy())  # Of a client that goes on meanwhile, too.
        self.resets += other.resets
        self.different += other.different
        self.reopened += other.reopened
        self.wait(other.longest_s)
