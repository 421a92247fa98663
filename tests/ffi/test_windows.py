"""Windows into files, and texts in stretches: what leaves from where it stands."""

import os
import socket
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from gossamer.core.wire.cutting import cut
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK, PSH, Segment
from gossamer.core.wire.text import Extent, Part, Span, TextInParts
from gossamer.ffi._packet import ffi, lib
from gossamer.ffi.apart import PARTS_MAX
from gossamer.ffi.rawout import ARENA_BYTES, RawSink
from gossamer.ffi.windows import WINDOW_BYTES, WINDOWS_MAX, Windows
from gossamer.loadtest.namespaces import LEFT_V4, RIGHT_V4, Namespace

from ..parts import ask_each
from .test_frames import PEER_PORT, arrived, cut_before_the_device, new_sink, sink
from .test_frames import wire as narrow_wire

__all__ = ["narrow_wire", "new_sink", "sink"]

MAPPED = 3
"""The number of a file."""
FLOW = pack_flow((LEFT_V4, 7701), (RIGHT_V4, PEER_PORT))
ON_THE_LINK = pytest.mark.needs("namespaces", "raw-sockets")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of a window and a half, whose octets say where they stand."""
    made = tmp_path / "file"
    made.write_bytes(array("I", range(3 * WINDOW_BYTES // 8)).tobytes())
    return made


@pytest.fixture
def fd(path: Path) -> Iterator[int]:
    opened = os.open(path, os.O_RDWR)
    yield opened
    os.close(opened)


SO_RCVBUFFORCE = 33


@pytest.fixture
def wire(narrow_wire: socket.socket) -> socket.socket:
    """Sees what comes in, many small packets at a time."""
    narrow_wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    return narrow_wire


def mapped_bytes(path: Path) -> int:
    """How much of a file stands in our address space."""
    total = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(str(path)):
            first, last = line.split(" ", 1)[0].split("-")
            total += int(last, 16) - int(first, 16)
    return total


def test_windows__as_many_as_there_may_be__the_latest_stay(path: Path, fd: int) -> None:
    os.truncate(path, (WINDOWS_MAX + 3) * WINDOW_BYTES)
    windows = Windows()
    first = windows.at(MAPPED, 0, {MAPPED: fd})
    for index in range(WINDOWS_MAX + 2):
        assert windows.at(MAPPED, index, {MAPPED: fd})
        assert windows.at(MAPPED, 0, {MAPPED: fd}) == first
    assert mapped_bytes(path) == (WINDOWS_MAX + 2) * WINDOW_BYTES
    windows.trim()
    assert mapped_bytes(path) == WINDOWS_MAX * WINDOW_BYTES
    assert windows.at(MAPPED, 0, {MAPPED: fd}) == first
    windows.forget(MAPPED)
    assert mapped_bytes(path) == WINDOWS_MAX * WINDOW_BYTES
    windows.trim()
    assert mapped_bytes(path) == 0
    windows.close()


def test_windows__closed__nothing_is_mapped(path: Path, fd: int) -> None:
    windows = Windows()
    windows.at(MAPPED, 0, {MAPPED: fd})
    windows.close()
    windows.close()
    assert mapped_bytes(path) == 0


def test_window__of_what_cannot_be_mapped__none() -> None:
    read_end, write_end = os.pipe()
    assert Windows().at(MAPPED, 0, {MAPPED: read_end}) is None
    os.close(read_end)
    os.close(write_end)


@pytest.mark.parametrize(("offset", "length", "there"), [(0, 100, 100), (4, 0, 0), (6_291_446, 100, 10)])
def test_read__a_stretch__as_much_as_there_is(fd: int, offset: int, length: int, there: int) -> None:
    octets = bytearray(length + 1)
    into = ffi.from_buffer("uint8_t[]", octets)
    assert lib.file_read(fd, into, length, offset) == there
    assert octets[:there] == os.pread(fd, there, offset)
    assert lib.file_read(-1, into, 1, 0) == -1


def resolved(segment: Segment, fd: int) -> Segment:
    """The segment with its octets."""
    text = segment.payload
    assert isinstance(text, TextInParts)
    octets = text.resolved(lambda extent: os.pread(fd, extent.length, extent.offset))
    return Segment(segment.seq, 6, segment.flags, 7, 8, 9, octets, cut_bytes=segment.cut_bytes)


def of(*parts: Part, cut_bytes: int = 0) -> Segment:
    """A segment whose text is these."""
    text = TextInParts(parts, sum(part.length for part in parts))
    return Segment(1_000, 6, ACK | PSH, 7, 8, 9, text, cut_bytes=cut_bytes)


LARGE = bytes(range(250)) * 200
TEXTS = {
    "a file": of(Extent(MAPPED, 5, 60_001), cut_bytes=1_000),
    "a file, across two windows": of(Extent(MAPPED, WINDOW_BYTES - 7, 40_000), cut_bytes=1_447),
    "memory": of(Span(LARGE, 3, 40_000), cut_bytes=1_448),
    "memory and a file": of(Span(b"head" * 99, 1, 300), Extent(MAPPED, 0, 30_000), cut_bytes=999),
    "small pieces": of(Span(LARGE, 0, 501), Extent(MAPPED, 7, 503), cut_bytes=1_000),
    "more pieces than may leave so": of(
        *(Span(LARGE, at, 5_001) for at in range(PARTS_MAX + 2)), cut_bytes=1_000
    ),
    "one packet of a file": of(Extent(MAPPED, 8, 1_000)),
    "the end of the file": of(Extent(MAPPED, 6_291_456 - 20_000, 20_000), cut_bytes=1_448),
}


WAYS = ("frames", "raw", "raw after all")


def led(sink: RawSink, wire: socket.socket, way: str) -> None:
    """Lead what FLOW sends next that way."""
    sink.doubt(FLOW)
    if way == "raw":
        sink._begin = lambda _flow: 0
        return
    sink.emit(FLOW, Segment(1, 6, ACK, 7, 8, 9, b"01", cut_bytes=1))
    sink.flush()
    assert len(arrived(wire, 2)) == 2
    if way == "raw after all":
        # The hop is of a link that takes less than a piece; what goes by the raw socket is not held to that.
        small = ffi.new("struct hop *", (1, 600, (0,) * 6, (0,) * 6))
        lib.sender_place_hop(sink._sender, sink._number(FLOW, 0), small)


@ON_THE_LINK
@pytest.mark.parametrize("way", WAYS)
def test_text_in_stretches__whatever_way_it_takes__comes_in_as_its_octets(
    joined_namespaces: tuple[Namespace, Namespace],
    new_sink: Callable[[], RawSink],
    wire: socket.socket,
    fd: int,
    way: str,
) -> None:
    left, _ = joined_namespaces
    cut_before_the_device(left)

    def send(segment: Segment) -> None:
        sink = new_sink()
        with left.entered():
            led(sink, wire, way)
            frames = sink.frames_total
            sink.read_from({MAPPED: fd})
            whole = resolved(segment, fd)
            sink.emit(FLOW, segment)
            assert sink.flush() == len(cut(whole))
        assert sink.frames_total - frames == (way == "frames")
        assert arrived(wire, len(whole.payload)) == list(cut(whole))
        assert not sink.take_unreadable()

    ask_each((name, partial(send, segment)) for name, segment in TEXTS.items())


@ON_THE_LINK
def test_file_that_is_shorter_by_now__the_flow_is_named__and_others_leave(
    joined_namespaces: tuple[Namespace, Namespace],
    new_sink: Callable[[], RawSink],
    wire: socket.socket,
    path: Path,
    fd: int,
) -> None:
    left, _ = joined_namespaces
    cut_before_the_device(left)
    other = pack_flow((LEFT_V4, 7702), (RIGHT_V4, PEER_PORT))

    def send(way: str, length: int, cut_bytes: int) -> None:
        os.truncate(path, 3 * WINDOW_BYTES // 2)
        sink = new_sink()
        with left.entered():
            sink.read_from({MAPPED: fd})
            led(sink, wire, way)
            os.truncate(path, 4_096)
            sink.emit(FLOW, of(Extent(MAPPED, 8_192, length), cut_bytes=cut_bytes))
            sink.emit(other, Segment(1, 6, ACK, 7, 8, 9, b"other"))
            sink.flush()
        assert set(sink.take_unreadable()) == {FLOW}
        assert not sink.take_unreadable()
        assert [each.payload for each in arrived(wire, 5)] == [b"other"]

    ask_each(
        (f"{way}, cut at {cut_bytes}", partial(send, way, length, cut_bytes))
        for way in WAYS
        for length, cut_bytes in ((1_000, 0), (20_000, 1_000))
    )


@ON_THE_LINK
def test_file_that_nobody_needs_any_more__what_waits_of_it_leaves_first(
    joined_namespaces: tuple[Namespace, Namespace], sink: RawSink, wire: socket.socket, path: Path, fd: int
) -> None:
    left, _ = joined_namespaces
    cut_before_the_device(left)
    sink.read_from({MAPPED: fd})
    segment = of(Extent(MAPPED, 0, 20_000), cut_bytes=1_000)
    sink.emit(FLOW, segment)
    sink.forget_file(MAPPED)
    assert mapped_bytes(path) == 0
    assert arrived(wire, 20_000) == list(cut(resolved(segment, fd)))
    sink.flush()


@ON_THE_LINK
def test_more_of_a_file_than_the_batch_holds__flushes_by_itself(
    joined_namespaces: tuple[Namespace, Namespace], sink: RawSink, wire: socket.socket, fd: int
) -> None:
    left, _ = joined_namespaces
    cut_before_the_device(left)
    sink.read_from({MAPPED: fd})
    count = 2 * ARENA_BYTES // 60_000
    sent = 0
    for number in range(count):
        sink.emit(FLOW, of(Extent(MAPPED, number * 60_000, 60_000), cut_bytes=1_000))
        if number % 8 == 7:
            sent += sink.flush()
            arrived(wire, 8 * 60_000)
    sent += sink.flush()
    assert sent == count * 60
