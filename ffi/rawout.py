"""Segments out as IP packets through raw sockets, a batch in one call.

Owns the send arena and the out-records; what leaves from where it stands is `ffi.apart`'s. It must never know
TCP beyond the header that it writes. The kernel routes the packets, by source and destination, and fills in
nothing that we need: headers and checksums are written by `src/build.c`.

Source: raw(7), ipv6(7).
"""

import mmap
import select
import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from gossamer.ffi._packet import ffi, lib
from gossamer.ffi.apart import TextsApart
from gossamer.ffi.frames import Frames
from gossamer.ffi.hops import RAW, Hop, link_mtu
from gossamer.ffi.packets import OUT_RECORD_BYTES, OutSegment, TooLong, Watch

BATCH_MAX: Final = 256
"""Segments a batch."""
ARENA_BYTES: Final = 1 << 20
HALF_MAX: Final = BATCH_MAX // 2 - 1
"""With one more the batch is half full."""
HALF_BYTES: Final = ARENA_BYTES // 2
TTL_DEFAULT: Final = 64
"""Source: RFC 1700, IP time to live parameter."""
HEADROOM_BYTES: Final = lib.HEADROOM_BYTES
"""Room before each payload for the longest header: IPv6, TCP, timestamps."""
FLAGS_MAX: Final = 0xFF
"""What of a segment's flags is an octet of the header; the one beyond is AE."""
OUT_AE: Final = lib.OUT_AE
OUT_TIMESTAMP: Final = lib.OUT_TIMESTAMP
SEGMENT_BYTES_MAX: Final = 65535
FLOW_BYTES: Final = 36

_PACK_RECORD: Final = struct.Struct("=36sBBHIIIIIHBBHH").pack_into
_FLOW_AND_SEQ: Final = struct.Struct("=36sxxxxI").unpack_from
REFUSED_MAX: Final = lib.REFUSED_MAX
"""Flows of which it is kept that a segment was too long; others say so when they send again."""

NO_HOPS: Final[Mapping[bytes, int]] = MappingProxyType({})
"""Of a sink that sends no frames."""


def _stays_raw(_flow: bytes) -> int:
    return RAW


def _nothing() -> None:
    """Of a sink that nobody has told what to call before it sends."""


def _is_not_told(*_watched: Any) -> None:
    """Of a sink that nobody has told how to wait: what is held is tried again with each batch."""


class RawSink:
    """A PacketSink on descriptors from `open_raw_sockets`; -1 for a family there is no socket for. `ttl` is
    the time to live or hop limit of all that it sends. With `frames` a flow leaves as frames from its first
    super-segment on, where there is a hop for it."""

    def __init__(self, fd4: int, fd6: int = -1, ttl: int = TTL_DEFAULT, frames: Frames | None = None) -> None:
        self.failed_total = 0
        self.is_filling = False
        self._unreadable: set[bytes] = set()
        self._count = 0
        """Records of the batch."""
        self._pieces = 0
        """By how many its packets are more than that."""
        self._end = 0
        self._sent_early = 0
        self._refused: dict[bytes, int] = {}
        """The sequence number of the first segment of a flow that was too long for its link."""
        self._arena = mmap.mmap(-1, ARENA_BYTES)
        self._records = bytearray(BATCH_MAX * OUT_RECORD_BYTES)
        self._c_arena = ffi.from_buffer("uint8_t[]", self._arena)
        self._c_records = ffi.from_buffer("struct out_record[]", self._records)
        self._sender = lib.sender_new(fd4, fd6, self._c_arena, ARENA_BYTES, self._c_records, BATCH_MAX, ttl)
        if self._sender == ffi.NULL:
            raise MemoryError("no memory for the packet sender")
        self._apart = TextsApart(self._sender)
        self._held_apart = self._apart.held
        self._frames = frames
        self._number: Callable[[bytes, int], int] = NO_HOPS.get
        self._begin: Callable[[bytes], int] = _stays_raw
        self.changes_fds: tuple[int, ...] = ()
        self._is_waiting = False
        """For the device, with frames that it has not taken."""
        self._before_sending: Callable[[], None] = _nothing
        self._watch: Watch = _is_not_told
        self._stop_watching: Callable[[int], None] = _is_not_told
        if frames is not None:
            if lib.sender_open_frames(self._sender, frames.fd) < 0:
                raise MemoryError("no memory for the frame sender")
            frames.start(self._place_hop)
            self.changes_fds = frames.changes_fds
            self._number, self._begin = frames.number, frames.begin

    def _place_hop(self, number: int, hop: Hop) -> None:
        self._send_what_waits()
        mtu = min(hop.mtu, SEGMENT_BYTES_MAX)
        c_hop = ffi.new("struct hop *", (hop.link, mtu, tuple(hop.destination), tuple(hop.source)))
        lib.sender_place_hop(self._sender, number, c_hop)

    def _send_what_waits(self) -> None:
        """Before hops change: what waits names them by number, and what follows must not overtake it."""
        if self._count:
            self._sent_early += self._send()

    @property
    def last_errno(self) -> int:
        """Why the kernel refused a packet last; 0 if it never did."""
        return lib.sender_last_errno(self._sender)

    def emit(self, flow: bytes, segment: OutSegment, options: bytes = b"") -> None:
        """See PacketSink."""
        payload = segment.payload
        cut_bytes = segment.cut_bytes
        hop = self._number(flow, RAW)
        if cut_bytes and not hop:
            hop = self._begin(flow)
        options_bytes = len(options)
        offset = self._end + HEADROOM_BYTES
        end = offset + options_bytes + len(payload)
        if (end >= HALF_BYTES or self._count >= HALF_MAX) and not self._has_room(end):
            end -= self._make_room(len(payload))
            offset = HEADROOM_BYTES
        if options_bytes:
            self._arena[offset : offset + options_bytes] = options
        if type(payload) is bytes or not hasattr(payload, "parts"):
            if payload:
                self._arena[offset + options_bytes : end] = payload
        elif cut_bytes and hop and self._apart.is_added(payload, self._count):
            end = offset
        elif not self._is_written(payload.parts, offset + options_bytes):
            self._unreadable.add(flow)
            return
        ts_val = segment.ts_val
        with_timestamp = ts_val >= 0 and not options_bytes
        kind, flags = int(with_timestamp), segment.flags
        if flags > FLAGS_MAX:
            kind, flags = kind | OUT_AE, flags & FLAGS_MAX
        _PACK_RECORD(
            self._records,
            self._count * OUT_RECORD_BYTES,
            flow,
            kind,
            flags,
            segment.window,
            segment.seq,
            segment.ack,
            ts_val if with_timestamp else segment.urgent,
            segment.ts_ecr,
            offset,
            len(payload),
            options_bytes,
            segment.ecn,
            cut_bytes,
            hop,
        )
        self._end = end
        self._count += 1
        if cut_bytes:
            self._pieces += -(-len(payload) // cut_bytes) - 1

    def emit_timestamped(
        self,
        flow: bytes,
        seq: int,
        ack: int,
        flags: int,
        window: int,
        ts_val: int,
        ts_ecr: int,
        payload: bytes,
        ecn: int,
    ) -> None:
        """See PacketSink: the same as `emit` does with it, and nothing that only others need."""
        length = len(payload)
        offset = self._end + HEADROOM_BYTES
        end = offset + length
        if (end >= HALF_BYTES or self._count >= HALF_MAX) and not self._has_room(end):
            end -= self._make_room(length)
            offset = HEADROOM_BYTES
        if length:
            self._arena[offset:end] = payload
        kind = OUT_TIMESTAMP
        if flags > FLAGS_MAX:
            kind, flags = kind | OUT_AE, flags & FLAGS_MAX
        _PACK_RECORD(
            self._records,
            self._count * OUT_RECORD_BYTES,
            flow,
            kind,
            flags,
            window,
            seq,
            ack,
            ts_val,
            ts_ecr,
            offset,
            length,
            0,
            ecn,
            0,
            self._number(flow, RAW),
        )
        self._end = end
        self._count += 1

    def _is_written(self, parts: Iterable[Any], at: int) -> bool:
        """Whether all of a text stands in the arena now: what of it is in a file has been read."""
        for part in parts:
            if part.file < 0:
                piece = memoryview(part.chunk)[part.start : part.start + part.length]
                self._arena[at : at + part.length] = piece
            else:
                fd = self._apart.descriptors[part.file]
                if lib.file_read(fd, self._c_arena + at, part.length, part.offset) != part.length:
                    return False
            at += part.length
        return True

    def _has_room(self, end: int) -> bool:
        """Whether a segment up to there finds room in a batch that is half full with it."""
        self.is_filling = True
        return end <= ARENA_BYTES and self._count < BATCH_MAX

    def _make_room(self, payload_bytes: int) -> int:
        """Flush; how far the end of the arena's used part moved back."""
        assert payload_bytes <= SEGMENT_BYTES_MAX
        used_bytes = self._end
        self._sent_early += self._send()
        return used_bytes

    def call_before_sending(self, call: Callable[[], None]) -> None:
        """See PacketSink."""
        self._before_sending = call

    def wait_with(self, watch: Watch, forget: Callable[[int], None]) -> None:
        """See PacketSink."""
        self._watch, self._stop_watching = watch, forget

    def _wait(self) -> None:
        """The device takes no more: have it said when it does again."""
        assert self._frames is not None
        self._is_waiting = True
        self._watch(self._frames.fd, select.EPOLLOUT, self._go_on)

    def _go_on(self, _events: int) -> None:
        """The device takes more."""
        assert self._frames is not None
        lost = lib.sender_go_on(self._sender)
        self.failed_total -= lost
        self._sent_early += lost
        if not lib.sender_is_holding(self._sender):
            self._is_waiting = False
            self._stop_watching(self._frames.fd)

    def take_changes(self, _events: int) -> None:
        """See PacketSink."""
        if self._frames is not None:
            self._send_what_waits()
            self._frames.take_changes()

    def doubt(self, flow: bytes) -> None:
        """See PacketSink."""
        if self._frames is not None:
            self._send_what_waits()
            self._frames.doubt(flow)

    def read_from(self, descriptors: Mapping[int, int]) -> None:
        """See PacketSink."""
        self._apart.descriptors = descriptors

    def take_unreadable(self) -> Collection[bytes]:
        """See PacketSink."""
        if not self._unreadable:
            return ()
        unreadable, self._unreadable = self._unreadable, set()
        return unreadable

    def forget_file(self, file: int) -> None:
        """See PacketSink."""
        if self._held_apart:
            self._send_what_waits()
        self._apart.forget(file)

    def forget(self, flow: bytes) -> None:
        """See PacketSink."""
        if self._frames is not None:
            self._frames.forget(flow)

    @property
    def frames_total(self) -> int:
        """See PacketSink."""
        return lib.sender_frames_total(self._sender)

    def flush(self) -> int:
        """See PacketSink."""
        if not self._count:
            return 0
        sent = self._sent_early + self._send()
        self._sent_early = 0
        return sent

    def _send(self) -> int:
        self._before_sending()
        count, packets = self._count, self._count + self._pieces
        self._count = self._pieces = self._end = 0
        self.is_filling = False
        if self._is_waiting:
            self._go_on(0)
        sent = lib.sender_send(self._sender, count)
        if self._held_apart:
            self._settle_apart()
        if not self._is_waiting and lib.sender_is_holding(self._sender):
            self._wait()
        if sent != packets:
            self.failed_total += packets - sent
            self._note_refused()
        return sent

    def _note_refused(self) -> None:
        indexes = ffi.new("uint32_t[]", REFUSED_MAX)
        for index in indexes[0 : lib.sender_refused(self._sender, indexes)]:
            flow, seq = _FLOW_AND_SEQ(self._records, index * OUT_RECORD_BYTES)
            if len(self._refused) < REFUSED_MAX:
                self._refused.setdefault(flow, seq)

    def take_too_long(self) -> list[TooLong]:
        """See PacketSink."""
        if not self._refused:
            return []
        refused, self._refused = self._refused, {}
        return [TooLong(flow, seq, link_mtu(flow)) for flow, seq in refused.items()]

    def _settle_apart(self) -> None:
        """What left from where it stood is not needed any more, and what could not leave is known."""
        for record in self._apart.settle():
            at = record * OUT_RECORD_BYTES
            self._unreadable.add(bytes(self._records[at : at + FLOW_BYTES]))

    def close(self) -> None:
        """See PacketSink; the descriptors stay open. Closing twice is harmless."""
        if self._sender != ffi.NULL:
            lib.sender_free(self._sender)
            self._sender = ffi.NULL
            if self._frames is not None:
                if self._is_waiting:
                    self._stop_watching(self._frames.fd)
                self._frames.close()
                self._frames = None
            self._apart.close()
            ffi.release(self._c_arena)
            ffi.release(self._c_records)
            self._arena.close()
