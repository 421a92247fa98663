"""The heart of a worker: it beats in a turn of the scheduler, however many threads wait for theirs.

Owns when the next beat is due. As a thread of its own it would stand in the ready queue behind everybody whom
an event has woken: 100,000 idle connections that are closed at once would stop it for seconds.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import Handler, SystemCall

HEARTBEAT_US: Final = 100_000


class Heart:
    """A loop that calls `beat` about every HEARTBEAT_US, while turns go on."""

    takes: Mapping[type[SystemCall[Any]], Handler] = MappingProxyType({})

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._due_us = 0

    def start(self, scheduler: SchedulerPort) -> None:
        """Nothing is asked of the scheduler."""

    def turn(self, now_us: int) -> int:
        """Beat if it is time; when it is again."""
        if self._due_us <= now_us:
            self._beat()
            self._due_us = now_us + HEARTBEAT_US
        return self._due_us

    def close(self) -> None:
        """Nothing is held."""
