"""What packet I/O costs: CPU time per packet of receiving and of sending, in a namespace of its own.

Owns the measurement of `ffi` alone, without TCP: raw segments over loopback, in batches. The sender's figure
includes what the kernel does with a packet on its way through `lo`; packets sent are dropped where
those that are received are diverted, at `security` INPUT.

    python -m gossamer.loadtest.bench_packets
"""

import contextlib
import statistics
import time
from collections.abc import Callable
from typing import Final

from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.record import IN_RECORD
from gossamer.core.wire.segment import ACK, PSH, Segment
from gossamer.ffi.nfqueue_netlink import NetlinkSource, open_queue
from gossamer.ffi.packets import PacketSource
from gossamer.ffi.rawout import RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest import namespaces

BATCH: Final = 32
ROUNDS: Final = 1000
PAYLOADS: Final = (0, 1024, 1460, 16_384)
DROPPED_PORT: Final = 7703
QUEUED_PORT: Final = 7704
QUEUE: Final = 79


def rule(port: int, *target: str) -> None:
    """Treat what comes for a port so."""
    namespaces.run(
        ["iptables", "-w", "-t", "security", "-A", "INPUT", "-p", "tcp", "--dport", str(port), "-j", *target]
    )


def spent_ns(work: Callable[[], object]) -> int:
    """CPU time of this thread for one call."""
    before = time.thread_time_ns()
    work()
    return time.thread_time_ns() - before


def batch_out(sink: RawSink, port: int, payload_bytes: int) -> Callable[[], None]:
    """What sends one batch to a port of this host."""
    flow = pack_flow(("127.0.0.1", 40_000), ("127.0.0.1", port))
    segment = Segment(1, 2, ACK | PSH, 500, ts_val=3, ts_ecr=4, payload=bytes(payload_bytes))

    def send() -> None:
        for _ in range(BATCH):
            sink.emit(flow, segment)
        sink.flush()

    return send


def measure_send(sink: RawSink, payload_bytes: int) -> float:
    """Microseconds per packet of emit and flush, in the median."""
    send = batch_out(sink, DROPPED_PORT, payload_bytes)
    return statistics.median(spent_ns(send) for _ in range(ROUNDS)) / BATCH / 1000


def measure_receive(source: PacketSource, sink: RawSink, payload_bytes: int) -> float:
    """Microseconds per packet of recv_batch and of unpacking its records, in the median."""
    send = batch_out(sink, QUEUED_PORT, payload_bytes)

    def receive() -> None:
        count = source.recv_batch()
        assert count == BATCH, f"{count} of {BATCH} packets came"
        for _ in IN_RECORD.iter_unpack(source.records[: count * IN_RECORD.size]):
            pass

    spent = []
    for _ in range(ROUNDS):
        send()
        spent.append(spent_ns(receive))
    return statistics.median(spent) / BATCH / 1000


def measure_emit(payload_bytes: int) -> float:
    """Microseconds per packet of emit alone."""
    sink = RawSink(-1)
    flow = pack_flow(("127.0.0.1", 40_000), ("127.0.0.1", DROPPED_PORT))
    segment = Segment(1, 2, ACK | PSH, 500, ts_val=3, ts_ecr=4, payload=bytes(payload_bytes))

    def emit() -> None:
        for _ in range(BATCH):
            sink.emit(flow, segment)

    spent = []
    for _ in range(ROUNDS):
        spent.append(spent_ns(emit))
        sink.flush()
    sink.close()
    return statistics.median(spent) / BATCH / 1000


def main() -> None:
    """Print the table."""
    print(f"CPU us per packet, median of {ROUNDS} batches of {BATCH}")
    print("payload   emit   emit+flush   recv_batch+unpack")
    with contextlib.ExitStack() as held:
        held.enter_context(held.enter_context(namespaces.namespace()).entered())
        rule(DROPPED_PORT, "DROP")
        rule(QUEUED_PORT, "NFQUEUE", "--queue-num", str(QUEUE))
        raw_ipv4, raw_ipv6 = open_raw_sockets()
        held.enter_context(raw_ipv4)
        if raw_ipv6 is not None:
            raw_ipv6.close()
        sink = held.enter_context(contextlib.closing(RawSink(raw_ipv4.fileno())))
        queue = held.enter_context(open_queue(QUEUE))
        source = held.enter_context(contextlib.closing(NetlinkSource(queue.fileno())))
        for payload_bytes in PAYLOADS:
            figures = measure_emit(payload_bytes), measure_send(sink, payload_bytes)
            received = measure_receive(source, sink, payload_bytes)
            print(f"{payload_bytes:7}   {figures[0]:4.2f}   {figures[1]:10.2f}   {received:17.2f}")


if __name__ == "__main__":
    main()
