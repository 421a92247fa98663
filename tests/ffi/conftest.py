"""Packets over a real queue: a namespace whose firewall diverts one port, and what was received as values."""

import os
import select
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.reading import read_segment
from gossamer.core.wire.record import IN_RECORD, SIDE_RECORD
from gossamer.core.wire.segment import Segment
from gossamer.ffi.packets import PacketSource
from gossamer.loadtest import namespaces
from gossamer.loadtest.namespaces import Namespace

Received = tuple[bytes, Segment | DropReason]
"""Flow and segment, or why it was dropped."""


class Diverted:
    """A namespace that this thread is inside of: TCP to `port` goes to `queue`."""

    port = 7700
    queue = 77

    def install(self) -> None:
        """Divert both families, where the server does."""
        for command in ("iptables", "ip6tables"):
            before = [command, "-w", "-t", "security", "-A"]
            match = ["-p", "tcp", "--dport", str(self.port)]
            namespaces.run([*before, "INPUT", *match, "-j", "NFQUEUE", "--queue-num", str(self.queue)])

    @staticmethod
    def take_batch(source: PacketSource) -> list[Received]:
        """One batch, each record as a value."""
        count = source.recv_batch()
        records = IN_RECORD.iter_unpack(source.records[: count * IN_RECORD.size])
        found: list[Received] = []
        for index, record in enumerate(records):
            payload = source.arena[record[8] : record[8] + record[9]]
            side = SIDE_RECORD.unpack_from(source.side, index * SIDE_RECORD.size)
            is_dropped = record[1] >= min(DropReason)
            found.append(
                (record[0], DropReason(record[1]) if is_dropped else read_segment(record, payload, side))
            )
        return found

    def take(self, source: PacketSource, least: int, wait_s: float = 5.0) -> list[Received]:
        """At least so many packets, or what came until none did for `wait_s`."""
        found: list[Received] = []
        while len(found) < least and select.select([source.fd], [], [], wait_s)[0]:
            found += self.take_batch(source)
        return found

    def segments(self, source: PacketSource, least: int, wait_s: float = 5.0) -> list[Segment]:
        """The same, when all of it must be segments."""
        found = [value for _, value in self.take(source, least, wait_s)]
        assert not any(isinstance(value, DropReason) for value in found), found
        return [value for value in found if isinstance(value, Segment)]


@pytest.fixture
def diverted(namespace: Namespace) -> Iterator[Diverted]:
    """Inside a namespace with `lo` up and one port diverted to a queue that nobody has bound yet."""
    with namespace.entered():
        found = Diverted()
        found.install()
        yield found


@pytest.fixture
def kept() -> Iterator[Callable[..., object]]:
    """Hands back what it is given and closes it at the end of the test, the last first."""
    held: list[object] = []

    def keep(item: object) -> object:
        held.append(item)
        return item

    yield keep
    for item in reversed(held):
        item.close()  # type: ignore[attr-defined]


@pytest.fixture
def direct_fd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[int]:
    """A file that holds the module's CONTENT, opened past the page cache."""
    path = tmp_path / "content"
    path.write_bytes(request.module.CONTENT)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    yield fd
    os.close(fd)
