"""Who keeps which file open, and for how long."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.tcp.call import Connection, Rest
from gossamer.core.loop.tcp.files import IDLE_MAX, IDLE_US, HeldFiles
from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.wire.text import Extent


@pytest.fixture
def files() -> Iterator[HeldFiles]:
    made = HeldFiles(lambda _number: None)
    yield made
    made.close()


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "file").write_bytes(b"content")
    opened = os.open(tmp_path / "file", os.O_RDWR)
    yield opened
    os.close(opened)


def connection_with(*chunks: Any) -> Connection:
    """A connection that has these to send."""
    tcb = replace(states.established(), snd_buf=chunks)
    return Connection(bytes(36), tcb, None)


def test_two_connections__share_a_file__until_both_are_done(files: HeldFiles, fd: int) -> None:
    first, second = connection_with(), connection_with()
    number, size_bytes = files.hold(first, fd)
    assert (files.hold(second, fd), size_bytes) == ((number, 7), 7)
    assert os.pread(files.descriptors[number], 7, 0) == b"content"
    files.settle(first, 0)
    assert files.expires_at_us == NEVER_US
    files.settle(second, 5)
    assert (files.expires_at_us, files.held) == (5 + IDLE_US, {})
    files.expire(4 + IDLE_US)
    assert number in files.descriptors
    files.expire(5 + IDLE_US)
    assert (files.descriptors, files.expires_at_us) == ({}, NEVER_US)


def test_file__in_the_send_buffer_or_waiting_for_room__stays(files: HeldFiles, fd: int) -> None:
    waits, sends = connection_with(), connection_with(b"head", Extent(1, 0, 7))
    assert files.hold(waits, fd) == files.hold(sends, fd) == (1, 7)
    waits.send_rest = Rest(Extent(1, 0, 7), 7)
    for connection in (waits, sends):
        files.settle(connection, 0)
        assert list(files.held[connection]) == [1]
    waits.send_rest = None
    files.settle(waits, 0)
    assert list(files.held) == [sends]


def test_idle_file__needed_again__stays(files: HeldFiles, fd: int) -> None:
    connection = connection_with()
    files.hold(connection, fd)
    files.settle(connection, 0)
    files.hold(connection, fd)
    files.expire(NEVER_US - 1)
    assert list(files.descriptors) == [1]
    files.settle(connection, 0)


def test_file_that_was_changed__is_another(files: HeldFiles, fd: int) -> None:
    connection = connection_with()
    assert files.hold(connection, fd) == (1, 7)
    os.write(fd, b"longer than before")
    assert files.hold(connection, fd) == (2, 18)
    files.settle(connection, 0)


def test_many_idle_files__only_the_latest_stay__each_forgotten_before_it_is_closed(tmp_path: Path) -> None:
    forgotten: list[int] = []

    def forget(number: int) -> None:
        os.fstat(files.descriptors[number])
        forgotten.append(number)

    files = HeldFiles(forget)
    connection = connection_with()
    for number in range(IDLE_MAX + 3):
        path = tmp_path / str(number)
        path.write_bytes(b"x")
        fd = os.open(path, os.O_RDONLY)
        files.hold(connection, fd)
        os.close(fd)
        files.settle(connection, number)
    assert (forgotten, len(files.descriptors)) == ([1, 2, 3], IDLE_MAX)
    files.close()
    assert (len(forgotten), files.descriptors) == (IDLE_MAX + 3, {})


def test_connection_that_holds_nothing__settles(files: HeldFiles) -> None:
    files.settle(connection_with(), 0)
    assert files.held == {}
