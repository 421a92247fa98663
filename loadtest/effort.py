"""How hard the generator itself works: whether what waits now waits for it.

Owns what this process used of its processor, and what it waited for one, from window to window; and the
judgement on the last. The clock is handed in.

Source: sched-stats in the kernel's documentation: /proc/PID/schedstat, "time spent on the cpu (in
nanoseconds)", "time spent waiting on a runqueue".
"""

import time
from pathlib import Path
from typing import Final, NamedTuple

WINDOW_US: Final = 100_000
SHARE_MAX: Final = 0.90
SCHEDSTAT: Final = Path("/proc/self/schedstat")


class Used(NamedTuple):
    """Of one processor, since the process began. Units: microseconds."""

    cpu_us: int
    waited_us: int
    """While others had it."""


def used() -> Used:
    """What this process has used; a kernel that does not count the waits says none."""
    try:
        cpu_ns, waited_ns, _ = map(int, SCHEDSTAT.read_text().split())
    except (OSError, ValueError):
        return Used(time.process_time_ns() // 1000, 0)
    return Used(cpu_ns // 1000, waited_ns // 1000)


class Effort:
    """What a run uses."""

    def __init__(self) -> None:
        self.is_saturated = False
        """Whether it had no time left in the last window."""
        self.cpu_share = 0.0
        """CPU time by time, from the beginning to the last window."""
        self.busy_share = 0.0
        """The same with the time in which it waited for a processor."""
        self._began = self._last = (0, Used(0, 0))

    def begin(self, now_us: int, found: Used) -> None:
        """The run starts."""
        self._began = self._last = (now_us, found)

    def look(self, now_us: int, found: Used) -> None:
        """Look at what passed since the last time."""
        if now_us - self._last[0] < WINDOW_US // 2:
            return
        self.is_saturated = sum(shares(self._last, (now_us, found))) > SHARE_MAX
        self._last = (now_us, found)
        self.cpu_share, waited_share = shares(self._began, self._last)
        self.busy_share = self.cpu_share + waited_share


def shares(before: tuple[int, Used], after: tuple[int, Used]) -> tuple[float, float]:
    """CPU time, and time of waiting for it, by time."""
    (before_us, before_used), (after_us, after_used) = before, after
    window_us = max(1, after_us - before_us)
    return (
        (after_used.cpu_us - before_used.cpu_us) / window_us,
        (after_used.waited_us - before_used.waited_us) / window_us,
    )
