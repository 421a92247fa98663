"""What a SYN costs a worker: kept in the SYN queue, or answered with a cookie; and what forged ACKs cost.

    python -m gossamer.loadtest.bench_syn

In memory: the records of a batch are ready, and what is emitted goes nowhere. So this is the Python of a
flood, from record to segment, without receiving and sending packets (that is `bench_packets`).
"""

from collections.abc import Callable, Sequence
from time import process_time
from typing import Final

from gossamer.core.clock import monotonic_us
from gossamer.core.io.tcpsock import TcpAcceptor
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.sim.device import SLOTS, MemorySource
from gossamer.core.sim.network import TurnWaiter
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.wire.flow import Flow, pack_flow
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import ACK, SYN, Segment, SynOptions
from gossamer.ffi.packets import NoFiles, OneWay, OutSegment

SERVER: Final = ("10.0.0.2", 80)
BATCHES: Final = 300
ROUNDS: Final = 5
FLOOD: Final = Segment(1, 0, SYN, 1_000, 5, syn_options=SynOptions(1460, 7, True))
FORGED: Final = Segment(1, 77, ACK, 1_000, 5, 6)

Batch = tuple[memoryview, memoryview]
"""Records and side records."""


def ready(segment: Segment, number: int) -> Batch:
    """Such a segment from each of so many senders as a batch has, no sender in two batches."""
    source = MemorySource()
    for slot in range(SLOTS):
        sender = (f"10.1.{number >> 8}.{number & 255}", 1_024 + slot)
        source.put(build_packet(pack_flow(sender, SERVER), segment))
    source.recv_batch()
    return source.records, source.side


class ReadySource(MemorySource):
    """Batches that were made before."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []

    def __len__(self) -> int:
        return len(self.batches)

    def recv_batch(self) -> int:
        """The next one."""
        if not self.batches:
            return 0
        self.records, self.side = self.batches.pop()
        return SLOTS


class NowhereSink(OneWay, NoFiles):
    """A `PacketSink` that counts."""

    failed_total = 0
    unsent_total = 0

    def emit(self, flow: Flow, segment: OutSegment, options: bytes = b"") -> None:
        """One more."""
        del flow, segment, options
        self.unsent_total += 1

    def flush(self) -> int:
        """Nothing is sent."""
        return 0

    def close(self) -> None:
        """Nothing was open."""


class FloodedServer:
    """A worker's loop with a listener."""

    def __init__(self, parameters: TcpParameters) -> None:
        self.source, self.sink = ReadySource(), NowhereSink()
        self.loop = TcpLoop(self.source, self.sink, parameters, monotonic_us)
        self._waiter = TurnWaiter(self.source)
        Scheduler(self._waiter, [self.loop], monotonic_us)
        TcpAcceptor(self.loop, SERVER, parameters)

    def take(self, batches: Sequence[Batch]) -> float:
        """CPU seconds for all of them."""
        self.source.batches = list(batches)
        start_s = process_time()
        while self.source.batches:
            self._waiter.wait(0)
        return process_time() - start_s


def least_us(make: Callable[[], FloodedServer], batches: Sequence[Batch]) -> float:
    """CPU microseconds a packet, the best of some rounds, each with a victim of its own."""
    return min(make().take(batches) for _ in range(ROUNDS)) / (len(batches) * SLOTS) * 1e6


def with_cookies_out() -> FloodedServer:
    """One that has just answered a SYN with a cookie."""
    victim = FloodedServer(TcpParameters(syn_cookies="always"))
    victim.take([ready(FLOOD, 0)])
    return victim


def measured(batches_total: int = BATCHES) -> dict[str, float]:
    """All figures by name."""
    floods = [ready(FLOOD, number) for number in range(batches_total)]
    forged = [ready(FORGED, number) for number in range(batches_total)]
    queue = TcpParameters(syn_cookies="off", syn_backlog=1_000_000)
    return {
        "SYN, kept in the SYN queue": least_us(lambda: FloodedServer(queue), floods),
        "SYN, answered with a cookie": least_us(
            lambda: FloodedServer(TcpParameters(syn_cookies="always")), floods
        ),
        "forged ACK, no cookies out": least_us(lambda: FloodedServer(queue), forged),
        "forged ACK, cookies out": least_us(with_cookies_out, forged),
    }


def main() -> None:
    """Print the table."""
    print(f"CPU us per packet, best of {ROUNDS} rounds of {BATCHES} batches of {SLOTS}")
    for name, figure in measured().items():
        print(f"{figure:6.2f}  {name}")


if __name__ == "__main__":
    main()
