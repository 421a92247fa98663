"""Ranges of large files onto a stream, in bounded pieces.

Owns the choice for each piece: what the page cache holds goes by the stream's own send_file, where it has one
(no copy through Python); what it does not hold is read without blocking the worker. Never more than
chunk_bytes of a file in memory.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Final

from gossamer.core.http.ranges import ByteRange
from gossamer.core.io.stream import Stream
from gossamer.shards.web.files import OpenFile
from gossamer.shards.web.options import WebOptions

READ_AHEAD_BYTES: Final = 2 * 1024 * 1024
"""After a cold piece, the kernel is asked to bring so much into the page cache, so that the next ones are
hot.
"""

SendFile = Callable[[int, int, int, int], Awaitable[int]]
"""send_file(fd, offset, length, timeout_us): how many bytes were sent, fewer only if the file has shrunk."""


async def send_range(stream: Stream, file: OpenFile, wanted: ByteRange, options: WebOptions) -> None:
    """Send the bytes of a range.

    Raises: OSError; also when the file ends early, since the length has been promised by then.
    """
    send_file: SendFile | None = getattr(stream, "send_file", None)
    at = wanted.start
    while at < wanted.end:
        length = min(wanted.end - at, options.chunk_bytes)
        is_hot = is_cached(file, at, length)
        if is_hot and send_file is not None:
            sent_bytes = await send_file(file.fd, at, length, options.write_timeout_us)
        else:
            if not is_hot and not options.direct_io:
                os.posix_fadvise(file.fd, at, READ_AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
            data = await file.read(at, length)
            await stream.send(data, options.write_timeout_us)
            sent_bytes = len(data)
        if sent_bytes == 0:
            raise OSError("the file has become shorter while it was sent")
        at += sent_bytes


def is_cached(file: OpenFile, offset: int, length: int) -> bool:
    """Whether the page cache holds the two ends of a piece: a guess that costs two cheap calls, about all of
    it.
    """
    return bool(file.read_cached(offset, 1)) and bool(file.read_cached(offset + length - 1, 1))
