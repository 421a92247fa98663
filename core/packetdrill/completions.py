"""Completions of MSG_ZEROCOPY: which calls have had all their octets acknowledged.

Owns the numbers of the calls and the ranges that wait on the error queue. Nothing is sent without a copy
here: a completion says so (SO_EE_CODE_ZEROCOPY_COPIED), as Linux does on a path that had to copy.

Source: Linux's Documentation/networking/msg_zerocopy.rst, "Notification Reception", "Notification Batching".
"""

from collections import deque


class Completions:
    """Those of one socket."""

    def __init__(self) -> None:
        self.put_bytes = 0
        """Octets that SEND has taken, in all."""
        self.reports_total = 0
        """How often the error queue was said to have something."""
        self._ends: deque[int] = deque()
        """Where each call ended whose octets are not all acknowledged."""
        self._next = 0
        self._ranges: deque[tuple[int, int]] = deque()

    def expect(self) -> None:
        """A call with MSG_ZEROCOPY has had what it gave taken."""
        self._ends.append(self.put_bytes)

    def settle(self, unacknowledged_bytes: int) -> None:
        """So much of what was put is still the connection's: all calls that ended before are complete.

        "Multiple notifications can be combined into one": consecutive numbers make one range.
        """
        while self._ends and self._ends[0] <= self.put_bytes - unacknowledged_bytes:
            self._ends.popleft()
            first = self._ranges.pop()[0] if self._ranges else self._next
            self._ranges.append((first, self._next))
            self._next += 1
            self.reports_total += 1

    @property
    def are_waiting(self) -> bool:
        """Whether the error queue has a range."""
        return bool(self._ranges)

    def take(self) -> tuple[int, int]:
        """The range that waits: first and last call."""
        return self._ranges.popleft()
