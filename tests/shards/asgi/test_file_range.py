"""Files that an application sends, as octets of a descriptor of ours."""

import os
from pathlib import Path

import pytest

from gossamer.core.http.outgoing import OutgoingError
from gossamer.core.http.ranges import ByteRange
from gossamer.shards.asgi.file_range import FileRange, range_of_file, range_of_path
from gossamer.shards.asgi.messages import FilePart, PathPart


def content(found: FileRange) -> bytes:
    """What it stands for; it is closed."""
    try:
        return os.pread(found.fd, found.part.length, found.part.start)
    finally:
        os.close(found.fd)


@pytest.mark.parametrize(
    ("offset", "count", "expected", "stands_at"),
    [
        (None, None, b"23456789", 10),
        (None, 3, b"234", 5),
        (4, None, b"456789", 2),
        (4, 3, b"456", 2),
        (4, 99, b"456789", 2),
        (11, None, b"", 2),
    ],
)
def test_file__from_where_it_stands_or_from_an_offset(
    tmp_path: Path, offset: int | None, count: int | None, expected: bytes, stands_at: int
) -> None:
    path = tmp_path / "ten"
    path.write_bytes(b"0123456789")
    with path.open("rb", buffering=0) as file:
        file.seek(2)
        found = range_of_file(FilePart(file.fileno(), offset, count, True))
        assert file.tell() == stands_at
    assert content(found) == expected  # though the application has closed its own


def test_file__that_is_closed__one_line() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(OutgoingError, match="file: Illegal seek"):
        range_of_file(FilePart(writer, None, None, True))
    os.close(writer)
    with pytest.raises(OutgoingError, match="file: Bad file descriptor"):
        range_of_file(FilePart(writer, 0, None, True))


def test_path__whole__or_one_line(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    found = range_of_path(PathPart(str(path)))
    assert found.part == ByteRange(0, 7)
    assert content(found) == b"content"
    os.mkfifo(tmp_path / "fifo")
    for name, said in (("absent", "No such file or directory"), ("fifo", "no file"), (".", "no file")):
        with pytest.raises(OutgoingError, match=said):
            range_of_path(PathPart(str(tmp_path / name)))
