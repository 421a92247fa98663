"""Hosts on a virtual network: each a scheduler with a TcpLoop over in-memory devices, all on one virtual
clock.

Owns the order in which things happen: hosts take turns until none has anything to do, then the clock moves to
the next packet or deadline. Packets are real: built and parsed by `core.wire`.
"""

import socket
from collections.abc import Callable, Coroutine, Mapping
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Final

from gossamer.core.clock import NEVER_US, SECOND_US, VirtualClock
from gossamer.core.errors import BoundExceeded
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.loop.virtual import DeadlockError
from gossamer.core.sim.device import MemorySink, MemorySource
from gossamer.core.sim.link import PERFECT, PLAIN, Faults, Line, Link
from gossamer.core.sim.router import fragmentation_needed, is_pure_ack, spoiled
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS, TcpParameters
from gossamer.core.threads.calls import sys_sleep
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.systemcall import SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import Address

TURNS_MAX: Final = 200_000
"""Turns of one run; a run that needs more has not converged."""
FIRST_PORT: Final = 49_152
"""Of those that a host opens connections from, in their order. Source: RFC 6335 6."""


class TurnWaiter:
    """A `Waiter` that never sleeps: it calls what is ready, says how long it could have slept, and ends the
    turn."""

    def __init__(self, source: MemorySource) -> None:
        self.patience_us: int = 0
        self.stop: Callable[[], None] = lambda: None
        self._source = source
        self._callbacks: dict[int, Callable[[int], None]] = {}

    def wait(self, timeout_us: int) -> None:
        """One turn, and no more."""
        self.patience_us = timeout_us
        if len(self._source):
            for callback in tuple(self._callbacks.values()):
                callback(1)
            self.patience_us = 0
        self.stop()

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback` in every turn in which packets wait."""
        del events
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Call it no more."""
        self._callbacks.pop(fd, None)


class Host:
    """A machine with one address, or more."""

    def __init__(
        self,
        clock: VirtualClock,
        carry: Callable[[bytes], None],
        parameters: TcpParameters,
        address: bytes,
        make_sink: Callable[[Callable[[bytes], None]], MemorySink] = MemorySink,
    ) -> None:
        self.address: str = socket.inet_ntoa(address)
        self._parameters = parameters
        self._ports = count(FIRST_PORT)
        self.source: MemorySource = MemorySource()
        self.sink: MemorySink = make_sink(carry)
        self.waiter: TurnWaiter = TurnWaiter(self.source)
        self.loop: TcpLoop = TcpLoop(self.source, self.sink, parameters, clock, Random(address[-1]).randbytes)
        self.scheduler: Scheduler = Scheduler(self.waiter, [self.loop, SleepLoop()], clock)
        self.waiter.stop = self.scheduler.stop
        self.is_up = False
        """Whether it has had its first turn."""

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Thread[Any]:
        """Start a thread on this host."""
        return self.scheduler.spawn(coroutine)

    def listen(self, port: int) -> TcpAcceptor:
        """Listen on a port of it. Raises: MisuseError, OSError."""
        return TcpAcceptor(self.loop, (self.address, port), self._parameters)

    def connect(self, address: Address, timeout_us: int = NEVER_US) -> SystemCall[TcpStream]:
        """Open a connection from it. Raises: ConnectionRefusedError, TimeoutError, OSError."""
        return TcpConnect((self.address, next(self._ports)), address, timeout_us, TcpStream)

    @property
    def statistics(self) -> Mapping[str, int]:
        """The loop's counts."""
        return self.loop.statistics()


async def _stays() -> None:
    """A host without threads of its own still answers packets: this thread never ends."""
    while True:
        await sys_sleep(NEVER_US // 4)


class Network:
    """Hosts by address, and one kind of wire between them all."""

    def __init__(self, faults: Faults = PERFECT, seed: int = 0, line: Line = PLAIN) -> None:
        self.clock: VirtualClock = VirtualClock()
        self.hosts: dict[bytes, Host] = {}
        self.seen: list[bytes] = []
        """Every packet that was sent, lost or not."""
        self.link: Link = Link(faults, seed, line)
        self._random = Random(f"network {seed}")
        self._order = count()
        self._under_way: list[tuple[int, int, bytes]] = []
        self._turns_total = 0

    def host(
        self,
        address: bytes,
        parameters: TcpParameters = DEFAULT_PARAMETERS,
        make_sink: Callable[[Callable[[bytes], None]], MemorySink] = MemorySink,
    ) -> Host:
        """Add a host with an IPv4 address (four octets)."""
        host = Host(self.clock, self.carry, parameters, address, make_sink)
        self.hosts[address] = host
        return host

    def carry(self, packet: bytes) -> None:
        """A packet goes on the wire."""
        self.seen.append(packet)
        now_us, link = self.clock(), self.link
        mtu_bytes = link.mtu_bytes(now_us)
        if mtu_bytes and len(packet) > mtu_bytes:
            link.counts.too_big += 1
            self._arrives(now_us + link.delay_us, fragmentation_needed(packet, mtu_bytes))
            return
        for at_us in link.arrivals_us(now_us, len(packet), is_pure_ack(packet)):
            self._arrives(at_us, spoiled(packet, self._random) if link.spoils() else packet)

    def _arrives(self, at_us: int, packet: bytes) -> None:
        heappush(self._under_way, (at_us, next(self._order), packet))

    def run(self, *threads: Thread[Any], for_us: int = 1_000 * SECOND_US) -> None:
        """Go on until the threads have ended, or for a time.

        Raises: DeadlockError when they never will; BoundExceeded after TURNS_MAX turns.
        """
        until_us = self.clock() + for_us
        while self.clock() < until_us and not (threads and all(thread.has_ended for thread in threads)):
            self._turns_total += 1
            if self._turns_total > TURNS_MAX:
                raise BoundExceeded(f"a run of more than {TURNS_MAX} turns (core.sim.network.TURNS_MAX)")
            patience_us = min(self._turn(host) for host in self.hosts.values())
            if patience_us:
                self._advance(patience_us, until_us)

    def _turn(self, host: Host) -> int:
        if not host.is_up:
            host.is_up = True
            host.spawn(_stays())
        host.scheduler.run()
        return 0 if host.scheduler.statistics()["ready"] else host.waiter.patience_us

    def _advance(self, patience_us: int, until_us: int) -> None:
        """Move the clock to what happens next, and deliver the packets that are due."""
        now_us = self.clock()
        packet_us = self._under_way[0][0] if self._under_way else NEVER_US
        next_us = min(now_us + patience_us, packet_us, until_us)
        if next_us >= NEVER_US:
            raise DeadlockError("every thread is blocked, and nothing is under way")
        self.clock.advance(max(0, next_us - now_us))
        while self._under_way and self._under_way[0][0] <= next_us:
            packet = heappop(self._under_way)[2]
            receiver = self.hosts.get(packet[16:20])
            if receiver is not None:
                receiver.source.put(packet)
