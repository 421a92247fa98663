"""The part of the socket loop that lets a closed connection linger.

Owns the sockets that were closed by us while input stood unread in them. The kernel answers such a close
with a RST, and the peer's kernel then throws away what we sent and it has not read yet. So our side is shut
down, what comes is read and dropped until the peer's FIN, and only then the socket is closed.

It cannot know of input that is still on its way: a server that answers before it has read the whole request
has to read on, after `shutdown`, before it closes.

Source: RFC 9293 3.6.1 ("If such a host issues a CLOSE call while received data is still pending in the TCP
connection, or if new data is received after CLOSE is called, its TCP implementation SHOULD send a RST");
RFC 9112 9.6."""

from functools import partial
from select import EPOLLET, EPOLLIN, EPOLLRDHUP
from socket import SHUT_WR, SocketType
from typing import Final

from gossamer.core.clock import SECOND_US
from gossamer.core.loop.sock.call import Connection
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.eventloop import SchedulerPort

LINGER_US: Final = 2 * SECOND_US
LINGER_BYTES_MAX: Final = 1 << 20
"""Input dropped of one connection; whoever sends more is reset."""
LINGERING_MAX: Final = 1024
"""Sockets that linger at once; the next is closed without."""
STEP_BYTES: Final = 65536
EXPIRED_MAX: Final = 256


class LingerSide:
    """Takes over sockets and closes them later."""

    def __init__(self) -> None:
        self.dropped_bytes: dict[SocketType, int] = {}
        """What was dropped of each socket that lingers."""
        self._deadlines: DeadlineHeap[SocketType] = DeadlineHeap()

    def __len__(self) -> int:
        return len(self.dropped_bytes)

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler

    def turn(self, now_us: int) -> int:
        """Close those that have lingered long enough; when the next have."""
        if self._deadlines.next_at_us <= now_us:
            for sock in self._deadlines.pop_due(now_us, EXPIRED_MAX):
                self._finish(sock)
        return self._deadlines.next_at_us

    def close(self) -> None:
        """Close them all."""
        for sock in tuple(self.dropped_bytes):
            self._finish(sock)
        self._deadlines.clear()

    def takes_over(self, connection: Connection) -> bool:
        """Whether input stands unread; the socket is then watched and closed from here."""
        if len(self.dropped_bytes) >= LINGERING_MAX:
            return False
        sock = connection.sock
        try:
            if not sock.recv(STEP_BYTES):
                return False
            sock.shutdown(SHUT_WR)
        except OSError:
            return False
        self.dropped_bytes[sock] = STEP_BYTES
        self._deadlines.push(self._scheduler.now_us() + LINGER_US, sock)
        # A fresh registration: what is ready already is reported again.
        self._scheduler.watch(sock.fileno(), EPOLLIN | EPOLLRDHUP | EPOLLET, partial(self._drop, sock))
        return True

    def _drop(self, sock: SocketType, _events: int) -> None:
        """Read and drop what is there; close at the peer's end or at the bound."""
        while self.dropped_bytes[sock] < LINGER_BYTES_MAX:
            try:
                if not sock.recv(STEP_BYTES):
                    break
            except BlockingIOError:
                return
            except OSError:
                break
            self.dropped_bytes[sock] += STEP_BYTES
        self._finish(sock)

    def _finish(self, sock: SocketType) -> None:
        """Close it, unless that was done already."""
        if self.dropped_bytes.pop(sock, None) is not None:
            self._scheduler.unwatch(sock.fileno())
            sock.close()
