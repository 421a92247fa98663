"""The loop that takes `sys_sleep`.

Owns the sleeping threads. A sleep is never early: it counts from the call, not from the turn in which that
is made. On a quiet machine it is at most 0.2 ms late, where the waiter has a timer that counts microseconds;
else at most one millisecond, as fine as epoll counts.

The timer is set anew only when another sleeper is the next, once a turn: descriptors that become ready
meanwhile cost nothing, and a program in which nobody sleeps has none.
"""

from collections.abc import Mapping
from typing import Any, Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import check_whole
from gossamer.core.threads.calls import Sleep
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Thread

WHOLE_US: Final = "whole microseconds; half a second is 500_000"
"""What `sys_sleep` takes; a time that is over already ends at once."""

WAKE_MAX: Final = 256
"""Sleepers woken in one turn."""

RESOLUTION_US: Final = 20
"""Sleepers of so many microseconds wake together: as fine as a wake-up is worth its system calls."""


class SleepLoop:
    """Wakes threads when their time has come."""

    def __init__(self) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {Sleep: self._sleep}
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {Sleep: self._cancel}
        self._until_us: dict[Thread[Any], int] = {}
        """Of the sleepers in a cancel scope, when they wake."""
        self._sleepers: DeadlineHeap[Thread[Any]] = DeadlineHeap(RESOLUTION_US)
        self._armed_us = NEVER_US
        """When the timer rings."""

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def turn(self, now_us: int) -> int:
        """Wake at most WAKE_MAX sleepers, and have the timer ring for the next."""
        next_us = self._sleepers.next_at_us
        if next_us <= now_us:
            self._wake(now_us)
            next_us = self._sleepers.next_at_us
        if next_us != self._armed_us and now_us < next_us < NEVER_US:
            self._armed_us = next_us
            self._scheduler.wake_at(next_us, self._ring)
        return next_us

    def _ring(self, _events: int) -> None:
        """The timer's time has come: who is due runs in this very turn."""
        now_us = self._scheduler.clock()
        if self._sleepers.next_at_us <= now_us:
            self._armed_us = NEVER_US
            self._wake(now_us)

    def _wake(self, now_us: int) -> None:
        for thread in self._sleepers.pop_due(now_us, WAKE_MAX):
            if thread.scope is not None:
                self._until_us.pop(thread, None)
            self._scheduler.resume(thread)

    def close(self) -> None:
        """Forget the sleepers."""
        self._sleepers.clear()
        self._until_us.clear()

    def _sleep(self, thread: Thread[Any], call: Sleep) -> Any:
        if type(call.us) is not int:
            check_whole("sys_sleep: us", call.us, -NEVER_US, NEVER_US, WHOLE_US)
        if call.us <= 0:
            self._scheduler.resume(thread)
        else:
            until_us = self._scheduler.clock() + call.us
            self._sleepers.push(until_us, thread)
            if thread.scope is not None:
                self._until_us[thread] = until_us
        return BLOCKED

    def _cancel(self, thread: Thread[Any], _call: Sleep) -> bool:
        until_us = self._until_us.pop(thread, None)
        if until_us is None:
            return False
        self._sleepers.discard(until_us, thread)
        return True
