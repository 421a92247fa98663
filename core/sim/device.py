"""In-memory packet devices: what a receiver and a sender of packets are to a TcpLoop, without a kernel.

Owns the queue of packets on their way in, and the records made of them by the reference codec of `core.wire`.
"""

import mmap
import os
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Final

from gossamer.core.wire.cutting import cut
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.options import encode_user_timeout
from gossamer.core.wire.packet import Parsed, build_packet, parse_packet
from gossamer.core.wire.record import (
    COOKIE_EXPERIMENT,
    ECN_ORDER_1,
    IN_RECORD,
    KIND_ICMP,
    KIND_OPTIONS,
    KIND_PLAIN,
    KIND_TIMESTAMP,
    RECORD_AE,
    SIDE_RECORD,
)
from gossamer.core.wire.segment import AE, CE, URG, EcnBytes, Segment, SynOptions
from gossamer.core.wire.text import Extent, TextInParts, octets_of
from gossamer.ffi.packets import OneWay, OutSegment

SLOTS: Final = 64
"""Packets of one batch."""

SLOT_BYTES: Final = 1 << 16
INBOX_MAX: Final = 4096
"""Packets that wait to be received; the next is lost, as in a full queue of the kernel."""

EMPTY_FLOW: Final = bytes(36)


class MemorySource:
    """A `PacketSource` fed by `put`."""

    def __init__(self) -> None:
        self.fd = -1
        self.arena: mmap.mmap = mmap.mmap(-1, SLOTS * SLOT_BYTES)
        self._records = bytearray(SLOTS * IN_RECORD.size)
        self._side = bytearray(SLOTS * SIDE_RECORD.size)
        self.records: memoryview = memoryview(self._records).toreadonly()
        self.side: memoryview = memoryview(self._side).toreadonly()
        self._inbox: deque[bytes] = deque(maxlen=INBOX_MAX)
        self.is_closed: bool = False

    def __len__(self) -> int:
        return len(self._inbox)

    def put(self, packet: bytes) -> None:
        """A packet arrives."""
        if len(self._inbox) < INBOX_MAX:
            self._inbox.append(packet)

    def recv_batch(self) -> int:
        """Make records of what waits."""
        count = min(SLOTS, len(self._inbox))
        for index in range(count):
            self._write(index, parse_packet(self._inbox.popleft()))
        return count

    def close(self) -> None:
        """Nothing is received any more."""
        self.is_closed = True

    def _write(self, index: int, parsed: Parsed) -> None:
        if isinstance(parsed, DropReason):
            self._write_record(index, EMPTY_FLOW, parsed, (0, 0, 0, 0, 0, 0))
        elif isinstance(parsed, IcmpMessage):
            fields = (parsed.kind, parsed.code, parsed.seq, parsed.mtu, 0, 0)
            self._write_record(index, parsed.flow, KIND_ICMP, fields)
        else:
            self._write_segment(index, *parsed)

    def _write_segment(self, index: int, flow: Flow, segment: Segment) -> None:
        has_timestamp = segment.ts_val >= 0
        kind = KIND_TIMESTAMP if has_timestamp else KIND_PLAIN
        if segment.sack or segment.syn_options is not None or segment.flags & URG or _is_rare(segment):
            kind = KIND_OPTIONS
            self._write_side(index, segment)
        times = (segment.ts_val, segment.ts_ecr) if has_timestamp else (0, 0)
        fields = (segment.flags & ~AE, segment.window, segment.seq, segment.ack, *times)
        ecn = segment.ecn | (RECORD_AE if segment.flags & AE else 0)
        self._write_record(index, flow, kind, fields, octets_of(segment.payload), ecn)

    def _write_record(
        self,
        index: int,
        flow: Flow,
        kind: int,
        fields: tuple[int, ...],
        payload: bytes = b"",
        ecn: int = 0,
    ) -> None:
        offset, at = index * SLOT_BYTES, index * IN_RECORD.size
        self.arena[offset : offset + len(payload)] = payload
        IN_RECORD.pack_into(self._records, at, flow, kind, *fields, offset, len(payload), ecn, 1)

    def _write_side(self, index: int, segment: Segment) -> None:
        options = segment.syn_options or SynOptions()
        edges = [edge for block in segment.sack for edge in block]
        edges += [0] * (8 - len(edges))
        SIDE_RECORD.pack_into(
            self._side,
            index * SIDE_RECORD.size,
            segment.ts_val >= 0,
            options.sack_permitted,
            options.window_scale,
            len(segment.sack),
            options.mss,
            segment.urgent,
            *edges,
            options.cookie or b"",
            encode_user_timeout(segment.user_timeout_s),
            _cookie_field(options),
            *_ecn_fields(segment.ecn_bytes),
        )


def _is_rare(segment: Segment) -> bool:
    """Whether a segment goes the slow way for something other than SYN options, SACK, URG."""
    if segment.ecn_bytes is not None:
        return True
    return segment.ecn == CE or segment.user_timeout_s > 0 or segment.flags & AE > 0


def _cookie_field(options: SynOptions) -> int:
    """The length of a Fast Open cookie as the side record has it."""
    if options.cookie is None:
        return -1
    return len(options.cookie) + COOKIE_EXPERIMENT * options.is_cookie_experimental


def _ecn_fields(ecn_bytes: EcnBytes | None) -> tuple[int, int, int, int]:
    """The AccECN option as the side record has it."""
    if ecn_bytes is None:
        return 0, 0, 0, 0
    first, second, third = ecn_bytes.in_order()
    count = sum(field >= 0 for field in (first, second, third))
    kind = 1 + count + ECN_ORDER_1 * ecn_bytes.is_order_1
    return kind, max(first, 0), max(second, 0), max(third, 0)


class MemorySink(OneWay):
    """A `PacketSink` that hands every packet to `carry` when it is flushed."""

    def __init__(self, carry: Callable[[bytes], None]) -> None:
        self.failed_total = 0
        self._descriptors: Mapping[int, int] = {}
        self._unreadable: set[bytes] = set()
        self.is_closed: bool = False
        self._carry = carry
        self._batch: list[bytes] = []

    def emit(self, flow: Flow, segment: OutSegment, options: bytes = b"") -> None:
        """Add a segment to the batch."""
        payload = segment.payload
        if isinstance(payload, TextInParts):
            payload = payload.resolved(self._read)
        if len(payload) < len(segment.payload):
            self._unreadable.add(flow)
            return
        plain = Segment(
            segment.seq,
            segment.ack,
            segment.flags,
            segment.window,
            segment.ts_val,
            segment.ts_ecr,
            bytes(payload),
            urgent=segment.urgent,
            ecn=segment.ecn,
            cut_bytes=segment.cut_bytes,
        )
        self._batch += [build_packet(flow, piece, options or None) for piece in cut(plain)]

    def _read(self, extent: Extent) -> bytes:
        """What there is of it. A test that sends a file has a real one."""
        return os.pread(self._descriptors[extent.file], extent.length, extent.offset)

    def read_from(self, descriptors: Mapping[int, int]) -> None:
        """See PacketSink."""
        self._descriptors = descriptors

    def take_unreadable(self) -> Collection[bytes]:
        """See PacketSink."""
        unreadable, self._unreadable = self._unreadable, set()
        return unreadable

    def forget_file(self, file: int) -> None:
        """Nothing is kept of it."""

    def flush(self) -> int:
        """Put the batch on the wire."""
        batch, self._batch = self._batch, []
        for packet in batch:
            self._carry(packet)
        return len(batch)

    def close(self) -> None:
        """Nothing is sent any more."""
        self.is_closed = True
