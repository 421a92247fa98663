"""Which files the kernel sends, and from where."""

import gzip
import io
import tempfile
from pathlib import Path

import pytest

from gossamer.shards.wsgi.file_wrapper import PIECE_BYTES, FilePiece, FileWrapper, piece_of, pieces_of

DATA = bytes(range(256)) * 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_bytes(DATA)
    return made


def test_wrapper__is_an_iterable_of_blocks_and_closes_its_file(path: Path) -> None:
    file = path.open("rb")
    wrapper = FileWrapper(file, 4000)
    assert [len(block) for block in wrapper] == [4000, 4000, 2240]
    wrapper.close()
    assert file.closed


def test_wrapper__of_what_cannot_be_closed__has_no_close() -> None:
    class Readable:
        def read(self, size: int) -> bytes:
            return b""[:size]

    assert not hasattr(FileWrapper(Readable()), "close")


def test_plain_file__from_where_its_user_stands(path: Path) -> None:
    with path.open("rb") as file:
        file.read(100)
        assert piece_of(file) == FilePiece(file.fileno(), 100, len(DATA) - 100)
    with path.open("rb", buffering=0) as raw:
        assert piece_of(raw) == FilePiece(raw.fileno(), 0, len(DATA))
        raw.seek(len(DATA) + 5)
        found = piece_of(raw)
        assert found is not None
        assert found.length == 0


def test_other_files__are_read_as_they_say(path: Path, tmp_path: Path) -> None:
    with gzip.open(tmp_path / "z", "wb") as packed:
        packed.write(DATA)
    closed = path.open("rb")
    closed.close()
    with (
        gzip.open(tmp_path / "z") as unpacked,
        tempfile.SpooledTemporaryFile() as spooled,
        path.open() as text,
    ):
        others = [unpacked, spooled, text, io.BytesIO(DATA), closed, object()]
        assert [piece_of(each) for each in others] == [None] * 6
    with open("/dev/zero", "rb") as device:
        assert piece_of(device) is None


def test_pieces__are_of_a_bounded_size(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(bytes(2 * PIECE_BYTES + 1))
    with large.open("rb") as file:
        found = list(pieces_of(FilePiece(file.fileno(), 1, 2 * PIECE_BYTES)))
        assert found == [
            FilePiece(file.fileno(), 1, PIECE_BYTES),
            FilePiece(file.fileno(), 1 + PIECE_BYTES, PIECE_BYTES),
        ]
        assert list(pieces_of(FilePiece(file.fileno(), 0, 0))) == []
