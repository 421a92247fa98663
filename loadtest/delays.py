"""A server of known delays, as a process: what a load generator must say of it is arithmetic.

    python -m gossamer.loadtest.delays one-percent      prints its port, serves until its input ends, and says
                                                        how often it was late itself

Owns the delays, pure functions of a request's number and of the time since the first, and the loop that keeps
them. That is bare epoll, so that the scheduler which is tried does not stand on both sides. It parses no more
than the end of a head.
"""

import contextlib
import gc
import json
import select
import socket
import sys
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.clock import monotonic_us as now_us
from gossamer.ffi.timer import Timer

ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BACKLOG: Final = 4_096
EVENTS_MAX: Final = 512

QUICK_US: Final = 10_000
SLOW_US: Final = 200_000
PERIOD_US: Final = 5 * SECOND_US
STALL_US: Final = SECOND_US

CALM_US: Final = 4_000
LATE_US: Final = 150
"""An answer that leaves so long after its time was late."""
AWAKE_US: Final = 300
"""After such a pause, the last of a delay is waited for awake: a machine at rest takes a while to wake."""

Delay = Callable[[int, int], int]
"""delay(number of the request, time since the first) -> how long it takes. Units: microseconds."""


def constant(_number: int, _since_us: int) -> int:
    """10 ms, always."""
    return QUICK_US


def one_percent(number: int, _since_us: int) -> int:
    """10 ms, and 200 ms for one in a hundred."""
    return SLOW_US if number % 100 == 50 else QUICK_US


def stall(_number: int, since_us: int) -> int:
    """10 ms; but in the last second of each five, nothing is answered before its end."""
    into_us = since_us % PERIOD_US
    return max(QUICK_US, PERIOD_US - into_us if into_us >= PERIOD_US - STALL_US else 0)


def hangs(number: int, _since_us: int) -> int:
    """10 ms, and one in twenty is never answered."""
    return NEVER_US if number % 20 == 10 else QUICK_US


DELAYS: Final[dict[str, Delay]] = {
    "constant": constant,
    "one-percent": one_percent,
    "stall": stall,
    "hangs": hangs,
}


class DelayServer:
    """Answers each request after its delay; one request at a time on a connection."""

    def __init__(self, listener: socket.socket, delay: Delay) -> None:
        self.listener = listener
        self.delay = delay
        self.requests = 0
        self.first_us = self.last_us = 0
        self.awake_us = 0
        """How long before an answer to be awake just now."""
        self.answers = self.late = 0
        self.sockets: dict[int, socket.socket] = {}
        self.due: list[tuple[int, int, socket.socket]] = []
        self.timer = Timer()
        self.epoll = select.epoll()
        for fd in (listener.fileno(), self.timer.fd, sys.stdin.fileno()):
            self.epoll.register(fd, select.EPOLLIN | (select.EPOLLET if fd == self.timer.fd else 0))

    def serve(self) -> None:
        """Until the input ends."""
        while True:
            for fd, _ in self.epoll.poll(-1, EVENTS_MAX):
                if fd in self.sockets:
                    self.receive(self.sockets[fd])
                elif fd == self.listener.fileno():
                    self.accept()
                elif fd == sys.stdin.fileno():
                    return
            self.answer()

    def accept(self) -> None:
        """One more connection."""
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets[sock.fileno()] = sock
        self.epoll.register(sock.fileno(), select.EPOLLIN)

    def receive(self, sock: socket.socket) -> None:
        """A request, or the end of a connection."""
        arrived_us = now_us()
        try:
            data = sock.recv(65_536)
        except OSError:
            data = b""
        if not data:
            del self.sockets[sock.fileno()]
            sock.close()
            return
        self.first_us = self.first_us or arrived_us
        delay_us = self.delay(self.requests, arrived_us - self.first_us)
        self.requests += 1
        self.awake_us = AWAKE_US if arrived_us - self.last_us > CALM_US else 0
        self.last_us = arrived_us
        if delay_us < NEVER_US:
            heappush(self.due, (arrived_us + delay_us, self.requests, sock))

    def answer(self) -> None:
        """All that is due, or so soon that sleeping would be late."""
        due = self.due
        while due and due[0][0] <= now_us() + self.awake_us:
            at_us, _, sock = heappop(due)
            while (sent_us := now_us()) < at_us:
                pass
            self.answers += 1
            self.late += sent_us - at_us > LATE_US
            if sock.fileno() >= 0:
                self.send(sock)
        if due:
            self.timer.set(due[0][0] - self.awake_us)

    def send(self, sock: socket.socket) -> None:
        """The answer, if somebody still waits for it."""
        with contextlib.suppress(OSError):
            sock.send(ANSWER)


def main() -> None:
    """The process."""
    with socket.create_server(("127.0.0.1", 0), backlog=BACKLOG) as listener:
        server = DelayServer(listener, DELAYS[sys.argv[1]])
        print(listener.getsockname()[1], flush=True)
        gc.disable()  # nothing here makes circles, and a collection would be a delay
        server.serve()
        print(json.dumps({"answers": server.answers, "late": server.late}), flush=True)


if __name__ == "__main__":
    main()
