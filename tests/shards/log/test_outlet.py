"""Lines to a reader that is slow, gone, or there."""

import os
import threading

import pytest

from gossamer.shards.log import outlet
from gossamer.shards.log.outlet import Outlet, whole_lines


@pytest.mark.parametrize(
    ("content", "pieces"),
    [
        (b"", []),
        (b"one\n", [b"one\n"]),
        (b"one\ntwo\n", [b"one\ntwo\n"]),
        (b"one\ntwo\nthree\n", [b"one\ntwo\n", b"three\n"]),
        (b"a line too long\nb\n", [b"a line too long\n", b"b\n"]),
        (b"no end of a line", [b"no end of a line"]),
        (b"one\nno end", [b"one\n", b"no end"]),
    ],
)
def test_whole_lines(content: bytes, pieces: list[bytes]) -> None:
    assert whole_lines(content, 8) == pieces


def test_put__more_than_the_backlog_takes__dropped_and_counted() -> None:
    read, write = os.pipe()
    out = Outlet(write, "test")
    line = b"x" * 1023 + b"\n"
    for _ in range(2 * outlet.BACKLOG_BYTES_MAX // len(line)):
        out.put(line)
    assert out.dropped_total > outlet.BACKLOG_BYTES_MAX // len(line) // 2
    os.close(read)  # That ends the write that waits, by EPIPE.
    out.close()
    os.close(write)


def test_close__all_is_written_and_no_thread_is_left__nor_after_a_later_line() -> None:
    read, write = os.pipe()
    out = Outlet(write, "test")
    before = threading.active_count()
    for number in range(100):
        out.put(b"%d\n" % number)
    out.close()
    assert os.read(read, 1 << 16) == b"".join(b"%d\n" % number for number in range(100))
    assert out.dropped_total == 0
    assert threading.active_count() == before
    out.put(b"later\n")
    out.close()
    assert os.read(read, 1 << 16) == b"later\n"
    assert threading.active_count() == before
    os.close(read)
    os.close(write)
