"""The loop that takes `sys_epoll_wait`: one thread waits for one descriptor.

Owns which thread waits for which descriptor. What the descriptor is for, it does not know.
"""

import errno
import os
import select
from collections.abc import Mapping
from functools import partial
from typing import Any

from gossamer.core.errors import GossamerError
from gossamer.core.threads.calls import EpollWait
from gossamer.core.threads.eventloop import PassiveLoop, SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Thread


class DescriptorLoop(PassiveLoop):
    """Wakes the thread that waits for a descriptor, once per call."""

    def __init__(self) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {EpollWait: self._epoll_wait}
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {EpollWait: self._cancel}
        self._waiting: dict[int, Thread[Any]] = {}

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def close(self) -> None:
        """Stop watching everything."""
        for fd in self._waiting:
            self._scheduler.unwatch(fd)
        self._waiting.clear()

    def _epoll_wait(self, thread: Thread[Any], call: EpollWait) -> Any:
        if call.fd in self._waiting:
            raise GossamerError(f"{self._waiting[call.fd]!r} waits for descriptor {call.fd} already")
        if call.fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        self._scheduler.watch(call.fd, call.events | select.EPOLLONESHOT, partial(self._wake, call.fd))
        self._waiting[call.fd] = thread
        return BLOCKED

    def _cancel(self, _thread: Thread[Any], call: EpollWait) -> bool:
        del self._waiting[call.fd]
        self._scheduler.unwatch(call.fd)
        return True

    def _wake(self, fd: int, events: int) -> None:
        self._scheduler.unwatch(fd)
        self._scheduler.resume(self._waiting.pop(fd), events)
