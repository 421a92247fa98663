"""Pipes: pairs of threads that pass messages of 32 KB, with idle threads beside them.

128 writers send to 128 readers as fast as they can; up to 100,000 further threads wait for what never comes:
on pipes as far as descriptors go, the rest on channels and timers. The figures are megabytes a second of
wall-clock time, and CPU time per message. What stands in memory before is hidden from the cycle collector, in
every library alike.

Source: Li and Zdancewic, PLDI 2007, section 5.2 (FIFO pipes with mostly-idle threads; NPTL beside it).
"""

import asyncio
import gc
import os
import resource
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from gossamer.core.io.pipe import PipeReader, PipeWriter, open_pipe
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.threads.calls import sys_sleep, sys_yield
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.sync import Channel
from gossamer.loadtest.experiments.child import measure_in_child
from gossamer.loadtest.experiments.experiment import Axes, Column, Goal, Result, Values, goal
from gossamer.loadtest.experiments.rounds import Key, Pace, Round, interleaved, points_of, ratios

PAIRS: Final = 128
MESSAGE: Final = bytes(32 * 1024)
DESCRIPTORS_KEPT: Final = 64
IDLE_STEPS: Final = (0, 100, 1_000, 10_000, 100_000)
OS_THREADS_MAX: Final = 4_000
FLAT_LEAST: Final = 0.9
OS_THREADS_LEAST: Final = 1.3
ASYNCIO_LEAST: Final = 2.0
FOR_EVER_US: Final = 3_600_000_000
AXES: Final = Axes(
    "128 pairs passing 32 KB messages through pipes",
    "idle threads",
    (Column("MB/s", "MB a second", more_is_better=True), Column("CPU us a message", "CPU us a message")),
)


def idle_pipes(idle: int) -> int:
    """How many idle threads can have a pipe: two descriptors each, beside those of the pairs."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return max(0, min(idle, (limit - 4 * PAIRS - DESCRIPTORS_KEPT) // 2))


class MessageMeter:
    """Wall-clock and CPU time of the messages."""

    def __init__(self) -> None:
        gc.collect()
        gc.freeze()
        self._wall_ns, self._cpu_ns = time.perf_counter_ns(), time.process_time_ns()

    def answer(self, messages: int) -> dict[str, float]:
        """So many messages were received since it was made."""
        wall_ns, cpu_ns = time.perf_counter_ns() - self._wall_ns, time.process_time_ns() - self._cpu_ns
        return {
            "MB/s": round(messages * len(MESSAGE) / (wall_ns / 1000), 1),
            "CPU us a message": round(cpu_ns / 1000 / messages, 2),
        }


class Pairs:
    """The pairs that work, on threads of ours."""

    def __init__(self, scheduler: Scheduler, messages: int) -> None:
        self.answer: dict[str, float] = {}
        self._scheduler = scheduler
        self._messages = messages
        self._left = PAIRS

    async def begin(self, turns: int) -> None:
        """Let the idle threads go to rest, then work."""
        for _ in range(turns):
            await sys_yield()
        self._meter = MessageMeter()
        for _ in range(PAIRS):
            reader, writer = open_pipe()
            self._scheduler.spawn(self._sends(writer))
            self._scheduler.spawn(self._receives(reader))

    async def _sends(self, writer: PipeWriter) -> None:
        for _ in range(self._messages):
            await writer.send(MESSAGE)

    async def _receives(self, reader: PipeReader) -> None:
        wanted = self._messages * len(MESSAGE)
        while wanted:
            wanted -= len(await reader.recv(len(MESSAGE)))
        self._left -= 1
        if not self._left:
            self.answer = self._meter.answer(PAIRS * self._messages)
            self._scheduler.stop()


async def waits_on_pipe(reader: PipeReader) -> None:
    """An idle thread."""
    await reader.recv()


async def waits_on_channel() -> None:
    """An idle thread without a descriptor."""
    await Channel[int]().receive()


async def waits_on_timer() -> None:
    """An idle thread without a descriptor."""
    await sys_sleep(FOR_EVER_US)


def gossamer(idle: int, messages: int) -> dict[str, float]:
    """Threads of ours."""
    scheduler = Scheduler(EpollWaiter(), [FdLoop(), SleepLoop()])
    on_pipes = idle_pipes(idle)
    kept = [open_pipe() for _ in range(on_pipes)]
    for reader, _ in kept:
        scheduler.spawn(waits_on_pipe(reader))
    for number in range(idle - on_pipes):
        scheduler.spawn(waits_on_channel() if number % 2 else waits_on_timer())
    pairs = Pairs(scheduler, messages)
    scheduler.spawn(pairs.begin(turns=2 + idle // 256))
    scheduler.run()
    return pairs.answer


def asyncio_pipes(idle: int, messages: int) -> dict[str, float]:
    """asyncio's streams over pipes."""

    async def reader_of(fd: int) -> asyncio.StreamReader:
        reader = asyncio.StreamReader(limit=2 * len(MESSAGE))
        protocol = asyncio.StreamReaderProtocol(reader)
        await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(fd, "rb", 0))
        return reader

    async def writer_of(fd: int) -> asyncio.StreamWriter:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.streams.FlowControlMixin(loop), os.fdopen(fd, "wb", 0)
        )
        return asyncio.StreamWriter(transport, protocol, None, loop)

    async def sends(writer: asyncio.StreamWriter) -> None:
        for _ in range(messages):
            writer.write(MESSAGE)
            await writer.drain()

    async def receives(reader: asyncio.StreamReader) -> None:
        wanted = messages * len(MESSAGE)
        while wanted:
            wanted -= len(await reader.read(len(MESSAGE)))

    async def waits(reader: asyncio.StreamReader) -> None:
        await reader.read(1)

    async def main() -> dict[str, float]:
        """What a message costs among the idle."""
        on_pipes = idle_pipes(idle)
        idlers: list[asyncio.Task[Any]] = []
        for _ in range(on_pipes):
            reader, _writer = os.pipe()
            idlers.append(asyncio.create_task(waits(await reader_of(reader))))
        for number in range(idle - on_pipes):
            waiting = asyncio.Queue[int]().get() if number % 2 else asyncio.sleep(3600)
            idlers.append(asyncio.create_task(waiting))
        await asyncio.sleep(0.1)
        ends = [os.pipe() for _ in range(PAIRS)]
        pairs = [(await reader_of(reader), await writer_of(writer)) for reader, writer in ends]
        meter = MessageMeter()
        work = [sends(writer) for _, writer in pairs] + [receives(reader) for reader, _ in pairs]
        await asyncio.gather(*work)
        answer = meter.answer(PAIRS * messages)
        for task in idlers:
            task.cancel()
        return answer

    return asyncio.run(main())


def os_threads(idle: int, messages: int) -> dict[str, float]:
    """Threads of the operating system on blocking pipes."""

    def waits(fd: int) -> None:
        os.read(fd, 1)

    def sends(fd: int) -> None:
        for _ in range(messages):
            rest = memoryview(MESSAGE)
            while rest:
                rest = rest[os.write(fd, rest) :]

    def receives(fd: int) -> None:
        wanted = messages * len(MESSAGE)
        while wanted:
            wanted -= len(os.read(fd, len(MESSAGE)))

    def started(function: Callable[[int], None], fd: int) -> threading.Thread:
        thread = threading.Thread(target=function, args=(fd,), daemon=True)
        thread.start()
        return thread

    for _ in range(idle):
        started(waits, os.pipe()[0])
    pairs = [os.pipe() for _ in range(PAIRS)]
    meter = MessageMeter()
    readers = [started(receives, reader) for reader, _ in pairs]
    writers = [started(sends, writer) for _, writer in pairs]
    for thread in (*readers, *writers):
        thread.join()
    return meter.answer(PAIRS * messages)


def os_threads_on_one_processor(idle: int, messages: int) -> dict[str, float]:
    """The same on one processor, as a scheduler of ours and asyncio's loop are: no thread waits for the
    interpreter's lock while another one, on another processor, gives it up.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    return os_threads(idle, messages)


SUBJECTS: Final[dict[str, tuple[Callable[[int, int], dict[str, float]], int]]] = {
    "gossamer": (gossamer, IDLE_STEPS[-1]),
    "asyncio": (asyncio_pipes, IDLE_STEPS[-1]),
    "os threads": (os_threads, OS_THREADS_MAX),
    "os threads, one processor": (os_threads_on_one_processor, OS_THREADS_MAX),
}


def run(pace: Pace, idle: int, messages: int) -> Result:
    """All subjects at each number of idle threads. Raises: MeasurementFailed."""
    steps = [*(step for step in IDLE_STEPS if step < idle), idle]
    keys: list[Key] = [(name, step) for step in steps for name, (_, most) in SUBJECTS.items() if step <= most]

    def take(key: Key) -> Values:
        subject, _ = SUBJECTS[key[0]]
        found: Values = measure_in_child("fifo", subject.__name__, idle=key[1], messages=messages)
        return found

    rounds = interleaved(pace, keys, take)
    return Result("fifo", AXES, points_of(rounds), goals_of(keys, rounds), pace.notes)


def goals_of(keys: list[Key], rounds: list[Round]) -> list[Goal]:
    """Ours with most idle threads over ours with none, and over the others where they have the most."""
    ours = [key for key in keys if key[0] == "gossamer"]
    flat = ratios(rounds, ours[-1], ours[0], "MB/s")
    found = [(f"throughput with {ours[-1][1]:,} idle threads / with none", flat, FLAT_LEAST)]
    for peer, least in (("os threads", OS_THREADS_LEAST), ("asyncio", ASYNCIO_LEAST)):
        (_, most) = [key for key in keys if key[0] == peer][-1]
        pairs = ratios(rounds, ("gossamer", most), (peer, most), "MB/s")
        found.append((f"throughput / {peer}, {most:,} idle", pairs, least))
    return [goal(name, pairs, least, "x", is_least=True) for name, pairs, least in found if pairs]
