"""The two ends of packet I/O as those who use them see them: a source of received batches and a sink of
segments.

Owns the protocols and the memory that both receivers share; it must never know a queue, a socket or TCP. A
further device is one more file that fulfils one of these protocols. The layout of the records is that of
`core/wire/record.py`.
"""

import mmap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from gossamer.ffi._packet import ffi

IN_RECORD_BYTES: Final = ffi.sizeof("struct in_record")
SIDE_RECORD_BYTES: Final = ffi.sizeof("struct side_record")
OUT_RECORD_BYTES: Final = ffi.sizeof("struct out_record")


class PacketSource(Protocol):
    """Received packets, a batch at a time; what a batch holds is valid until the next one is taken."""

    fd: int
    """Ready to read when packets wait; level-triggered, since one batch need not take them all."""
    arena: mmap.mmap
    """`arena[a:b]` are the bytes that a record's payload_offset and payload_length point at."""
    records: memoryview
    """In-records; the first recv_batch() of them are those of this batch."""
    side: memoryview
    """Side records, each at the index of its in-record."""

    def recv_batch(self) -> int:
        """How many records `records` holds now; 0 when nothing waited. Raises: OSError when the source is of
        no more use.
        """

    def close(self) -> None:
        """Give back what it holds."""


class OutPart(Protocol):
    """A stretch of a text: of octets in memory, or of a file."""

    @property
    def file(self) -> int:
        """The file that it stands in, by its number; negative for octets in memory."""

    @property
    def length(self) -> int:
        """How many octets it is."""


class OutText(Protocol):
    """A text in parts."""

    @property
    def parts(self) -> tuple[Any, ...]:
        """Each an `OutPart`. One in memory has its octets in `chunk`, from `start` on; one of a file stands
        there at `offset`."""

    def __len__(self) -> int: ...


class OutSegment(Protocol):
    """The attributes that a sink reads from a segment; `ts_val` is negative without timestamps, `ecn` is the
    codepoint for the IP header."""

    @property
    def seq(self) -> int:
        """Of the first octet, or of the SYN."""

    @property
    def ack(self) -> int:
        """What is acknowledged; it means something only with the flag ACK."""

    @property
    def flags(self) -> int:
        """The header's octet of flags."""

    @property
    def window(self) -> int:
        """The header's window, scaled already."""

    @property
    def ts_val(self) -> int:
        """The timestamp's value; negative without one."""

    @property
    def ts_ecr(self) -> int:
        """The timestamp that is echoed."""

    @property
    def payload(self) -> Any:
        """The text: octets, or an `OutText`."""

    @property
    def urgent(self) -> int:
        """The urgent pointer; it means something only with the flag URG."""

    @property
    def ecn(self) -> int:
        """The codepoint for the IP header."""

    @property
    def cut_bytes(self) -> int:
        """Of a super-segment: how much of the text each packet bears; 0 when it is one packet."""


class TimestampedPacket(NamedTuple):
    """An `OutSegment` of one packet, whose only option is timestamps."""

    seq: int
    ack: int
    flags: int
    window: int
    ts_val: int
    ts_ecr: int
    payload: bytes
    ecn: int
    urgent: int = 0
    cut_bytes: int = 0


class TooLong(NamedTuple):
    """Our own host did not send a segment, which is longer than its link carries."""

    flow: bytes
    seq: int
    mtu: int
    """Of the link; 0 when it cannot be known."""


Watch = Callable[[int, int, Callable[[int], None]], None]
"""Have a callback called, with the ready events, while a descriptor is ready: the scheduler's `watch`."""


class Ways(Protocol):
    """Where flows leave, as far as that is the sink's to know."""

    @property
    def frames_total(self) -> int:
        """How many segments left as frames, which the device cuts, and not as packets."""

    changes_fds: tuple[int, ...]
    """Readable when routing or the host's rules have changed: call `take_changes` then."""

    def take_changes(self, _events: int) -> None:
        """Forget what does not hold any more of where flows leave."""

    def wait_with(self, watch: Watch, forget: Callable[[int], None]) -> None:
        """From now on `watch(fd, events, callback)` is called when the device takes no more, and `forget(fd)`
        when all that was held for it has left."""

    def doubt(self, flow: bytes) -> None:
        """What was sent on a flow was not answered in time: the way that it takes may be wrong."""

    def forget(self, flow: bytes) -> None:
        """The connection of a flow is over."""

    def take_too_long(self) -> Sequence[TooLong]:
        """Segments that were too long for their link since this was asked last, one of a flow."""


class Links(Protocol):
    """Who knows what the links of this host carry: `ffi.links.LocalLinks`."""

    fd: int
    """Readable when that has changed: call `take_changes` then."""

    def mtu(self, address: bytes) -> int:
        """Of the link that has an address of ours, 16 octets, IPv4 mapped; 0 when it is not known."""

    def take_changes(self, _events: int) -> None:
        """Look again."""

    def close(self) -> None:
        """Give back what hears of changes."""


class OneWay:
    """The `Ways` of a sink that has one for all flows."""

    frames_total = 0
    changes_fds: tuple[int, ...] = ()

    def take_changes(self, _events: int) -> None:
        """Nothing can change."""

    def wait_with(self, watch: Watch, forget: Callable[[int], None]) -> None:
        """It never waits."""

    def doubt(self, flow: bytes) -> None:
        """There is no other."""

    def forget(self, flow: bytes) -> None:
        """Nothing is known of any flow."""

    def take_too_long(self) -> Sequence[TooLong]:
        """It takes segments of any length."""
        return ()

    is_filling = False

    def call_before_sending(self, call: Callable[[], None]) -> None:
        """It sends nothing before `flush`."""

    def emit(self, flow: bytes, segment: OutSegment, options: bytes = b"") -> None:
        """See PacketSink."""
        raise NotImplementedError

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
        """As any other segment."""
        self.emit(flow, TimestampedPacket(seq, ack, flags, window, ts_val, ts_ecr, payload, ecn))


class FileReading(Protocol):
    """Segments that bear stretches of files."""

    def read_from(self, descriptors: Mapping[int, int]) -> None:
        """The open descriptor of each file of which a segment may bear a stretch stands there from now on."""

    def take_unreadable(self) -> Collection[bytes]:
        """Flows of which a segment could not leave, since its file has become shorter, or cannot be read."""

    def forget_file(self, file: int) -> None:
        """Nobody needs a file any more; its descriptor is closed next."""


class NoFiles:
    """The `FileReading` of a sink to which nobody gives any."""

    def read_from(self, descriptors: Mapping[int, int]) -> None:
        """None is read."""

    def take_unreadable(self) -> Collection[bytes]:
        """There is none."""
        return ()

    def forget_file(self, file: int) -> None:
        """None is known."""


class PacketSink(Ways, FileReading, Protocol):
    """Outgoing segments, collected into batches."""

    failed_total: int
    """Segments that never left, because the kernel refused them."""
    is_filling: bool
    """Whether the batch is half full: what one step of a connection emits finds room in the other half, or
    nearly always."""

    def emit(self, flow: bytes, segment: OutSegment, options: bytes = b"") -> None:
        """Add a segment to the batch, flushing by itself when the batch is full.

        `options` holds all option octets, padded to a multiple of four; without it, a segment with a
        timestamp gets that option alone, and no urgent pointer: one with URG needs `options`. The payload is
        any bytes-like object of single bytes, or in parts; what of it stands in files is read at once, what
        is bytes at the latest when the batch is sent. A super-segment has no `options`; it is sent as its
        packets (`core.wire.cutting`).
        """

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
        """Add what nearly all segments are, one packet whose only option is timestamps: by its fields, which
        cost an interpreted reader of a native record more than all else that is done here."""

    def flush(self) -> int:
        """Send the batch in one call.

        Returns how many packets went out since the last flush, those of batches that flushed themselves
        included.
        """

    def call_before_sending(self, call: Callable[[], None]) -> None:
        """Have this called before a batch that is full is sent before `flush`. It emits nothing."""

    def close(self) -> None:
        """Give back what it holds; what was not flushed is lost."""


class ReceiveMemory:
    """The arena of equal slots and the record arrays that a receiver fills."""

    def __init__(self, slots: int, slot_bytes: int) -> None:
        self.slots = slots
        self.slot_bytes = slot_bytes
        self.arena = mmap.mmap(-1, slots * slot_bytes)
        self._records = bytearray(slots * IN_RECORD_BYTES)
        self._side = bytearray(slots * SIDE_RECORD_BYTES)
        self.records = memoryview(self._records).toreadonly()
        self.side = memoryview(self._side).toreadonly()
        self.c_arena = ffi.from_buffer("uint8_t[]", self.arena)
        self.c_records = ffi.from_buffer("struct in_record[]", self._records)
        self.c_side = ffi.from_buffer("struct side_record[]", self._side)

    def close(self) -> None:
        """Unmap the arena, of which nobody may hold a view; views of the records stay valid."""
        for c_buffer in (self.c_arena, self.c_records, self.c_side):
            ffi.release(c_buffer)
        self.arena.close()
