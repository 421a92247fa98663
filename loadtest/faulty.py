"""Faults on a process's own packets, before they come to its TCP and after they have left it.

    device -> FaultySource -> TcpLoop -> FaultySink -> device

Owns what waits of them, and when it goes on; `loadtest.faults` decides each packet's fate by its number, and
so again the same for the same seed. Both stand where a source and a sink of packets stand, so the TCP knows
nothing of them. What several packets are joined to is taken apart first: a link would have had each of them.

Bounds: WAITING_MAX packets under way; what comes on top is dropped and counted.

Source: the fault models of tc-netem(8).
"""

import heapq
import mmap
import select
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from gossamer.core.clock import SECOND_US, Clock, monotonic_us
from gossamer.core.wire.cutting import LAST_ONLY, cut
from gossamer.core.wire.reading import InRecord
from gossamer.core.wire.record import IN_RECORD, KIND_ICMP, SIDE_RECORD
from gossamer.core.wire.segment import CWR, Segment
from gossamer.ffi.packets import OneWay, OutSegment, PacketSink, PacketSource, TooLong, Watch
from gossamer.ffi.timer import Timer
from gossamer.loadtest.faults import LinkFaults, PacketDelivery, decide, mix

WAITING_MAX: Final = 16_384
RECORDS_MAX: Final = 4_096
"""Of a batch, once what was joined is taken apart."""
LATE_MAX: Final = 64
"""Packets of a batch of those that have waited."""
SLOT_BYTES: Final = 1 << 16
IDLE_US: Final = 3_600 * SECOND_US
"""When the timer is due while nothing waits."""
MASK_32: Final = (1 << 32) - 1


class PathCounts(msgspec.Struct):
    """How many packets went one way, and how many met each fault."""

    packets_total: int = 0
    lost_total: int = 0
    delayed_total: int = 0
    reordered_total: int = 0
    duplicated_total: int = 0
    overflowed_total: int = 0
    """Dropped since too many were under way."""

    def add(self, other: "PathCounts") -> None:
        """Those of another process."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class FaultCounts(msgspec.Struct):
    """Both ways."""

    sent: PathCounts
    received: PathCounts

    def add(self, other: "FaultCounts") -> None:
        """Those of another process."""
        self.sent.add(other.sent)
        self.received.add(other.received)


class Fates:
    """The fates of the packets of one way, one after another."""

    def __init__(self, faults: LinkFaults, seed: int) -> None:
        self.counts = PathCounts()
        self._faults, self._seed = faults, seed

    def next(self, length: int) -> tuple[PacketDelivery, ...]:
        """That of the next packet, of so many octets."""
        counts = self.counts
        deliveries = decide(self._faults, self._seed, counts.packets_total, max(1, length))
        counts.packets_total += 1
        counts.lost_total += not deliveries
        counts.duplicated_total += len(deliveries) > 1
        for delivery in deliveries:
            counts.reordered_total += delivery.is_reordered
            counts.delayed_total += delivery.delay_us > 0
        return deliveries


class LatePacket(msgspec.Struct, frozen=True):
    """One that came in and waits."""

    record: InRecord
    side: bytes
    payload: bytes


class LateSegment(msgspec.Struct, frozen=True):
    """One that is to go out."""

    flow: bytes
    segment: Any
    options: bytes


class UnderWay:
    """What waits of both ways, and the timer of the first."""

    def __init__(self, clock: Clock) -> None:
        self.timer = Timer()
        self._clock = clock
        self._heap: list[tuple[int, int, LatePacket | LateSegment]] = []
        self._order = 0

    def put(self, counts: PathCounts, delay_us: int, late: LatePacket | LateSegment) -> None:
        """Have it wait."""
        if len(self._heap) >= WAITING_MAX:
            counts.overflowed_total += 1
            return
        self._order += 1
        heapq.heappush(self._heap, (self._clock() + delay_us, self._order, late))
        if self._heap[0][1] == self._order:
            self.arm()

    def arm(self) -> None:
        """Set the timer to the first."""
        self.timer.set(self._heap[0][0] if self._heap else self._clock() + IDLE_US)

    def pop_due(self) -> LatePacket | LateSegment | None:
        """The first, if its time has come."""
        if self._heap and self._heap[0][0] <= self._clock():
            return heapq.heappop(self._heap)[2]
        return None

    def pop_any(self) -> LatePacket | LateSegment | None:
        """The first, whatever its time."""
        return heapq.heappop(self._heap)[2] if self._heap else None


class FaultySource:
    """A `PacketSource` of what another has received and the faults have left of it."""

    def __init__(self, inner: PacketSource, fates: Fates, under_way: UnderWay, sink: "FaultySink") -> None:
        self._inner, self._fates, self._under_way, self._sink = inner, fates, under_way, sink
        self._epoll = select.epoll()
        for fd in (inner.fd, under_way.timer.fd):
            self._epoll.register(fd, select.EPOLLIN)
        self.fd = self._epoll.fileno()
        self._late_arena = mmap.mmap(-1, LATE_MAX * SLOT_BYTES)
        self._records = bytearray(RECORDS_MAX * IN_RECORD.size)
        self._side = bytearray(RECORDS_MAX * SIDE_RECORD.size)
        self.records = memoryview(self._records).toreadonly()
        self.side = memoryview(self._side).toreadonly()
        self.arena = inner.arena

    def recv_batch(self) -> int:
        """See PacketSource: what has waited comes before what is new."""
        return self._take_late() or self._take_new()

    def _take_late(self) -> int:
        """Those whose time has come; what is to go out goes."""
        count = 0
        self.arena = self._late_arena
        while count < LATE_MAX and (late := self._under_way.pop_due()) is not None:
            if isinstance(late, LateSegment):
                self._sink.inner.emit(late.flow, late.segment, late.options)
                continue
            offset = count * SLOT_BYTES
            self._late_arena[offset : offset + len(late.payload)] = late.payload
            self._write(count, (*late.record[:8], offset, *late.record[9:]), late.side)
            count += 1
        self._under_way.arm()
        return count

    def _take_new(self) -> int:
        """Those of the device that do not wait."""
        inner, kept = self._inner, 0
        self.arena = inner.arena
        for index in range(inner.recv_batch()):
            record: InRecord = IN_RECORD.unpack_from(inner.records, index * IN_RECORD.size)
            side = bytes(inner.side[index * SIDE_RECORD.size : (index + 1) * SIDE_RECORD.size])
            for piece in taken_apart(record):
                is_segment = piece[1] < KIND_ICMP
                for delivery in self._fates.next(piece[9]) if is_segment else (PacketDelivery(0),):
                    if delivery.delay_us or kept == RECORDS_MAX:
                        payload = bytes(self.arena[piece[8] : piece[8] + piece[9]])
                        late = LatePacket(piece, side, payload)
                        self._under_way.put(self._fates.counts, delivery.delay_us, late)
                    else:
                        self._write(kept, piece, side)
                        kept += 1
        return kept

    def _write(self, index: int, record: InRecord, side: bytes) -> None:
        IN_RECORD.pack_into(self._records, index * IN_RECORD.size, *record)
        self._side[index * SIDE_RECORD.size : (index + 1) * SIDE_RECORD.size] = side

    def close(self) -> None:
        """See PacketSource."""
        self._epoll.close()
        self._inner.close()


def taken_apart(record: InRecord) -> Iterator[InRecord]:
    """The packets that were joined to one, as equal in length as they can be; itself, where it is one."""
    flow, kind, flags, window, seq, ack, ts_val, ts_ecr, offset, length, ecn, pieces = record
    if pieces < 2 or length < pieces:
        yield record
        return
    size = -(-length // pieces)
    for start in range(0, length, size):
        own = flags if not start else flags & ~CWR
        if start + size < length:
            own &= ~LAST_ONLY
        at, here = seq + start & MASK_32, min(size, length - start)
        yield flow, kind, own, window, at, ack, ts_val, ts_ecr, offset + start, here, ecn, 1


class FaultySink(OneWay):
    """A `PacketSink` that gives another what the faults leave."""

    def __init__(self, inner: PacketSink, fates: Fates, under_way: UnderWay) -> None:
        self.inner, self._fates, self._under_way = inner, fates, under_way
        self.changes_fds = inner.changes_fds
        self.failed_total = 0

    def emit(self, flow: bytes, segment: OutSegment, options: bytes = b"") -> None:
        """See PacketSink."""
        for piece in cut(as_segment(segment)) if segment.cut_bytes else (segment,):
            for delivery in self._fates.next(len(piece.payload)):
                if delivery.delay_us:
                    late = LateSegment(flow, piece, options)
                    self._under_way.put(self._fates.counts, delivery.delay_us, late)
                else:
                    self.inner.emit(flow, piece, options)

    def take_changes(self, events: int) -> None:
        """See PacketSink."""
        self.inner.take_changes(events)

    def wait_with(self, watch: Watch, forget: Callable[[int], None]) -> None:
        """See PacketSink."""
        self.inner.wait_with(watch, forget)

    def doubt(self, flow: bytes) -> None:
        """See PacketSink."""
        self.inner.doubt(flow)

    def forget(self, flow: bytes) -> None:
        """See PacketSink."""
        self.inner.forget(flow)

    def take_too_long(self) -> Sequence[TooLong]:
        """See PacketSink."""
        return self.inner.take_too_long()

    def take_unreadable(self) -> Collection[bytes]:
        """See PacketSink."""
        return self.inner.take_unreadable()

    def read_from(self, descriptors: Mapping[int, int]) -> None:
        """See PacketSink."""
        self.inner.read_from(descriptors)

    def forget_file(self, file: int) -> None:
        """See PacketSink."""
        self.inner.forget_file(file)

    def flush(self) -> int:
        """See PacketSink."""
        sent = self.inner.flush()
        self.failed_total = self.inner.failed_total
        return sent

    def close(self) -> None:
        """Send what is under way at last, such as the RSTs of what was still open."""
        while (late := self._under_way.pop_any()) is not None:
            if isinstance(late, LateSegment):
                self.inner.emit(late.flow, late.segment, late.options)
        self.inner.flush()
        self.inner.close()
        self._under_way.timer.close()


def as_segment(segment: OutSegment) -> Segment:
    """A super-segment as the record that is cut."""
    return Segment(
        segment.seq,
        segment.ack,
        segment.flags,
        segment.window,
        segment.ts_val,
        segment.ts_ecr,
        segment.payload,
        urgent=segment.urgent,
        ecn=segment.ecn,
        cut_bytes=segment.cut_bytes,
    )


class FaultyPath:
    """Source and sink of a loop with faults between them and the device, the same again for the same seed."""

    def __init__(
        self,
        source: PacketSource,
        sink: PacketSink,
        faults: LinkFaults,
        seed: int,
        clock: Clock = monotonic_us,
    ) -> None:
        out, into = Fates(faults, mix(2 * seed)), Fates(faults, mix(2 * seed + 1))
        under_way = UnderWay(clock)
        self.sink = FaultySink(sink, out, under_way)
        self.source = FaultySource(source, into, under_way, self.sink)
        self.counts = FaultCounts(out.counts, into.counts)
