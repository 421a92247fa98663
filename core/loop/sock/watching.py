"""Which sockets are watched.

Owns `is_watched` of a connection's record. Each descriptor is watched once, edge-triggered, when a thread
first blocks on it; after that, a request on a living connection costs one recv and one send and no other
system call of the kernel.
"""

from collections.abc import Callable
from functools import partial
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP
from typing import Final

from gossamer.core.loop.sock.call import Connection
from gossamer.core.threads.eventloop import SchedulerPort

CONNECTION_EVENTS: Final = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET
READABLE_EVENTS: Final = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR
WRITABLE_EVENTS: Final = EPOLLOUT | EPOLLHUP | EPOLLERR
DISTRUST_EVENTS: Final = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR
"""After one of these, a short recv no longer means drained."""


class Watching:
    """Watches sockets; `on_event` is given each connection on which something happens, and the events."""

    def __init__(self, on_event: Callable[[Connection, int], None]) -> None:
        self._on_event = on_event

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def watch(self, connection: Connection) -> None:
        """Watch the socket; the kernel reports at once what is ready already."""
        connection.is_watched = True
        # One bound method for all of them: a connection's own closure would cost it 140 bytes more.
        callback = partial(self._on_event, connection)
        self._scheduler.watch(connection.sock.fileno(), CONNECTION_EVENTS, callback)

    def unwatch(self, connection: Connection) -> None:
        """It is about to be closed."""
        if connection.is_watched:
            self._scheduler.unwatch(connection.sock.fileno())
