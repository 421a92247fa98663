"""Many idle connections: draining, and the loop's end, take them a bounded number in a turn."""

from collections.abc import Callable

import pytest

from gossamer.core.clock import SECOND_US, VirtualClock
from gossamer.core.errors import Draining
from gossamer.core.io.stream import Stream
from gossamer.core.io.tcpsock import TcpAcceptor
from gossamer.core.loop.interrupting import INTERRUPTED_MAX
from gossamer.core.loop.tcp.connections import CLOSED_MAX
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.sim.crowd import CrowdSink, CrowdSource, flow_of, opening
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.calls import sys_fork
from gossamer.core.threads.scheduler import Scheduler

SERVER = ("10.0.0.2", 80)
REQUEST, ANSWER = b"ask", b"answer"
BATCH = 50


class CrowdWaiter:
    """A `Waiter` that never sleeps: a turn takes the clock on by a little."""

    def __init__(self, source: CrowdSource, clock: VirtualClock) -> None:
        self._source = source
        self._clock = clock
        self._callbacks: dict[int, Callable[[int], None]] = {}

    def wait(self, timeout_us: int) -> None:
        del timeout_us
        self._clock.advance(20)
        if len(self._source):
            for callback in tuple(self._callbacks.values()):
                callback(1)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        del events
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        self._callbacks.pop(fd, None)


class Crowded:
    """A server with a crowd."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.source = CrowdSource()
        self.sink = CrowdSink(self.source, self.clock, REQUEST)
        parameters = TcpParameters(syn_cookies="off", time_wait_max=100)
        self.loop = TcpLoop(self.source, self.sink, parameters, self.clock)
        self.scheduler = Scheduler(CrowdWaiter(self.source, self.clock), [self.loop], self.clock)
        self.acceptor = TcpAcceptor(self.loop, SERVER, parameters)
        self.drained_total = 0
        self.scheduler.spawn(self._accepts())

    async def _accepts(self) -> None:
        while True:
            await sys_fork(self.serves(await self.acceptor.accept()))

    async def serves(self, stream: Stream) -> None:
        try:
            while await stream.recv(1_000, 60 * SECOND_US):
                await stream.send(ANSWER)
        except Draining:
            self.drained_total += 1
        await stream.close()

    def turn(self) -> None:
        self.scheduler._turn()

    def open(self, count: int) -> None:
        for number in range(count):
            self.source.put(flow_of(number, *SERVER), opening(number, self.sink.ts_val()))
            if number % BATCH == BATCH - 1:
                self.settle()
        self.settle()
        assert self.sink.answered_total == count

    def settle(self) -> None:
        self.turn()
        while len(self.source) or self.scheduler.statistics()["ready"]:
            self.turn()


@pytest.mark.parametrize("count", [20_000])
def test_drain__many_idle__so_many_in_a_turn__all_closed(count: int) -> None:
    crowded = Crowded()
    crowded.open(count)
    crowded.loop.interrupt_receivers()
    closed_before = turns = most_ready = 0
    while crowded.loop.connections:
        crowded.turn()
        turns += 1
        assert crowded.sink.closed_total - closed_before <= 2 * INTERRUPTED_MAX
        closed_before = crowded.sink.closed_total
        most_ready = max(most_ready, crowded.scheduler.statistics()["ready"])
        assert turns < count
    assert most_ready <= 2 * INTERRUPTED_MAX
    assert (crowded.drained_total, crowded.sink.closed_total, crowded.sink.reset_total) == (count, count, 0)


def test_close__more_than_its_bound__so_many_reset() -> None:
    crowded = Crowded()
    crowded.open(CLOSED_MAX + 100)
    crowded.loop.close()
    assert crowded.sink.reset_total == CLOSED_MAX
