"""The loop that takes `sys_epoll_wait`: one thread waits for one descriptor.

Two ways to wait, epoll's own. Level-triggered: `sys_epoll_wait` returns when the descriptor is ready, and
registers it anew at each call. Edge-triggered: an `EdgeWatch` stays registered, and reports what is new since
it was asked last.

Owns which thread waits for which descriptor, and the edges that no thread has asked for yet. It does not know
what the descriptor is for, nor when somebody closes it: `sys_notify_closing` says so.

Source: epoll(7), "Level-triggered and edge-triggered"; close(2), "Multithreaded processes and close()".
"""

import errno
import os
from collections.abc import Mapping
from functools import partial
from select import EPOLLET, EPOLLEXCLUSIVE, EPOLLONESHOT
from typing import Any, Final

from gossamer.core.errors import MisuseError, misuse
from gossamer.core.threads.calls import EpollWait, NotifyClosing, check_events, check_fd
from gossamer.core.threads.eventloop import PassiveLoop, SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Thread

NOT_FOR_EDGES: Final = EPOLLONESHOT | EPOLLEXCLUSIVE
"""How long a descriptor is watched, and with whom: an `EdgeWatch` decides that itself."""


AS_ANOTHERS: Final = "as that of a stream, a pipe or a loop"


class EdgeWatch:
    """Watches a descriptor from the first `wait` to `close`, edge-triggered.

        async with EdgeWatch(fd, EPOLLIN) as watch:
            while True:
                events = await watch.wait()
                ...  # read until BlockingIOError: what is left over makes no new edge

    The first wait finds what is ready already. Edges that come while nobody waits are joined and handed to
    the next wait, so none is lost. The descriptor stays the caller's: close the watch first, then it.

    Bounds: one thread waits at a time; what is remembered is one set of event bits.
    """

    __slots__ = ("events", "fd", "is_closed", "pending", "thread")

    def __init__(self, fd: int, events: int) -> None:
        check_fd("EdgeWatch: fd", fd)
        check_events("EdgeWatch: events", events)
        if events & NOT_FOR_EDGES:
            raise MisuseError(f"events {events:#x}: an EdgeWatch takes no EPOLLONESHOT and no EPOLLEXCLUSIVE")
        self.fd: int = fd
        self.events: int = events
        self.is_closed: bool = False
        self.pending: int = 0
        """Event bits that came since the last wait."""
        self.thread: Thread[Any] | None = None
        """The thread that waits."""

    def wait(self) -> SystemCall[int]:
        """Wait for the next edge; returns the event bits of all that came since the last wait.

        Raises: OSError (EBADF); ConnectionAbortedError when the watch is closed; MisuseError where another
        thread, or another watch, waits for the descriptor, and for what cannot be watched, a regular file.
        """
        return EdgeWait(self)

    def close(self) -> SystemCall[None]:
        """Stop watching; a blocked wait raises ConnectionAbortedError. Twice is harmless."""
        return EdgeClose(self)

    async def __aenter__(self) -> "EdgeWatch":
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()


def _check_watch(found: object) -> None:
    if not isinstance(found, EdgeWatch):
        raise misuse("watch", found, "an EdgeWatch")


class EdgeWait(SystemCall[int], frozen=True):
    """See `EdgeWatch.wait`."""

    watch: EdgeWatch

    def __post_init__(self) -> None:
        _check_watch(self.watch)


class EdgeClose(SystemCall[None], frozen=True):
    """See `EdgeWatch.close`."""

    watch: EdgeWatch

    def __post_init__(self) -> None:
        _check_watch(self.watch)


class DescriptorLoop(PassiveLoop):
    """Wakes the thread that waits for a descriptor."""

    def __init__(self) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            EpollWait: self._epoll_wait,
            EdgeWait: self._edge_wait,
            EdgeClose: self._edge_close,
            NotifyClosing: self._notify_closing,
        }
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {
            EpollWait: self._cancel,
            EdgeWait: self._cancel_edge,
        }
        self._waiting: dict[int, Thread[Any]] = {}
        self._edges: dict[int, EdgeWatch] = {}

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def close(self) -> None:
        """Stop watching everything."""
        for fd in (*self._waiting, *self._edges):
            self._scheduler.unwatch(fd)
        self._waiting.clear()
        self._edges.clear()

    def _check_free(self, fd: int) -> None:
        """Raises: OSError, MisuseError where the descriptor cannot be watched."""
        if fd in self._waiting:
            raise MisuseError(f"{self._waiting[fd]!r} waits for descriptor {fd} already")
        if fd in self._edges:
            raise MisuseError(f"an EdgeWatch that is not closed watches descriptor {fd} already")
        if fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._scheduler.is_watched(fd):
            # To watch it would take it away from whoever does: another connection would never hear again.
            raise MisuseError(f"descriptor {fd} is watched already, {AS_ANOTHERS}")

    # Level-triggered: one registration for one answer.

    def _epoll_wait(self, thread: Thread[Any], call: EpollWait) -> Any:
        self._check_free(call.fd)
        self._scheduler.watch(call.fd, call.events | EPOLLONESHOT, partial(self._wake, call.fd))
        self._waiting[call.fd] = thread
        return BLOCKED

    def _cancel(self, _thread: Thread[Any], call: EpollWait) -> bool:
        del self._waiting[call.fd]
        self._scheduler.forget(call.fd)
        return True

    def _wake(self, fd: int, events: int) -> None:
        self._scheduler.unwatch(fd)
        self._scheduler.resume(self._waiting.pop(fd), events)

    # Edge-triggered: one registration for the life of the watch.

    def _edge_wait(self, thread: Thread[Any], call: EdgeWait) -> Any:
        watch = call.watch
        if watch.is_closed:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the watch is closed")
        if watch.thread is not None:
            raise MisuseError(f"{watch.thread!r} waits for descriptor {watch.fd} already")
        if self._edges.get(watch.fd) is not watch:
            self._check_free(watch.fd)
            self._scheduler.watch(watch.fd, watch.events | EPOLLET, partial(self._edge, watch))
            self._edges[watch.fd] = watch
        if watch.pending:
            events, watch.pending = watch.pending, 0
            return events
        watch.thread = thread
        return BLOCKED

    def _edge(self, watch: EdgeWatch, events: int) -> None:
        if watch.thread is None:
            watch.pending |= events
        else:
            thread, watch.thread = watch.thread, None
            self._scheduler.resume(thread, events)

    def _cancel_edge(self, _thread: Thread[Any], call: EdgeWait) -> bool:
        """The registration stays: an edge that comes now is reported to the next wait."""
        call.watch.thread = None
        return True

    def _edge_close(self, _thread: Thread[Any], call: EdgeClose) -> None:
        self._end_watch(call.watch, "the watch was closed by another thread")

    def _end_watch(self, watch: EdgeWatch, why: str) -> None:
        watch.is_closed = True
        if self._edges.get(watch.fd) is not watch:
            return
        del self._edges[watch.fd]
        self._scheduler.forget(watch.fd)
        if watch.thread is not None:
            thread, watch.thread = watch.thread, None
            self._scheduler.throw(thread, ConnectionAbortedError(errno.ECONNABORTED, why))

    # Notices to both kinds of waits.

    def _notify_closing(self, _thread: Thread[Any], call: NotifyClosing) -> None:
        fd = call.fd
        why = f"descriptor {fd} is closed by another thread"
        if fd in self._edges:
            self._end_watch(self._edges[fd], why)
        elif fd in self._waiting:
            thread = self._waiting.pop(fd)
            self._scheduler.forget(fd)
            self._scheduler.throw(thread, ConnectionAbortedError(errno.ECONNABORTED, why))
        elif self._scheduler.is_watched(fd):
            raise MisuseError(f"descriptor {fd} is watched {AS_ANOTHERS}: close that")
