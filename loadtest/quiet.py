"""Whether the machine was quiet while something was measured, and what a measurement is worth that was not.

Owns what counts as a disturbance: other processes, the wait for a processor, a server of known delays that
was late itself. `loadtest.cpu` reads the figures.

Source: sched-stats in the kernel's documentation: /proc/PID/schedstat.
"""

import os
import resource
import time
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from gossamer.loadtest.cpu import machine_cpu, process_ns

OTHERS_MAX: Final = 0.10
"""Of one processor."""
WAITED_MAX: Final = 0.01
LATE_MAX: Final = 0.002
QUIET_LOOK_S: Final = 0.5
QUIET_PATIENCE_S: Final = 6.0


class TrialVerdict(StrEnum):
    """What a measurement shows."""

    TRUE = "true"
    BUSY = "busy"
    """Nothing: something disturbed it."""
    WRONG = "WRONG"


WORDS: Final = {
    TrialVerdict.TRUE: "true",
    TrialVerdict.BUSY: "not decided: the machine was busy",
    TrialVerdict.WRONG: "wrong",
}


class Disturbance(msgspec.Struct, frozen=True):
    """What disturbed a measurement. Shares of one processor's time, and of answers."""

    others: float
    """CPU of all other processes, and what the hypervisor took."""
    server_waited: float
    """How long the server waited for a processor."""
    generator_waited: float
    late: float = 0.0
    """Answers that the server sent late."""

    def said(self) -> tuple[str, ...]:
        """What was more than a quiet machine has."""
        found = (
            (self.others, OTHERS_MAX, "others used {:.0%} of a processor"),
            (self.server_waited, WAITED_MAX, "the server waited for a processor {:.1%} of the time"),
            (self.generator_waited, WAITED_MAX, "the generator waited for a processor {:.1%} of the time"),
            (self.late, LATE_MAX, "the server itself sent {:.1%} of its answers late"),
        )
        return tuple(words.format(share) for share, most, words in found if share > most)


def verdict_of(disturbance: Disturbance, *, is_met: bool) -> TrialVerdict:
    """What one try shows. What is as it must be is so on a busy machine as well."""
    if is_met:
        return TrialVerdict.TRUE
    return TrialVerdict.BUSY if disturbance.said() else TrialVerdict.WRONG


def of_tries(verdicts: list[TrialVerdict]) -> TrialVerdict:
    """What all tries show together: one that is true is enough, and one of a quiet machine that is not as
    well, unless a later one is true."""
    if TrialVerdict.TRUE in verdicts:
        return TrialVerdict.TRUE
    return TrialVerdict.WRONG if TrialVerdict.WRONG in verdicts else TrialVerdict.BUSY


def waited_ns(pid: int) -> int:
    """How long a process has waited for a processor; 0 where the kernel does not count it."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def own_us() -> int:
    """CPU time of this process, and of those of its own that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(sum(each.ru_utime + each.ru_stime for each in used) * 1e6)


class QuietWatch:
    """A measurement, from its beginning on, of a server and of what this process starts and waits for."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._began = self._look()

    def _look(self) -> tuple[float, int, int, int]:
        ours_us = own_us() + process_ns(self._server) // 1000
        return time.monotonic(), machine_cpu().busy_us, ours_us, waited_ns(self._server)

    def over(self, generator_waited: float) -> Disturbance:
        """It is over."""
        began_s, busy_us, ours_us, waited = self._began
        now_s, now_busy_us, now_ours_us, now_waited = self._look()
        window_us = max(1.0, (now_s - began_s) * 1e6)
        others_us = max(0, (now_busy_us - busy_us) - (now_ours_us - ours_us))
        return Disturbance(others_us / window_us, (now_waited - waited) / 1e3 / window_us, generator_waited)


def wait_until_quiet() -> None:
    """Wait until others use little, for some time at most."""
    give_up_s = time.monotonic() + QUIET_PATIENCE_S
    while time.monotonic() < give_up_s:
        watched = QuietWatch(os.getpid())
        time.sleep(QUIET_LOOK_S)
        if watched.over(0.0).others <= OTHERS_MAX:
            return
