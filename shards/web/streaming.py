"""Ranges of large files onto a stream, in bounded pieces.

Owns the choice between the stream's own send_file (no copy through Python) and reading piece by piece. Never
more than chunk_bytes of a file in memory.
"""

from typing import Protocol, runtime_checkable

from gossamer.core.http.ranges import ByteRange
from gossamer.core.io.stream import Stream
from gossamer.core.threads.systemcall import SystemCall
from gossamer.shards.web.files import OpenFile
from gossamer.shards.web.options import WebOptions


@runtime_checkable
class FileSender(Protocol):
    """A stream that can send a file by itself."""

    def send_file(self, fd: int, offset: int, length: int, timeout_us: int) -> SystemCall[int]:
        """Returns how many bytes were sent, fewer than `length` only if the file has shrunk."""


async def send_range(stream: Stream, file: OpenFile, wanted: ByteRange, options: WebOptions) -> None:
    """Send the bytes of a range.

    Raises: OSError; also when the file ends early, since the length has been promised by then.
    """
    at = wanted.start
    while at < wanted.end:
        length = min(wanted.end - at, options.chunk_bytes)
        if isinstance(stream, FileSender):
            sent_bytes = await stream.send_file(file.fd, at, length, options.write_timeout_us)
        else:
            data = await file.read(at, length)
            await stream.send(data, options.write_timeout_us)
            sent_bytes = len(data)
        if sent_bytes == 0:
            raise OSError("the file has become shorter while it was sent")
        at += sent_bytes
