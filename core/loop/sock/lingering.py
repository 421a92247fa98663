"""Closes that linger: a thread that has set `linger_us` waits in close until the peer has acknowledged all.

Owns the sockets that are closed so, and the threads that wait. The kernel's own SO_LINGER would stop the
whole process in close(2), and no event of epoll says that a FIN was acknowledged: the state of the connection
is asked for every POLL_US, of these sockets alone.

Bounds: WAITING_MAX sockets; a further close does not wait.

Source: socket(7), SO_LINGER; tcp(7), TCP_INFO.
"""

import errno
import os
from collections.abc import Callable
from socket import IPPROTO_TCP, SHUT_WR, SO_ERROR, SO_LINGER, SOL_SOCKET, TCP_INFO
from typing import Any, Final

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.sock.call import Connection
from gossamer.core.loop.sock.option import RESET_ON_CLOSE
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.thread import Thread

POLL_US: Final = 10_000
WAITING_MAX: Final = 1024

DONE_STATES: Final = frozenset((5, 6, 7))
"""FIN-WAIT-2, TIME-WAIT, CLOSED, as TCP_INFO numbers them."""


class WaitSide:
    """Makes threads wait in close; `release` closes a socket at last."""

    def __init__(self, release: Callable[[Connection], None]) -> None:
        self._release = release
        self.waiting: dict[Connection, tuple[Thread[Any], int]] = {}
        """The thread that waits in the close of each connection, and until when."""
        self._next_us = NEVER_US

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def takes_over(self, thread: Thread[Any], connection: Connection) -> bool:
        """Whether the thread waits from now on: not where all is acknowledged, or nobody would."""
        if connection in self.waiting or len(self.waiting) >= WAITING_MAX:
            return False
        try:
            connection.sock.shutdown(SHUT_WR)
        except OSError:
            return False
        if self._is_done(connection):
            return False
        now_us = self._scheduler.now_us()
        self.waiting[connection] = (thread, now_us + connection.linger_us)
        self._next_us = min(self._next_us, now_us + POLL_US)
        return True

    def turn(self, now_us: int) -> int:
        """Wake those who are done, or have waited long enough; when the states are looked at again."""
        if self._next_us <= now_us:
            self._look(now_us)
        return self._next_us

    def _look(self, now_us: int) -> None:
        for connection, (thread, until_us) in tuple(self.waiting.items()):
            if connection.is_closed:
                self.waiting.pop(connection)
                self._scheduler.throw(thread, ConnectionAbortedError(errno.ECONNABORTED, "aborted meanwhile"))
            elif self._is_done(connection):
                self._finish(connection, thread)
            elif until_us <= now_us:
                connection.sock.setsockopt(SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
                self.waiting.pop(connection)
                self._release(connection)
                self._scheduler.throw(thread, TimeoutError("not all was acknowledged while close lingered"))
        self._next_us = now_us + POLL_US if self.waiting else NEVER_US

    def _finish(self, connection: Connection, thread: Thread[Any]) -> None:
        code = connection.sock.getsockopt(SOL_SOCKET, SO_ERROR)
        self.waiting.pop(connection)
        self._release(connection)
        if code:
            self._scheduler.throw(thread, OSError(code, os.strerror(code)))
        else:
            self._scheduler.resume(thread, None)

    @staticmethod
    def _is_done(connection: Connection) -> bool:
        return connection.sock.getsockopt(IPPROTO_TCP, TCP_INFO, 1)[0] in DONE_STATES
