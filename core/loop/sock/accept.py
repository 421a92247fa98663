"""The part of the socket loop that accepts.

Owns the listeners and the threads blocked in accept on them. A listener is asked when a thread wants a
connection and is watched, edge-triggered, while none is there; how many are accepted in a row is bounded by
the scheduler (CALLS_IN_A_ROW_MAX). Where the process is out of descriptors or memory the listener rests,
since the connection stays in the kernel's queue and asking on would spin. A cancelled accept has taken no
connection.

Source: accept(2), epoll(7).
"""

import errno
import os
from collections.abc import Callable, Mapping
from select import EPOLLET, EPOLLIN
from socket import AF_UNIX, SOCK_STREAM, SocketType
from typing import Any, Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import without_frames
from gossamer.core.loop.sock.call import Connection, Listener, SockAccept, SockListenClose
from gossamer.core.loop.sock.no_room import ACCEPT_PAUSE_US, NO_ROOM
from gossamer.core.loop.streamcall import listener_closed
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.ffi.accept import PeerName, accept_nonblocking

LISTENER_EVENTS: Final = EPOLLIN | EPOLLET

# accept(2), "Error handling": "Linux accept() passes already-pending network errors on the new socket as an
# error code from accept(). [...] treat them like EAGAIN by retrying." Each takes a connection off the queue.
GONE: Final = frozenset(
    {
        errno.ECONNABORTED,
        errno.EINTR,
        errno.EPERM,
        errno.ENETDOWN,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
    }
)


class AcceptSide:
    """Takes the calls on listeners; `adopt` is given each accepted connection."""

    def __init__(self, adopt: Callable[[Connection], None]) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            SockAccept: self._accept,
            SockListenClose: self._close_listener,
        }
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {SockAccept: self._withdraw}
        self.accepted_total = 0
        self.pauses_total = 0
        self.rest_until_us = NEVER_US
        self._adopt = adopt
        self._listeners: set[Listener] = set()
        self._resting: set[Listener] = set()
        self._peer_name = PeerName()

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def end_rest(self) -> None:
        """Let the listeners that rest accept again."""
        self.rest_until_us = NEVER_US
        resting, self._resting = self._resting, set()
        for listener in resting:
            self._ready(listener)

    def close(self) -> None:
        """Close every listener that was ever waited on."""
        for listener in tuple(self._listeners):
            self._release(listener)

    def _accept(self, thread: Thread[Any], call: SockAccept) -> Any:
        listener: Listener = call.listener
        if listener.is_closed:
            raise listener_closed()
        if listener.can_accept and not listener.threads:
            connection = self._try_accept(listener)
            if connection is not None:
                return connection
        listener.threads.append(thread)
        if not listener.is_watched:
            self._watch(listener)
        return BLOCKED

    def _withdraw(self, thread: Thread[Any], call: SockAccept) -> bool:
        listener: Listener = call.listener
        listener.threads.remove(thread)
        return True

    def _watch(self, listener: Listener) -> None:
        listener.is_watched = True
        self._listeners.add(listener)
        self._scheduler.watch(listener.sock.fileno(), LISTENER_EVENTS, lambda _events: self._ready(listener))

    def _ready(self, listener: Listener) -> None:
        """Accept for the blocked threads, one connection each."""
        if listener in self._resting:
            return
        listener.can_accept = True
        while listener.threads and listener.can_accept:
            try:
                connection = self._try_accept(listener)
            except OSError as error:
                self._scheduler.throw(listener.threads.popleft(), without_frames(error))
                continue
            if connection is not None:
                self._scheduler.resume(listener.threads.popleft(), connection)

    def _try_accept(self, listener: Listener) -> Connection | None:
        """Accept a connection; None, and `can_accept` is off, where that has to wait. Raises: OSError."""
        # Bounds: the kernel's queue, since each round takes a connection off it or ends the loop.
        while True:
            fd = accept_nonblocking(listener.sock.fileno(), self._peer_name)
            if fd >= 0:
                break
            if -fd in GONE:
                continue
            listener.can_accept = False
            if -fd == errno.EAGAIN:
                return None
            if -fd not in NO_ROOM:
                raise OSError(-fd, os.strerror(-fd))
            self._rest(listener)
            return None
        # The class in C: socket.socket's own accept and constructor cost three times as much.
        connection = listener.make_connection(SocketType(listener.family, SOCK_STREAM, 0, fd))
        if listener.family != AF_UNIX:
            connection.keep_peer(self._peer_name.take())
        connection.begin(self._scheduler.now_us())
        self._adopt(connection)
        self.accepted_total += 1
        return connection

    def _rest(self, listener: Listener) -> None:
        self.pauses_total += 1
        self._resting.add(listener)
        self.rest_until_us = min(self.rest_until_us, self._scheduler.now_us() + ACCEPT_PAUSE_US)

    def _close_listener(self, _thread: Thread[Any], call: SockListenClose) -> None:
        if not call.listener.is_closed:
            self._release(call.listener)

    def _release(self, listener: Listener) -> None:
        listener.is_closed = True
        self._listeners.discard(listener)
        self._resting.discard(listener)
        if listener.is_watched:
            self._scheduler.unwatch(listener.sock.fileno())
        listener.sock.close()
        while listener.threads:
            self._scheduler.throw(listener.threads.popleft(), listener_closed())
