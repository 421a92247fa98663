"""Frames that the device does not take at once: held in order, within a bound, until it does."""

import errno
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import parse_packet
from gossamer.core.wire.segment import ACK, Segment
from gossamer.core.wire.text import Extent, TextInParts
from gossamer.ffi._packet import lib
from gossamer.ffi.hops import Hop
from gossamer.ffi.rawout import RawSink

FLOW = pack_flow(("10.77.0.1", 7701), ("10.77.0.2", 40_010))
HOP = Hop(1, b"", b"\2\0\0\0\0\2", b"\2\0\0\0\0\1", 65_535)
HEADERS_BYTES = 10 + 14
"""virtio_net_hdr and Ethernet."""
TEXT_BYTES = 60_000
ROOM_BYTES = 300_000
MANY = lib.HELD_BYTES_MAX // TEXT_BYTES + 20
"""More than may be held, with what the device takes."""


class OneHop:
    """`Frames` of one hop for all flows."""

    changes_fds: tuple[int, ...] = ()

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def start(self, place: Callable[[int, Hop], None]) -> None:
        place(1, HOP)

    def number(self, _flow: bytes, _none: int) -> int:
        return 1

    def begin(self, _flow: bytes) -> int:
        return 1

    def close(self) -> None:
        pass


class FullDevice:
    """Stands for a packet socket: it keeps frames whole and in order, and has room for few."""

    def __init__(self, kept: Callable[..., Any]) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM_BYTES)
        kept(ours), kept(self.theirs)
        self.ours = ours
        self.theirs.setblocking(False)
        self.watched: dict[int, tuple[int, Callable[[int], None]]] = {}
        self.sink: RawSink = kept(RawSink(-1, frames=OneHop(ours.fileno())))  # type: ignore[arg-type]
        self.sink.wait_with(self.watch, self.watched.pop)

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        self.watched[fd] = events, callback

    def is_ready(self) -> None:
        """What epoll would say."""
        for fd, (events, callback) in tuple(self.watched.items()):
            assert (fd, events) == (self.ours.fileno(), select.EPOLLOUT)
            if select.select([], [fd], [], 0)[1]:
                callback(events)

    def taken(self) -> Iterator[Segment]:
        """What has come so far."""
        while True:
            try:
                frame = self.theirs.recv(70_000)
            except BlockingIOError:
                return
            value = parse_packet(frame[HEADERS_BYTES:], checksum_ready=False)
            assert isinstance(value, tuple)
            assert isinstance(value[1], Segment)
            yield value[1]

    def all_taken(self) -> list[Segment]:
        """What comes until nobody waits any more."""
        found = [*self.taken()]
        while self.watched:
            self.is_ready()
            found += self.taken()
        return found


@pytest.fixture
def device(kept: Callable[..., Any]) -> FullDevice:
    return FullDevice(kept)


def frame(number: int) -> Segment:
    """A super-segment that says which it is."""
    return Segment(number, 6, ACK, 7, 8, 9, bytes([number % 251]) * TEXT_BYTES, cut_bytes=1_000)


def emitted(device: FullDevice, count: int) -> int:
    """How many packets are said to be sent."""
    for number in range(count):
        device.sink.emit(FLOW, frame(number))
    return device.sink.flush()


def test_device_that_is_full__what_follows_is_held__and_leaves_in_order(device: FullDevice) -> None:
    assert emitted(device, 12) == 12 * 60
    assert device.sink.failed_total == 0
    first = [*device.taken()]
    assert 0 < len(first) < 12
    device.sink.emit(FLOW, Segment(12, 6, ACK, 7, 8, 9, b"behind"))
    found = [*first, *device.all_taken()]
    device.sink.flush()
    found += device.all_taken()
    assert [each.seq for each in found] == [*range(13)]
    assert [each.payload for each in found[:12]] == [frame(number).payload for number in range(12)]
    assert not device.watched


def test_frame_behind_held_ones__while_the_device_has_room__waits_its_turn(device: FullDevice) -> None:
    emitted(device, 12)
    assert device.theirs.recv(70_000)
    device.sink.emit(FLOW, frame(12))
    assert device.sink.flush() == 60
    assert [each.seq for each in device.all_taken()] == [*range(1, 13)]


def test_more_than_may_be_held__the_rest_is_lost_and_counted(device: FullDevice) -> None:
    sent = emitted(device, MANY)
    assert device.sink.failed_total == MANY * 60 - sent > 0
    assert device.sink.last_errno == errno.EAGAIN
    found = device.all_taken()
    assert [each.seq for each in found] == [*range(sent // 60)]


def test_held_frames__of_a_file__have_its_octets(device: FullDevice, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(250)) * 4_000)
    with path.open("rb") as file:
        device.sink.read_from({3: file.fileno()})
        for number in range(12):
            text = TextInParts((Extent(3, number * 50_001, 50_001),), 50_001)
            device.sink.emit(FLOW, Segment(number, 6, ACK, 7, 8, 9, text, cut_bytes=1_000))
        device.sink.flush()
        device.sink.forget_file(3)
    assert b"".join(bytes(each.payload) for each in device.all_taken()) == path.read_bytes()[: 12 * 50_001]


def test_held_frames__that_the_device_refuses_after_all__are_counted(device: FullDevice) -> None:
    sent = emitted(device, 12)
    there = len([*device.taken()])
    device.theirs.close()
    device.is_ready()
    lost = device.sink.failed_total
    assert lost == sent - there * 60 > 0
    assert device.sink.last_errno == errno.EPIPE
    assert not device.watched
    device.sink.emit(FLOW, frame(12))
    assert device.sink.flush() == -lost, "they had counted as sent"
    assert device.sink.failed_total == lost + 60


def test_closed__nobody_is_watched_any_more(device: FullDevice) -> None:
    emitted(device, 12)
    assert device.watched
    device.sink.close()
    assert not device.watched


def test_sink_that_was_not_told_how_to_wait__tries_again_with_each_batch(kept: Callable[..., Any]) -> None:
    device = FullDevice(kept)
    device.sink.wait_with(lambda *_watched: None, lambda _fd: None)
    emitted(device, 12)
    found = [*device.taken()]
    for number in range(12, 20):
        device.sink.emit(FLOW, frame(number))
        device.sink.flush()
        found += device.taken()
    assert [each.seq for each in found] == [*range(20)]
