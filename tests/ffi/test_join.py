"""Joining in C against the reference, packet by packet."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.records import replace
from gossamer.core.seq import MASK
from gossamer.core.wire import record as layout
from gossamer.core.wire.flow import Flow, pack_flow
from gossamer.core.wire.joining import joined
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.reading import read_segment
from gossamer.core.wire.segment import ACK, CE, ECE, ECT_0, FIN, NOT_ECT, PSH, EcnBytes, Segment
from gossamer.ffi._packet import ffi, lib

SLOT_BYTES = 1_000
HERE, PEER, OTHER = ("192.0.2.1", 80), ("192.0.2.2", 40_000), ("2001:db8::1", 40_001)
FLOWS = [pack_flow(HERE, PEER), pack_flow(("2001:db8::2", 80), OTHER), pack_flow(HERE, ("192.0.2.3", 40_000))]
"""Ours first: what comes is built the other way round."""


def turned(flow: Flow) -> Flow:
    """The flow as its peer sees it."""
    return flow[16:32] + flow[:16] + flow[34:36] + flow[32:34]


def odd(segment: Segment) -> list[Segment]:
    """A duplicate that reports something, and what is different from it in one thing."""
    ack, (first, *others) = segment.ack, segment.sack
    fields: list[dict[str, Any]] = [
        {"seq": segment.seq + 1},
        {"ack": (ack + 1) & MASK},
        {"flags": ACK | ECE},
        {"flags": ACK | PSH},
        {"window": 10},
        {"ts_val": segment.ts_val + 1},
        {"payload": b"x"},
        {"user_timeout_s": 60},
        {"ecn_bytes": EcnBytes(ee0b=1)},
        {"ecn": ECT_0},
        {"ecn": CE},
        {"sack": ()},
        {"sack": (first,)},
        {"sack": (first, *others[::-1])},
        {"sack": (first, (first[1], (first[1] + 3) & MASK))},
        {"sack": (((first[0] + 1) & MASK, first[1]), *others)},
        {"sack": (((ack - 20) & MASK, first[1]), *others)},
        {"sack": ((ack, first[1]), *others)},
    ]
    return [replace(segment, **changed) for changed in fields]


@st.composite
def duplicates(draw: st.DrawFn) -> list[tuple[Flow, Segment]]:
    """ACKs of one place whose first SACK block mostly grows; some are odd, or all in the same way."""
    oddity = draw(st.integers(-18, 17))
    ack, right, packets = draw(st.sampled_from((0, MASK - 15))), 15, []
    others = draw(st.sampled_from(((), ((40, 60),), ((5, 60),), ((70, 90),))))
    for _ in range(draw(st.integers(2, 12))):
        right += draw(st.sampled_from((5, 5, 5, 0, -5)))
        blocks = tuple(((ack + a) & MASK, (ack + b) & MASK) for a, b in ((10, right), *others))
        segment = Segment(7, ack, ACK, 9, 5, 3, sack=blocks)
        chosen = (
            draw(st.sampled_from([*[segment] * 20, *odd(segment)])) if oddity < 0 else odd(segment)[oddity]
        )
        packets.append((FLOWS[0], chosen))
    return packets


@st.composite
def arrivals(draw: st.DrawFn) -> list[tuple[Flow, Segment]]:
    """Packets of a few flows, most of them the next ACK or the next text."""
    starts = st.tuples(st.sampled_from((0, MASK - 15, 7)), st.sampled_from((0, MASK - 30)))
    state = {flow: list(draw(starts)) for flow in FLOWS}
    packets = []
    for _ in range(draw(st.integers(1, 30))):
        flow = draw(st.sampled_from(FLOWS))
        place = state[flow]
        payload = draw(st.sampled_from((b"", b"", b"x" * 20, b"y" * 20, b"z" * 7)))
        place[1] = (place[1] + draw(st.sampled_from((0, 0, 30, 60, -30)))) & MASK
        segment = Segment(
            (place[0] + draw(st.sampled_from((0, 0, 0, 0, 1, -20)))) & MASK,
            place[1],
            draw(st.sampled_from((ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | ECE))),
            draw(st.sampled_from((9, 9, 10))),
            draw(st.sampled_from((5, 5, 5, 6, -1))),
            draw(st.sampled_from((3, 3, 4))),
            payload,
            draw(st.sampled_from(((), (), (), ((1, 2),)))),
            ecn=draw(st.sampled_from((NOT_ECT, NOT_ECT, ECT_0, CE))),
        )
        if segment.ts_val < 0:
            segment = Segment(segment.seq, segment.ack, segment.flags, segment.window, payload=payload)
        place[0] = (place[0] + len(payload)) & MASK
        packets.append((flow, segment))
    return packets


def reference(packets: list[tuple[Flow, Segment]]) -> list[tuple[Flow, Segment, int]]:
    """What the receiver hands on: (flow, segment, pieces)."""
    batch: list[tuple[Flow, Segment, int]] = []
    last: dict[Flow, tuple[int, int]] = {}
    for flow, segment in packets:
        if flow in last:
            index, piece_bytes = last[flow]
            _, before, pieces = batch[index]
            both = joined(before, segment, piece_bytes)
            if both is not None:
                batch[index] = (flow, both, pieces + 1)
                continue
        last[flow] = (len(batch), len(segment.payload))
        batch.append((flow, segment, 1))
    return batch


class Receiver:
    """Slots, records, and the joiner over them."""

    def __init__(self, slots: int) -> None:
        self.arena = bytearray(slots * SLOT_BYTES)
        self.records = bytearray(slots * layout.IN_RECORD.size)
        self.side = bytearray(slots * layout.SIDE_RECORD.size)
        self.c_arena = ffi.from_buffer("uint8_t[]", self.arena)
        self.c_records: Any = ffi.from_buffer("struct in_record[]", self.records)
        self.c_side: Any = ffi.from_buffer("struct side_record[]", self.side)
        self.joiner = lib.joiner_new(self.c_arena, SLOT_BYTES, self.c_records, self.c_side)

    def take(self, packets: list[bytes]) -> list[tuple[Flow, Segment, int]]:
        """One batch, each packet in a slot of its own."""
        lib.joiner_begin(self.joiner)
        count = 0
        for slot, packet in enumerate(packets):
            offset = slot * SLOT_BYTES
            self.arena[offset : offset + len(packet)] = packet
            record, side = self.c_records + count, self.c_side + count
            lib.packet_parse(self.c_arena, offset, len(packet), 0, record, side)
            count += not lib.joiner_take(self.joiner, count)
        return [self.read(index) for index in range(count)]

    def read(self, index: int) -> tuple[Flow, Segment, int]:
        """A record as a value."""
        record = layout.IN_RECORD.unpack_from(self.records, index * layout.IN_RECORD.size)
        side = layout.SIDE_RECORD.unpack_from(self.side, index * layout.SIDE_RECORD.size)
        offset, length = record[8], record[9]
        return record[0], read_segment(record, bytes(self.arena[offset : offset + length]), side), record[11]

    def close(self) -> None:
        """Give the memory back."""
        lib.joiner_free(self.joiner)


@given(st.lists(st.one_of(arrivals(), duplicates()), min_size=1, max_size=3))
def test_any_batches__as_the_reference(batches: list[list[tuple[Flow, Segment]]]) -> None:
    receiver = Receiver(30)
    for packets in batches:
        taken = receiver.take([build_packet(turned(flow), segment) for flow, segment in packets])
        assert taken == reference(packets)
    receiver.close()


def test_text__as_far_as_the_slot_reaches() -> None:
    flow = FLOWS[0]
    texts = [Segment(seq, 5, ACK, 9, 1, 2, b"t" * 100) for seq in range(0, 1_500, 100)]
    receiver = Receiver(15)
    taken = receiver.take([build_packet(turned(flow), each) for each in texts])
    receiver.close()
    assert [(len(segment.payload), pieces) for _, segment, pieces in taken] == [(900, 9), (600, 6)]


def test_pieces__as_many_as_a_record_can_say() -> None:
    flow = FLOWS[0]
    acks = [Segment(1, ack, ACK, 9, 1, 2) for ack in range(600)]
    receiver = Receiver(600)
    taken = receiver.take([build_packet(turned(flow), each) for each in acks])
    receiver.close()
    assert [(segment.ack, pieces) for _, segment, pieces in taken] == [(254, 255), (509, 255), (599, 90)]
