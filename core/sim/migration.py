"""Every simulated run as a test of migration: at points that a seed draws, a step is repeated from the
connection as it was written down.

Owns which steps are repeated. Source: law 2, `step(decode(encode(s)), e) == step(s, e)`.
"""

from random import Random
from typing import Final

from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.codec import decode, encode
from gossamer.core.tcp.events import Event
from gossamer.core.tcp.step import Connection, step

EVERY: Final = 50
"""One step in so many is repeated."""


class Migration:
    """An observer that compares."""

    def __init__(self, seed: int, every: int = EVERY) -> None:
        self.checked_total = 0
        self._random = Random(f"migration {seed}")
        self._every = every
        self._left = self._next()

    def __call__(self, before: Connection, event: Event, after: Connection | None, actions: Actions) -> None:
        """Assert that the step comes out the same from the decoded connection."""
        self._left -= 1
        if self._left:
            return
        self._left = self._next()
        self.checked_total += 1
        copy = decode(encode(before))
        assert copy == before, "a connection does not come back as it was written down"
        assert step(copy, event) == (after, actions), "a connection that was written down goes on otherwise"

    def _next(self) -> int:
        return self._random.randrange(1, 2 * self._every)
