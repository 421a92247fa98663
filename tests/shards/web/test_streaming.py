"""Ranges of a file onto a stream: by send_file when the pages are there, by reading when they are not."""

from collections.abc import Callable
from typing import Any

import pytest

from gossamer.core.http.ranges import ByteRange
from gossamer.core.threads.systemcall import SystemCall
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.streaming import send_range

CONTENT = bytes(range(256)) * 100
OPTIONS = WebOptions(chunk_bytes=4096)


class Act(SystemCall[Any], frozen=True, gc=False):
    """A call that the test performs at once."""

    action: Callable[[], Any]


class MadeFile:
    """A file in memory, parts of which are cold."""

    fd = 0

    def __init__(self, hot_bytes: int = len(CONTENT)) -> None:
        self.hot_bytes = hot_bytes

    async def read(self, offset: int, length: int) -> bytes:
        return CONTENT[offset : offset + length]

    def read_cached(self, offset: int, length: int) -> bytes | None:
        return CONTENT[offset : offset + length] if offset < self.hot_bytes else None

    def read_ahead(self, _offset: int, _length: int) -> None:
        pass


class Sink:
    """A stream that keeps what it is sent."""

    def __init__(self) -> None:
        self.got: list[bytes] = []

    def send(self, data: bytes, timeout_us: int) -> SystemCall[None]:
        assert timeout_us == OPTIONS.write_timeout_us
        return Act(lambda: self.got.append(data))


class FileSink(Sink):
    """A stream that can send files by itself, at most 1,000 bytes at a time."""

    sent_by_file = 0

    def send_file(self, _fd: int, offset: int, length: int, _timeout_us: int) -> SystemCall[int]:
        return Act(lambda: self.take(CONTENT[offset : offset + min(length, 1000)]))

    def take(self, data: bytes) -> int:
        self.got.append(data)
        self.sent_by_file += len(data)
        return len(data)


def send(stream: Any, file: Any, wanted: ByteRange) -> bytes:
    thread = send_range(stream, file, wanted, OPTIONS)
    value = None
    while True:
        try:
            value = thread.send(value).action()
        except StopIteration:
            return b"".join(stream.got)


@pytest.mark.parametrize("wanted", [ByteRange(0, len(CONTENT)), ByteRange(5, 6), ByteRange(4000, 20001)])
def test_same_bytes__whatever_the_stream_and_the_cache(wanted: ByteRange) -> None:
    expected = CONTENT[wanted.start : wanted.end]
    for sink in (Sink(), FileSink()):
        for hot_bytes in (0, 10_000, len(CONTENT)):
            sink.got.clear()
            assert send(sink, MadeFile(hot_bytes), wanted) == expected
            assert max(map(len, sink.got)) <= OPTIONS.chunk_bytes


def test_hot_pieces_only__go_by_send_file() -> None:
    hot, cold = FileSink(), FileSink()
    send(hot, MadeFile(), ByteRange(0, len(CONTENT)))
    send(cold, MadeFile(hot_bytes=0), ByteRange(0, len(CONTENT)))
    assert (hot.sent_by_file, cold.sent_by_file) == (len(CONTENT), 0)


@pytest.mark.parametrize("sink", [Sink(), FileSink()])
def test_file_shorter_than_promised__oserror(sink: Sink) -> None:
    with pytest.raises(OSError, match="shorter"):
        send(sink, MadeFile(), ByteRange(0, len(CONTENT) + 1))
