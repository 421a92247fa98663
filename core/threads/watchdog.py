"""Names the thread that holds the loop for too long.

A lightweight thread that computes, or makes a blocking call of the operating system, stops all the others.
The loop itself stands still and cannot see it, so an operating-system thread watches, and reports each such
hold once. It looks once in the time that is allowed, and sooner again only where a thread ran.

A function in C that keeps the interpreter's lock is named when it is done, not before: nobody else can run
until then.
"""

import logging
import os
import select
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final, Protocol

from gossamer.core.clock import Clock, monotonic_us
from gossamer.core.threads.thread import Thread
from gossamer.core.threads.tracebacks import MACHINERY

log = logging.getLogger(__name__)

HELD_US_MAX: Final = 100_000
"""How long a thread may hold the loop before it is named; it is at the latest a quarter of that later."""

FRAMES_SHOWN: Final = 6


class Watched(Protocol):
    """What the watchdog looks at."""

    turns_total: int
    running: Thread[Any] | None
    guest: object | None
    """Whose code runs, in a thread or where none does: that of another library's loop."""

    def now_us(self) -> int:
        """When this turn began."""


class Holds:
    """Decides from one look after the other which thread holds the loop, and when to look again.

    A thread is named that was seen in one turn for a quarter of the limit, once that turn has lasted as long
    as the limit.

    >>> from gossamer.core.threads.watchdog import Holds
    >>> holds = Holds(held_us_max=100)
    >>> [holds.look(now_us, now_us, (7, "hog"), turn_us=0) for now_us in (10, 100, 200)]
    [False, True, False]
    """

    def __init__(self, held_us_max: int) -> None:
        self._held_us_max = held_us_max
        self._seen: object = None
        self._seen_us = 0
        self._is_reported = False
        self.wait_us = held_us_max
        """Until the next look."""

    def look(self, due_us: int, now_us: int, found: object, turn_us: int) -> bool:
        """Whether what runs is to be named. `found`: the turn and its thread, None where none runs.

        `due_us` is when this look should have been. Where it comes as late as the limit, what runs has kept
        the interpreter's lock since.
        """
        self.wait_us = self._held_us_max
        if found is None or found != self._seen:
            is_late = now_us - due_us >= self._held_us_max
            self._seen, self._seen_us, self._is_reported = found, due_us if is_late else now_us, False
        if found is None or self._is_reported:
            return False
        seen_us_min = self._held_us_max // 4
        self._is_reported = now_us - self._seen_us >= seen_us_min and now_us - turn_us >= self._held_us_max
        if not self._is_reported:
            self.wait_us = max(seen_us_min, turn_us + self._held_us_max - now_us)
        return self._is_reported


class Watchdog:
    """Looks at a scheduler that the calling operating-system thread runs, by the same clock."""

    def __init__(
        self,
        scheduler: Watched,
        held_us_max: int = HELD_US_MAX,
        report: Callable[[str], None] = log.warning,
        clock: Clock = monotonic_us,
    ) -> None:
        self._scheduler = scheduler
        self._held_us_max = held_us_max
        self._report = report
        self._clock = clock
        self._runner = threading.get_ident()
        self._stopping = os.eventfd(0, os.EFD_CLOEXEC)
        self._looker = threading.Thread(target=self._look_on, name="gossamer-watchdog", daemon=True)
        self._looker.start()

    def close(self) -> None:
        """Stop looking. Twice is harmless."""
        if self._looker.is_alive():
            os.eventfd_write(self._stopping, 1)
            self._looker.join()
            os.close(self._stopping)

    def _look_on(self) -> None:
        scheduler, clock = self._scheduler, self._clock
        holds = Holds(self._held_us_max)
        # One call of the kernel per look: a wait with a timeout of the threading module takes several, and
        # each of them asks for the interpreter's lock.
        stopping = select.poll()
        stopping.register(self._stopping, select.POLLIN)
        due_us = clock() + holds.wait_us
        while not stopping.poll(max(1, -((clock() - due_us) // 1000))):
            running = scheduler.guest or scheduler.running
            found = None if running is None else (scheduler.turns_total, running)
            if holds.look(due_us, clock(), found, scheduler.now_us()) and running is not None:
                self._report(self._message(running))
            due_us = clock() + holds.wait_us

    def _message(self, holder: object) -> str:
        frame = sys._current_frames().get(self._runner)
        stack = traceback.extract_stack(frame) if frame is not None else []
        ours = [entry for entry in stack if entry.filename not in MACHINERY][-FRAMES_SHOWN:]
        held_ms = self._held_us_max // 1000
        lines = "".join(traceback.format_list(ours))
        return f"{holder!r} holds the loop for more than {held_ms} ms, now at:\n{lines}".rstrip()
