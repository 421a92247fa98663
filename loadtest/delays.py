"""A server of known delays, as a process: what a load generator must say of it is arithmetic.

    python -m gossamer.loadtest.delays one-percent      prints its port, serves until its input ends

Owns the delays, pure functions of a request's number and of the time since the first, and the few lines that
keep them. It parses no more than the end of a head.
"""

import select
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from gossamer.core.clock import NEVER_US, SECOND_US, monotonic_us
from gossamer.core.io.sock import SockAcceptor
from gossamer.core.io.stream import Stream
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.descriptor import DescriptorLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.calls import sys_epoll_wait, sys_fork, sys_sleep
from gossamer.core.threads.scheduler import Scheduler

ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BACKLOG: Final = 4_096

CALM_US: Final = 4_000
AWAKE_US: Final = 300

QUICK_US: Final = 1_000
PERIOD_US: Final = 5 * SECOND_US
STALL_US: Final = SECOND_US

Delay = Callable[[int, int], int]
"""delay(number of the request, time since the first) -> how long it takes. Units: microseconds."""


def constant(_number: int, _since_us: int) -> int:
    """10 ms, always."""
    return 10_000


def one_percent(number: int, _since_us: int) -> int:
    """1 ms, and 200 ms for one in a hundred."""
    return 200_000 if number % 100 == 50 else QUICK_US


def stall(_number: int, since_us: int) -> int:
    """1 ms; but in the last second of each five, nothing is answered before its end."""
    into_us = since_us % PERIOD_US
    return QUICK_US + max(0, PERIOD_US - into_us if into_us >= PERIOD_US - STALL_US else 0)


def hangs(number: int, _since_us: int) -> int:
    """1 ms, and one in twenty is never answered."""
    return NEVER_US if number % 20 == 10 else QUICK_US


DELAYS: Final[dict[str, Delay]] = {
    "constant": constant,
    "one-percent": one_percent,
    "stall": stall,
    "hangs": hangs,
}


class DelayServer:
    """Answers each request after its delay."""

    def __init__(self, delay: Delay) -> None:
        self.delay = delay
        self.requests = 0
        self.first_us = self.last_us = 0

    async def wait_until(self, now_us: int, due_us: int) -> None:
        """Sleep; the last of it awake where nobody else asks: a machine at rest takes a while to wake."""
        is_calm = now_us - self.last_us > CALM_US
        self.last_us = now_us
        await sys_sleep(due_us - now_us - (AWAKE_US if is_calm else 0))
        while monotonic_us() < due_us:
            pass

    async def serve(self, stream: Stream) -> None:
        """One connection; one request at a time."""
        try:
            while await stream.recv():
                now_us = monotonic_us()
                if not self.requests:
                    self.first_us = now_us
                delay_us = self.delay(self.requests, now_us - self.first_us)
                self.requests += 1
                await self.wait_until(now_us, now_us + delay_us)
                await stream.send(ANSWER)
            await stream.close()
        except OSError:
            await stream.abort()

    async def accept_all(self, acceptor: SockAcceptor) -> None:
        """A thread for each connection."""
        while True:
            await sys_fork(self.serve(await acceptor.accept()))


def main() -> None:
    """The process."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    loops: list[Any] = [SleepLoop(), SockLoop(), DescriptorLoop()]
    scheduler = Scheduler(EpollWaiter(), loops, monotonic_us)

    async def until_input_ends() -> None:
        await sys_epoll_wait(sys.stdin.fileno(), select.EPOLLIN)
        scheduler.stop()

    scheduler.spawn(DelayServer(DELAYS[sys.argv[1]]).accept_all(SockAcceptor(listener)))
    scheduler.spawn(until_input_ends())
    print(listener.getsockname()[1], flush=True)
    scheduler.run()
    scheduler.close()


if __name__ == "__main__":
    main()
