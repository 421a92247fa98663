"""A server and its network in virtual time: connections that answer as a script says, without a socket.

Owns the fates of requests. What it hands out are coroutines where a stream has system calls: whoever awaits
sees no difference.
"""

import errno
from collections.abc import Callable
from random import Random
from typing import Any

from gossamer.core.clock import NEVER_US, SECOND_US, VirtualClock
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.virtual import VirtualWaiter
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.scheduler import Scheduler
from gossamer.loadtest import client
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.result import result_of
from gossamer.loadtest.run import LoadRun
from gossamer.loadtest.seat import Seat
from gossamer.loadtest.summary import summary
from gossamer.loadtest.target import Target
from gossamer.loadtest.timeline import Interval

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

Fate = Callable[[int], tuple[int, bytes | OSError | None]]
"""fate(now_us) -> after so long, an answer, an error, or None: the server closes."""


class VirtualStream:
    """One connection: each request that is sent has its fate at once."""

    def __init__(self, clock: VirtualClock, fate: Fate) -> None:
        self._clock, self._fate = clock, fate
        self._coming: list[tuple[int, bytes | OSError | None]] = []

    async def send(self, data: bytes, timeout_us: int = NEVER_US) -> None:
        del timeout_us
        for _ in range(data.count(b"\r\n\r\n")):
            after_us, what = self._fate(self._clock())
            self._coming.append((self._clock() + after_us, what))

    async def recv(self, bytes_max: int = 65536, timeout_us: int = NEVER_US) -> bytes:
        del bytes_max
        until_us = self._clock() + timeout_us
        at_us, what = self._coming[0] if self._coming else (NEVER_US, None)
        if at_us > until_us:
            await sys_sleep(timeout_us)
            raise TimeoutError("no answer in time")
        if at_us > self._clock():
            await sys_sleep(at_us - self._clock())
        self._coming.pop(0)
        if isinstance(what, OSError):
            raise what
        return what or b""

    async def close(self) -> None:
        """Nothing is held."""

    async def abort(self) -> None:
        """Nothing is held."""


class VirtualConnector:
    """Opens them, or refuses."""

    def __init__(self, clock: VirtualClock, fate: Fate, connect: Callable[[], tuple[int, bool]]) -> None:
        self._clock, self._fate, self._connect = clock, fate, connect

    async def connect(
        self, address: object, timeout_us: int = NEVER_US, options: object = None
    ) -> VirtualStream:
        del address, options
        after_us, is_open = self._connect()
        await sys_sleep(min(after_us, timeout_us))
        if after_us > timeout_us:
            raise TimeoutError("no connection in time")
        if not is_open:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        return VirtualStream(self._clock, self._fate)


class Silent:
    """A display that shows nothing."""

    def show(self, run: LoadRun, now_us: int) -> None:
        """Nothing."""

    def tell(self, interval: Interval) -> None:
        """Nothing."""


def at_once() -> tuple[int, bool]:
    return 100, True


def perform(
    fate: Fate,
    connect: Callable[[], tuple[int, bool]] = at_once,
    interrupt_us: int = 0,
    seat: Seat | None = None,
    **asked: Any,
) -> LoadRun:
    """A whole run in virtual time, or until it is interrupted so long after its beginning."""
    clock = VirtualClock()
    asked = {"connections": 4, "duration_us": SECOND_US, "requests_max": 1_000_000_000} | asked
    options = LoadOptions(Target("a:1", "/", (("192.0.2.1", 80),)), **asked)
    connector: Any = VirtualConnector(clock, fate, connect)
    run = LoadRun(options, connector, clock, seat)
    scheduler = Scheduler(VirtualWaiter(clock), [SleepLoop()], clock)

    async def whole() -> None:
        display: Any = Silent()
        await client.conduct(run, display)
        scheduler.stop()

    async def interrupts() -> None:
        await sys_sleep(interrupt_us)
        run.is_interrupted = run.is_stopped = True
        scheduler.stop()

    scheduler.spawn(whole())
    if interrupt_us:
        scheduler.spawn(interrupts())
    scheduler.run()
    scheduler.close()
    run.end()
    return run


def random_fates(seed: int, delay_us: int) -> Fate:
    """Answers mostly, after some time; errors, closed connections and silence too."""
    random = Random(seed)

    def fate(_now_us: int) -> tuple[int, bytes | OSError | None]:
        after_us = int(random.expovariate(1 / delay_us))
        what = random.choices(("answer", "reset", "close", "never", "garbage"), (90, 3, 3, 2, 2))[0]
        fates: dict[str, tuple[int, bytes | OSError | None]] = {
            "answer": (after_us, ANSWER),
            "reset": (after_us, ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")),
            "close": (after_us, None),
            "never": (NEVER_US, None),
            "garbage": (after_us, b"SSH-2.0\r\n\r\n"),
        }
        return fates[what]

    return fate


def found_of(run: LoadRun) -> dict[str, Any]:
    """What `--json` says of a run."""
    return summary(result_of(run))
