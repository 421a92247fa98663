"""Ranges of large files onto a stream.

Owns what a file that ends early means to a response; `core.io.sendfile` sends it.
"""

from gossamer.core.http.ranges import ByteRange
from gossamer.core.io.sendfile import send_file
from gossamer.core.io.stream import Stream
from gossamer.shards.web.files import OpenFile
from gossamer.shards.web.options import WebOptions


async def send_range(stream: Stream, file: OpenFile, wanted: ByteRange, options: WebOptions) -> None:
    """Send the bytes of a range.

    Raises: OSError; also when the file ends early, since the length has been promised by then.
    """
    length = wanted.end - wanted.start
    sent = await send_file(stream, file, wanted.start, length, options.write_timeout_us, options.chunk_bytes)
    if sent < length:
        raise OSError("the file has become shorter while it was sent")
