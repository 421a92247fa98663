"""Sealed memory."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from gossamer.ffi import shared_memory
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


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("has_shared_memory", [True, False])
def test_no_memfd__a_file_without_a_name_does_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int, has_shared_memory: bool
) -> None:
    def refuse(*_arguments: Any) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "memfd_create", refuse)
    monkeypatch.setattr(shared_memory, "SHARED_MEMORY", str(tmp_path) if has_shared_memory else "/nowhere")
    fd, letter = create_memory("test", 8192), sealed_message("test", b"abc")
    assert not os.get_inheritable(fd)
    assert os.fstat(fd).st_nlink == 0
    one, two = map_memory(fd), map_memory(fd)
    one[5] = 7
    assert (len(two), two[5]) == (8192, 7)
    os.close(fd)
    assert read_message(letter) == b"abc"
    assert not list(tmp_path.iterdir())


def test_no_room_for_a_memfd__is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> int:
        raise OSError(errno.EMFILE, "no descriptor is left")

    monkeypatch.setattr(os, "memfd_create", refuse)
    with pytest.raises(OSError, match="no descriptor"):
        create_memory("test", 1)
