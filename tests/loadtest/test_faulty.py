"""Faults on packets between a device and a TCP: what is lost, held and doubled, each way, with a seed."""

import os
from collections.abc import Iterator

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.sim.device import MemorySink, MemorySource
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import build_packet, parse_packet
from gossamer.core.wire.record import IN_RECORD
from gossamer.core.wire.segment import ACK, CWR, PSH, Segment
from gossamer.loadtest.faults import LinkFaults
from gossamer.loadtest.faulty import WAITING_MAX, FaultyPath, taken_apart

IN = pack_flow(("192.0.2.1", 80), ("192.0.2.2", 1025))
FLOW = pack_flow(("192.0.2.2", 1025), ("192.0.2.1", 80))


class Device(MemorySource):
    """A source with a descriptor of its own, which is always ready."""

    def __init__(self) -> None:
        super().__init__()
        self.fd = os.eventfd(1)

    def close(self) -> None:
        os.close(self.fd)


class Rig:
    """A faulty path between two memory devices."""

    def __init__(self, **faults: float) -> None:
        self.clock = VirtualClock()
        self.device, self.sent = Device(), list[bytes]()
        inner = MemorySink(self.sent.append)
        asked = LinkFaults(**faults)  # type: ignore[arg-type]
        self.path = FaultyPath(self.device, inner, asked, 7, self.clock)

    def arrive(self, *seqs: int) -> None:
        for seq in seqs:
            self.device.put(build_packet(FLOW, Segment(seq, 5, ACK, 100, 1, 2, b"%d" % seq)))

    def received(self) -> list[tuple[int, bytes]]:
        """What the TCP is given now: sequence number and text of each."""
        source, found = self.path.source, []
        while count := source.recv_batch():
            for record in IN_RECORD.iter_unpack(source.records[: count * IN_RECORD.size]):
                found.append((record[4], source.arena[record[8] : record[8] + record[9]]))
        return found

    def emitted(self) -> list[int]:
        """The sequence numbers of what has left."""
        self.path.sink.flush()
        left = [parse_packet(packet)[1].seq for packet in self.sent]  # type: ignore[index]
        self.sent.clear()
        return left


@pytest.fixture
def opened() -> Iterator[list[Rig]]:
    rigs: list[Rig] = []
    yield rigs
    for rig in rigs:
        rig.path.source.close()
        rig.path.sink.close()


def test_delay__each_way__comes_out_when_its_time_has_come(opened: list[Rig]) -> None:
    opened.append(rig := Rig(delay_us=20_000))
    rig.arrive(1, 2)
    rig.path.sink.emit(FLOW, Segment(9, 0, ACK, 1, 1, 1, b"x"))
    assert (rig.received(), rig.emitted()) == ([], [])
    rig.clock.advance(19_999)
    assert rig.received() == []
    rig.clock.advance(1)
    assert rig.received() == [(1, b"1"), (2, b"2")]
    assert rig.emitted() == [9]
    assert rig.path.counts.received.delayed_total == 2
    assert rig.path.counts.sent.delayed_total == 1


def test_loss_and_duplicate__of_many__as_frequent_as_asked_and_counted(opened: list[Rig]) -> None:
    opened.append(rig := Rig(loss=0.2, duplicate=0.1))
    seqs = range(1, 1_001)
    rig.arrive(*seqs)
    found = [seq for seq, _ in rig.received()]
    for seq in seqs:
        rig.path.sink.emit(FLOW, Segment(seq, 0, ACK, 1, 1, 1, b"x"))
    left = rig.emitted()
    for way, counts in ((found, rig.path.counts.received), (left, rig.path.counts.sent)):
        assert counts.packets_total == 1_000
        assert counts.lost_total == 1_000 - len(set(way)) == pytest.approx(200, abs=50)
        assert counts.duplicated_total == len(way) - len(set(way)) == pytest.approx(80, abs=30)
    assert set(found) != set(left), "each way has draws of its own"


def test_seed__again__the_same_packets(opened: list[Rig]) -> None:
    both = []
    for _ in range(2):
        opened.append(rig := Rig(loss=0.3))
        rig.arrive(*range(200))
        both.append(rig.received())
    assert both[0] == both[1]


def test_reorder__held_back__later_ones_overtake(opened: list[Rig]) -> None:
    opened.append(rig := Rig(reorder=0.5))
    rig.arrive(*range(40))
    first = rig.received()
    rig.clock.advance(2_000)
    late = rig.received()
    assert sorted(first + late) == [(seq, b"%d" % seq) for seq in range(40)]
    assert len(late) == rig.path.counts.received.reordered_total > 5


def test_super_segment__each_packet_has_its_own_fate(opened: list[Rig]) -> None:
    opened.append(rig := Rig(loss=0.5))
    rig.path.sink.emit(FLOW, Segment(1, 0, ACK | PSH, 1, 1, 1, b"x" * 1_000, cut_bytes=10))
    assert rig.path.counts.sent.packets_total == 100
    assert len(rig.emitted()) == 100 - rig.path.counts.sent.lost_total


def test_taken_apart__what_was_joined__its_packets() -> None:
    record = (IN, 1, ACK | PSH | CWR, 7, (1 << 32) - 2, 5, 3, 4, 100, 10, 0, 3)
    pieces = list(taken_apart(record))
    assert [(piece[2], piece[4], piece[8], piece[9], piece[11]) for piece in pieces] == [
        (ACK | CWR, (1 << 32) - 2, 100, 4, 1),
        (ACK, 2, 104, 4, 1),
        (ACK | PSH, 6, 108, 2, 1),
    ]


def test_too_many_under_way__dropped_and_counted(opened: list[Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    assert WAITING_MAX > 1_000
    monkeypatch.setattr("gossamer.loadtest.faulty.WAITING_MAX", 3)
    opened.append(rig := Rig(delay_us=10))
    rig.arrive(1, 2, 3, 4, 5)
    rig.received()
    assert rig.path.counts.received.overflowed_total == 2


def test_close__what_is_under_way_still_leaves(opened: list[Rig]) -> None:
    opened.append(rig := Rig(delay_us=20_000))
    rig.path.sink.emit(FLOW, Segment(9, 0, ACK, 1, 1, 1, b""))
    opened.clear()
    rig.path.source.close()
    rig.path.sink.close()
    assert rig.emitted() == [9]
