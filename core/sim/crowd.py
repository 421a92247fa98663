"""A crowd of clients that remember nothing: each answers what a server sends by that segment alone.

    SYN-ACK -> the ACK with a request | text -> its ACK | FIN -> ACK and FIN | RST -> nothing

Owns how such a client behaves, and in-memory devices that join it to a TcpLoop at little cost: a hundred
thousand connections are opened in seconds. Nothing is ever lost or sent again, so a server that loses
something is not helped over it.
"""

import mmap
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final

from gossamer.core.clock import Clock, VirtualClock
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.seq import MASK
from gossamer.core.sim.device import SLOT_BYTES, SLOTS
from gossamer.core.tcp.constants import CLOCK_GRANULARITY_US
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.calls import sys_fork
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.wire.flow import Flow, pack_address
from gossamer.core.wire.record import IN_RECORD, KIND_OPTIONS, KIND_TIMESTAMP, SIDE_RECORD
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, SYN, Segment, SynOptions
from gossamer.core.wire.text import octets_of
from gossamer.ffi.packets import NoFiles, OneWay, OutSegment

SERVER: Final = ("10.0.0.2", 80)
TURN_US: Final = 20
STEP_US: Final = 50_000
"""How the time passes in which nothing happens."""
BATCH: Final = 50
"""Clients that connect at once."""

PORT_FIRST: Final = 1024
PORTS: Final = 60_000
"""Clients at one address."""

WINDOW: Final = 500
NO_ECN_OPTION: Final = (0, 0, 0, 0)
OPTIONS: Final = SynOptions(1460, 7, True)


def flow_of(number: int, host: str, port: int, network: bytes = b"\x0a\x01") -> Flow:
    """The connection of the client of that number with a server; its address is in a network of 16 bits."""
    address = int.to_bytes(number // PORTS, 2, "big")
    packed = pack_address(".".join(map(str, network + address)))
    source = PORT_FIRST + number % PORTS
    return packed + pack_address(host) + source.to_bytes(2, "big") + port.to_bytes(2, "big")


def turned(flow: Flow) -> Flow:
    """The same connection, as its other side names it."""
    return flow[16:32] + flow[:16] + flow[34:36] + flow[32:34]


def number_of(flow: Flow) -> int:
    """Which client's connection it is."""
    return int.from_bytes(flow[14:16], "big") * PORTS + int.from_bytes(flow[32:34], "big") - PORT_FIRST


def opening(number: int, ts_val: int) -> Segment:
    """The SYN of the client of that number."""
    return Segment(number * 7919 & MASK, 0, SYN, WINDOW, ts_val, syn_options=OPTIONS)


def answer(segment: OutSegment, request: bytes, ts_val: int) -> Segment | None:
    """What a client says to what the server has sent; it says `request` once the connection is open."""
    flags, octets = segment.flags, len(segment.payload)
    if flags & RST:
        return None
    if flags & SYN:
        return Segment(
            segment.ack, segment.seq + 1 & MASK, ACK | PSH, WINDOW, ts_val, segment.ts_val, request
        )
    if not octets and not flags & FIN:
        return None
    ack = segment.seq + octets + (flags & FIN) & MASK
    return Segment(segment.ack, ack, ACK | flags & FIN, WINDOW, ts_val, segment.ts_val)


class CrowdSource:
    """A `PacketSource` of what the crowd has said."""

    fd = -1

    def __init__(self) -> None:
        self.arena = mmap.mmap(-1, SLOTS * SLOT_BYTES)
        self._records = bytearray(SLOTS * IN_RECORD.size)
        self._side = bytearray(SLOTS * SIDE_RECORD.size)
        self.records = memoryview(self._records).toreadonly()
        self.side = memoryview(self._side).toreadonly()
        self._inbox: deque[tuple[Flow, Segment]] = deque()

    def __len__(self) -> int:
        return len(self._inbox)

    def put(self, flow: Flow, segment: Segment) -> None:
        """A client says something. Bounds: what its clients have to say."""
        self._inbox.append((flow, segment))

    def recv_batch(self) -> int:
        """Make records of what waits."""
        count = min(SLOTS, len(self._inbox))
        for index in range(count):
            self._write(index, *self._inbox.popleft())
        return count

    def _write(self, index: int, flow: Flow, segment: Segment) -> None:
        payload, offset = octets_of(segment.payload), index * SLOT_BYTES
        kind = KIND_TIMESTAMP
        if segment.syn_options is not None:
            kind, options, none = KIND_OPTIONS, segment.syn_options, [0] * 8
            fields = (1, options.sack_permitted, options.window_scale, 0, options.mss, 0, *none, b"", 0, -1)
            SIDE_RECORD.pack_into(self._side, index * SIDE_RECORD.size, *fields, *NO_ECN_OPTION)
        self.arena[offset : offset + len(payload)] = payload
        head = (flow, kind, segment.flags, segment.window, segment.seq, segment.ack)
        times = (segment.ts_val, segment.ts_ecr)
        IN_RECORD.pack_into(self._records, index * IN_RECORD.size, *head, *times, offset, len(payload), 0, 1)

    def close(self) -> None:
        """Nothing was open."""


class CrowdSink(OneWay, NoFiles):
    """A `PacketSink` that hands everything to the crowd at once."""

    def __init__(self, source: CrowdSource, clock: Clock, request: bytes) -> None:
        self.failed_total = 0
        self.answered_total = 0
        """Segments with text that came."""
        self.closed_total = 0
        """FINs that came."""
        self.reset_total = 0
        self.is_deaf = False
        """Whether nobody acknowledges text any more."""
        self.source = source
        """Where the crowd says what it has to say to that."""
        self._clock = clock
        self._request = request
        self._batched = 0

    def emit(self, flow: Flow, segment: OutSegment, options: bytes = b"") -> None:
        """A client hears it, and answers."""
        del options
        self._batched += 1
        self.answered_total += len(segment.payload) > 0
        self.closed_total += segment.flags & FIN
        self.reset_total += bool(segment.flags & RST)
        said = answer(segment, self._request, self.ts_val())
        if said is not None and not (self.is_deaf and len(segment.payload)):
            self.source.put(flow, said)

    def ts_val(self) -> int:
        """The clock of all clients."""
        return self._clock() // CLOCK_GRANULARITY_US & MASK

    def flush(self) -> int:
        """Everything has gone already."""
        batched, self._batched = self._batched, 0
        return batched

    def close(self) -> None:
        """Nothing was open."""


class CrowdWaiter:
    """A `Waiter` that never sleeps: each turn takes the clock on by a little."""

    def __init__(self, source: CrowdSource, clock: VirtualClock) -> None:
        self._source = source
        self._clock = clock
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self.stop: Callable[[], None] = lambda: None

    def wait(self, timeout_us: int) -> None:
        """One turn, and no more."""
        del timeout_us
        self._clock.advance(TURN_US)
        self.stop()
        if len(self._source):
            for callback in tuple(self._callbacks.values()):
                callback(1)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        """Call `callback` in every turn in which segments wait."""
        del events
        self._callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        """Call it no more."""
        self._callbacks.pop(fd, None)


class CrowdedServer:
    """A scheduler with a TcpLoop, a listener, and a thread for each connection of a crowd."""

    def __init__(
        self,
        serve: Callable[[TcpStream], Coroutine[Any, Any, None]],
        parameters: TcpParameters,
        request: bytes = b"?",
        clock: VirtualClock | None = None,
    ) -> None:
        self.clock = VirtualClock() if clock is None else clock
        self.source = CrowdSource()
        self.sink = CrowdSink(self.source, self.clock, request)
        self.loop = TcpLoop(self.source, self.sink, parameters, self.clock)
        self._waiter = CrowdWaiter(self.source, self.clock)
        self.scheduler = Scheduler(self._waiter, [self.loop, SleepLoop()], self.clock)
        self._waiter.stop = self.scheduler.stop
        self._serve = serve
        self._acceptor = TcpAcceptor(self.loop, SERVER, parameters)
        self.scheduler.spawn(self._accepts())

    async def _accepts(self) -> None:
        while True:
            await sys_fork(self._serve(await self._acceptor.accept()))

    def turn(self) -> None:
        """One turn of the scheduler."""
        self.scheduler.run()

    def open(self, count: int, first: int = 0) -> None:
        """Clients with these numbers connect, a batch at a time, and ask once."""
        for number in range(first, first + count):
            self.source.put(flow_of(number, *SERVER), opening(number, self.sink.ts_val()))
            if number % BATCH == BATCH - 1:
                self.settle()
        self.settle()

    def settle(self) -> None:
        """Go on until nobody has anything to say."""
        self.turn()
        while len(self.source) or self.scheduler.statistics()["ready"]:
            self.turn()

    def rest(self, us: int) -> None:
        """Let time pass."""
        until_us = self.clock() + us
        while self.clock() < until_us:
            self.clock.advance(min(STEP_US, until_us - self.clock()))
            self.settle()
