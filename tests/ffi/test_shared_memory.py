"""Sealed memory."""

import os

import pytest

from gossamer.ffi.shared_memory import create_memory, map_memory, read_message, sealed_message


def test_create_memory__zeroed_and_shared_between_mappings() -> None:
    fd = create_memory("test", 8192)
    one, two = map_memory(fd), map_memory(fd)
    assert (len(one), set(one[:])) == (8192, {0})
    one[5] = 7
    assert two[5] == 7
    os.close(fd)


def test_create_memory__size_is_for_good() -> None:
    fd = create_memory("test", 4096)
    with pytest.raises(PermissionError):
        os.ftruncate(fd, 0)
    os.close(fd)


@pytest.mark.parametrize("content", [b"", b"x" * 100_000])
def test_sealed_message__read_once__whole_and_closed(content: bytes) -> None:
    fd = sealed_message("test", content)
    assert read_message(fd) == content
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_sealed_message__nobody_can_change_it() -> None:
    fd = sealed_message("test", b"abc")
    with pytest.raises(PermissionError):
        os.pwrite(fd, b"x", 0)
    os.close(fd)
