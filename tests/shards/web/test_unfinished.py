"""Answers begun by one site and finished by another: all octets in order, and none of another file."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.clock import SECOND_US, VirtualClock
from gossamer.core.http.client import ResponseReader
from gossamer.core.loop.continuing import CannotGoOnError, Identity, NamedFile
from gossamer.core.loop.tcp.moved import MovedConnection, Standing
from gossamer.core.seq import MASK
from gossamer.core.sim.crowd import SERVER, WINDOW, CrowdedServer, CrowdSink, CrowdSource, flow_of
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.segment import ACK, FIN, SYN, Segment
from gossamer.core.wire.text import Extent, TextInParts
from gossamer.ffi.packets import OutSegment
from gossamer.shards.moving.link import read, written
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.site import StaticSite

# What it does not hold is read by a loop that these servers in virtual time have none of.
pytestmark = pytest.mark.needs("page-cache")

FLOW = flow_of(0, *SERVER)
CONTENT = os.urandom(3_000_000)
PARAMETERS = TcpParameters(syn_cookies="off", send_buffer_bytes=1 << 16, send_file_bytes=1 << 18)
GET = "GET /large HTTP/1.1\r\nHost: a\r\n"


class Reader(CrowdSink):
    """A crowd of one, which keeps what comes, and falls silent once it has so much."""

    def __init__(self, source: CrowdSource, clock: VirtualClock, request: bytes, heard: bytearray) -> None:
        super().__init__(source, clock, request)
        self.heard = heard
        self.first = 0
        self.enough_bytes = 1 << 40
        self._descriptors: Mapping[int, int] = {}

    def read_from(self, descriptors: Mapping[int, int]) -> None:
        self._descriptors = descriptors

    def _read(self, extent: Extent) -> bytes:
        return os.pread(self._descriptors[extent.file], extent.length, extent.offset)

    def emit(self, flow: Flow, segment: OutSegment, options: bytes = b"") -> None:
        payload = segment.payload
        octets = payload.resolved(self._read) if isinstance(payload, TextInParts) else bytes(payload)
        if segment.flags & SYN:
            self.first = segment.seq + 1
        if not octets or (segment.flags & FIN and not self.is_deaf):
            super().emit(flow, segment, options)
            self.heard += octets
            return
        self.is_deaf = len(self.heard) >= self.enough_bytes
        at = segment.seq - self.first & MASK
        if self.is_deaf:
            return
        if at <= len(self.heard):
            self.heard[at : at + len(octets)] = octets
        ack = self.first + len(self.heard) & MASK
        self.source.put(flow, Segment(segment.ack, ack, ACK, WINDOW, self.ts_val(), segment.ts_val))


class Server(CrowdedServer):
    """A site of the folder, and what it logs."""

    def __init__(self, root: int, heard: bytearray, request: bytes, clock: VirtualClock | None) -> None:
        self.logged: list[tuple[int, int]] = []
        super().__init__(self.serve, PARAMETERS, request, clock)
        self.site = StaticSite(
            *(root, WebOptions(write_timeout_us=600 * SECOND_US)),
            clock=self.clock,
            access_log=lambda _stream, _head, status, body_bytes, *_: self.logged.append(
                (status, body_bytes)
            ),
        )
        self.sink = self.loop._connections.sink = Reader(self.source, self.clock, request, heard)
        self.sink.read_from(self.loop._connections.files.descriptors)
        self.loop.saving.idle, self.loop.saving.continuing = self.site.idle, self.site.continuing

    def log(self, _stream: Any, _head: bytes, status: int, body_bytes: int, *_rest: Any) -> None:
        self.logged.append((status, body_bytes))

    async def serve(self, stream: Any) -> None:
        await self.site.serve(stream)


class Download:
    """Two servers of one folder, and one client of the first."""

    def __init__(self, folder: Path, request: bytes) -> None:
        self.heard = bytearray()
        self.roots = [os.open(folder, os.O_RDONLY), os.open(folder, os.O_RDONLY)]
        self.old = Server(self.roots[0], self.heard, request, None)
        self.new = Server(self.roots[1], self.heard, request, self.old.clock)
        self.new.settle()
        self.files: dict[Identity, int] = {}

    def begin(self, enough_bytes: int) -> None:
        """The client asks, and hears so much of the answer."""
        self.old.sink.enough_bytes = enough_bytes
        self.old.open(1)
        assert len(self.heard) >= enough_bytes

    def keep(self, named: NamedFile, fd: int) -> None:
        self.files.setdefault(named.identity, os.dup(fd))

    def leave(self) -> MovedConnection | None:
        return self.old.loop.moving.leave(FLOW, self.keep)

    def arrive(self, moved: MovedConnection, *, with_files: bool = True) -> None:
        """It comes to the other server, over a link; then the client hears again."""
        self.new.sink.first = self.old.sink.first
        for identity, fd in self.files.items():
            if with_files:
                self.new.loop.moving.handed.take(NamedFile("", identity), fd)
            else:
                os.close(fd)
        message = read(memoryview(written(moved)))
        assert isinstance(message, MovedConnection)
        try:
            self.new.loop.moving.adopt(message)
        finally:
            self.new.loop.moving.handed.forget(self.files)
            self.new.rest(60 * SECOND_US)

    def close(self) -> None:
        self.old.loop._connections.files.close()
        self.new.loop._connections.files.close()
        for root in self.roots:
            os.close(root)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "large").write_bytes(CONTENT)
    (tmp_path / "small").write_bytes(b"small")
    return tmp_path


@pytest.fixture
def downloads(folder: Path) -> Iterator[Any]:
    begun: list[Download] = []

    def begin(request: str = GET + "\r\n", enough_bytes: int = 1_000_000) -> Download:
        begun.append(Download(folder, request.encode()))
        begun[-1].begin(enough_bytes)
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


def responses(octets: bytes) -> list[tuple[int, bytes]]:
    reader, found = ResponseReader(), []
    reader.receive(bytes(octets))
    while reader.has_input and (response := reader.next_response()) is not None:
        body = b""
        while piece := reader.next_body():
            body += piece
        found.append((response.status, body))
    return found


@pytest.mark.parametrize("with_files", [True, False], ids=["descriptor", "name"])
def test_download__moved__goes_on_there_and_nothing_is_left_here(downloads: Any, with_files: bool) -> None:
    download = downloads()
    moved = download.leave()
    assert moved is not None
    assert moved.place is Standing.BUSY
    assert (download.old.loop.connections, download.old.logged) == (0, [])
    assert download.old.scheduler.statistics()["threads"] == 1  # who accepts
    download.arrive(moved, with_files=with_files)
    assert bytes(download.heard).partition(b"\r\n\r\n")[2] == CONTENT
    assert download.new.logged == [(200, len(CONTENT))]
    assert download.new.sink.reset_total == download.old.sink.reset_total == 0
    assert download.new.loop.connections == 1  # for its next request
    assert download.new.site.streaming == {}


def test_download__saved__changes_nothing(downloads: Any) -> None:
    download = downloads()
    saved = download.old.loop.saving.save(FLOW)
    assert saved is not None
    assert saved.files[0][1].name == "/large"
    moved = download.leave()
    assert (saved.flow, saved.record, saved.state) == (moved.flow, moved.record, moved.state)


def test_download__that_closes__closed_there(downloads: Any) -> None:
    download = downloads(GET + "Connection: close\r\n\r\n")
    download.arrive(download.leave())
    assert bytes(download.heard).partition(b"\r\n\r\n")[2] == CONTENT
    assert download.new.sink.closed_total == 1


def test_download__with_a_request_behind_it__both_answered_there(downloads: Any) -> None:
    download = downloads(GET + "\r\nGET /small HTTP/1.1\r\nHost: a\r\n\r\n")
    download.arrive(download.leave())
    first, second = responses(download.heard)
    assert (first, second) == ((200, CONTENT), (200, b"small"))
    assert download.new.logged == [(200, len(CONTENT)), (200, 5)]


def test_ranges__moved_in_the_second__all_parts_in_order(downloads: Any) -> None:
    download = downloads(GET + "Range: bytes=10-900000,1000000-1900000,2000000-2900000\r\n\r\n", 1_500_000)
    download.arrive(download.leave())
    ((status, body),) = responses(download.heard)
    assert status == 206
    for start, end in ((10, 900_000), (1_000_000, 1_900_000), (2_000_000, 2_900_000)):
        assert CONTENT[start : end + 1] in body


def test_moved_twice__whole(downloads: Any) -> None:
    download = downloads()
    moved = download.leave()
    named = NamedFile("", moved.files[0][1].identity)
    download.old.loop.moving.handed.take(named, download.files.popitem()[1])
    download.old.loop.moving.adopt(moved)
    download.old.settle()
    download.arrive(download.leave())
    assert bytes(download.heard).partition(b"\r\n\r\n")[2] == CONTENT


def test_file__replaced__goes_on_by_its_descriptor_and_is_reset_by_its_name(
    downloads: Any, folder: Path
) -> None:
    by_descriptor, by_name = downloads(), downloads()
    (folder / "other").write_bytes(bytes(len(CONTENT)))
    (folder / "other").replace(folder / "large")
    by_descriptor.arrive(by_descriptor.leave())
    assert bytes(by_descriptor.heard).partition(b"\r\n\r\n")[2] == CONTENT
    heard_bytes = len(by_name.heard)
    with pytest.raises(CannotGoOnError, match="'/large' has changed"):
        by_name.arrive(by_name.leave(), with_files=False)
    assert len(by_name.heard) == heard_bytes
    assert (by_name.new.sink.reset_total, by_name.new.loop.connections) == (1, 0)
    assert by_name.new.loop.statistics()["moved_lost_total"] == 1


def test_file__changed_while_it_is_sent__its_connection_stays(downloads: Any, folder: Path) -> None:
    download = downloads()
    with (folder / "large").open("ab") as file:
        file.write(b"a line more")
    assert download.leave() is None
    assert download.old.loop.connections == 1
