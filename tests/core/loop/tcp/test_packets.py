"""What of the packets that wait is taken in a turn, and in which order."""

from collections.abc import Callable

from gossamer.core.clock import VirtualClock
from gossamer.core.io.tcpsock import TcpAcceptor
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.loop.tcp.packets import BATCHES_MAX, BATCHES_OF_ALL_MAX, HANDSHAKES_ENOUGH
from gossamer.core.sim.crowd import SERVER, CrowdSink, CrowdSource, flow_of
from gossamer.core.sim.device import SLOTS
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.wire.segment import ACK, SYN, Segment, SynOptions

SYN_SEGMENT = Segment(1, 0, SYN, 1_000, 5, syn_options=SynOptions(1460, 7, True))
STRAY = Segment(1, 77, ACK, 1_000, 5, 6)


class Ready:
    """A waiter whose descriptors are those of sources in which something waits."""

    def __init__(self) -> None:
        self.callbacks: dict[int, Callable[[int], None]] = {}
        self.sources: dict[int, CrowdSource] = {}

    def wait(self, timeout_us: int) -> None:
        del timeout_us
        for fd, callback in tuple(self.callbacks.items()):
            if len(self.sources[fd]):
                callback(1)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        del events
        self.callbacks[fd] = callback

    def unwatch(self, fd: int) -> None:
        del self.callbacks[fd]


class Flooded:
    """A loop with a listener, and sources of both kinds; a turn at a time."""

    def __init__(self) -> None:
        self.ready, self.clock = Ready(), VirtualClock()
        sink = CrowdSink(CrowdSource(), self.clock, b"?")
        self.loop = TcpLoop(None, sink, TcpParameters(), self.clock)
        Scheduler(self.ready, [self.loop], self.clock)
        TcpAcceptor(self.loop, SERVER, TcpParameters())

    def source(self, waits: int, segment: Segment = STRAY, *, has_handshakes: bool = False) -> CrowdSource:
        source = CrowdSource()
        source.fd = len(self.ready.sources)
        self.ready.sources[source.fd] = source
        for number in range(waits):
            source.put(flow_of(source.fd << 16 | number, *SERVER), segment)
        self.loop.add_source(source, has_handshakes=has_handshakes)
        return source

    def turn(self) -> None:
        self.ready.wait(0)
        self.loop.turn(self.clock())

    @property
    def half_open(self) -> int:
        return self.loop.statistics()["half_open"]


def test_turn__syns_and_all_else_wait__syns_come_last_and_a_bounded_number() -> None:
    flooded = Flooded()
    syns = [flooded.source(1_000, SYN_SEGMENT, has_handshakes=True) for _ in range(6)]
    others = flooded.source(100)
    flooded.ready.wait(0)
    assert (len(others), flooded.half_open) == (0, 0), "a SYN is taken before what comes on connections"
    flooded.loop.turn(flooded.clock())
    assert flooded.half_open == SLOTS >= HANDSHAKES_ENOUGH
    for _ in syns:
        flooded.turn()
    assert all(len(source) < 1_000 for source in syns), "one of the sources never has its turn"


def test_turn__few_syns_in_each_source__as_many_sources_as_make_enough() -> None:
    flooded = Flooded()
    few = HANDSHAKES_ENOUGH // 4 + 1
    syns = [flooded.source(few, SYN_SEGMENT, has_handshakes=True) for _ in range(6)]
    flooded.turn()
    assert flooded.half_open == 4 * few, "a turn for each source, or more than is enough in one"
    flooded.turn()
    assert (flooded.half_open, sum(map(len, syns))) == (6 * few, 0)


def test_leave_alone__syns_were_seen_to_wait__they_wait_in_their_queue() -> None:
    flooded = Flooded()
    syns = flooded.source(10, SYN_SEGMENT, has_handshakes=True)
    flooded.ready.wait(0)
    flooded.loop.leave_alone(syns)
    flooded.loop.turn(flooded.clock())
    assert (len(syns), flooded.half_open) == (10, 0)
    flooded.loop.listen_to(syns)
    flooded.turn()
    assert (len(syns), flooded.half_open) == (0, 10)


def test_turn__flood_of_strays__bounded_over_all_sources() -> None:
    for count in (1, 8, 40):
        flooded = Flooded()
        sources = [flooded.source((BATCHES_MAX + 1) * SLOTS) for _ in range(count)]
        flooded.turn()
        taken = flooded.loop.statistics()["packets_in_total"]
        assert taken <= max(BATCHES_OF_ALL_MAX, count) * SLOTS
        assert all(len(source) < (BATCHES_MAX + 1) * SLOTS for source in sources)


def test_receive__batch_was_not_full__the_source_is_asked_once_and_again_when_more_waits() -> None:
    flooded = Flooded()
    source = flooded.source(SLOTS - 1)
    asked = []
    recv_batch = source.recv_batch

    def counted() -> int:
        asked.append(len(source))
        return recv_batch()

    source.recv_batch = counted  # type: ignore[method-assign]
    flooded.turn()
    assert asked == [SLOTS - 1], "a call more for each queue and turn, which finds nothing"
    for number in range(SLOTS + 1):
        source.put(flow_of(1 << 20 | number, *SERVER), STRAY)
    flooded.turn()
    assert asked == [SLOTS - 1, SLOTS + 1, 1]
    assert not len(source)
