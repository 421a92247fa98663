"""Octets of a file that an application has sent: which they are, by a descriptor of our own.

Owns how http.response.zerocopysend and http.response.pathsend become that. Whoever has sent the octets closes
the descriptor.

Source: ASGI 3.0, "Extensions".
"""

import os
import stat

import msgspec

from gossamer.core.http.outgoing import OutgoingError
from gossamer.core.http.ranges import ByteRange
from gossamer.shards.asgi.messages import FilePart, PathPart


class FileRange(msgspec.Struct, frozen=True, gc=False):
    """Octets of an open file, to be sent."""

    fd: int
    """Whoever has sent it closes it."""
    part: ByteRange


def range_of_file(part: FilePart) -> FileRange:
    """http.response.zerocopysend: the application may close its file. Where it said no offset, its
    file stands behind these octets then. Raises: OutgoingError."""
    try:
        offset = os.lseek(part.fd, 0, os.SEEK_CUR) if part.offset is None else part.offset
        left = max(0, os.fstat(part.fd).st_size - offset)
        count = left if part.count is None else min(part.count, left)
        if part.offset is None:
            os.lseek(part.fd, offset + count, os.SEEK_SET)
        fd = os.dup(part.fd)
    except OSError as error:
        raise OutgoingError(f"file: {error.strerror}") from None
    return FileRange(fd, ByteRange(offset, offset + count))


def range_of_path(part: PathPart) -> FileRange:
    """http.response.pathsend. Raises: OutgoingError."""
    try:
        # A FIFO would wait for its writer.
        fd = os.open(part.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise OutgoingError(f"path: {part.path}: {error.strerror}") from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise OutgoingError(f"path: found {part.path}, which is no file")
    return FileRange(fd, ByteRange(0, status.st_size))
