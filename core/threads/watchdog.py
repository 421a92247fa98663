"""Names the thread that holds the loop for too long.

A lightweight thread that computes, or makes a blocking call of the operating system, stops all the others. It
cannot be seen from inside the loop, which is what stands still: an operating-system thread looks on, a few
times in the limit, and tells of one and the same turn of one and the same thread.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final, Protocol

from gossamer.core.clock import SECOND_US
from gossamer.core.threads.thread import Thread

log = logging.getLogger(__name__)

HELD_US_MAX: Final = 100_000
"""How long a thread may hold the loop before it is named."""

LOOKS: Final = 4
"""Looks in that time: a thread is named at the latest a quarter of it too late."""

FRAMES_SHOWN: Final = 6


class Watched(Protocol):
    """What the watchdog looks at."""

    turns_total: int
    running: Thread[Any] | None


class Watchdog:
    """Looks at a scheduler that the calling operating-system thread runs."""

    def __init__(
        self,
        scheduler: Watched,
        held_us_max: int = HELD_US_MAX,
        tell: Callable[[str], None] = log.warning,
    ) -> None:
        self._scheduler = scheduler
        self._held_us_max = held_us_max
        self._tell = tell
        self._runner = threading.get_ident()
        self._stopping = threading.Event()
        self._looker = threading.Thread(target=self._look_on, name="gossamer-watchdog", daemon=True)
        self._looker.start()

    def close(self) -> None:
        """Stop looking."""
        self._stopping.set()
        self._looker.join()

    def _look_on(self) -> None:
        seen: tuple[int, Thread[Any] | None] = (-1, None)
        looks = 0
        while not self._stopping.wait(self._held_us_max / LOOKS / SECOND_US):
            found = (self._scheduler.turns_total, self._scheduler.running)
            looks = looks + 1 if found == seen and found[1] is not None else 0
            seen = found
            if looks == LOOKS and found[1] is not None:
                self._tell(self._message(found[1]))

    def _message(self, thread: Thread[Any]) -> str:
        frame = sys._current_frames().get(self._runner)
        stack = traceback.format_stack(frame)[-FRAMES_SHOWN:] if frame is not None else []
        held_ms = self._held_us_max // 1000
        return f"{thread!r} holds the loop for more than {held_ms} ms, now at:\n{''.join(stack)}".rstrip()
