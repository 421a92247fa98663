"""openat2 stays beneath its directory."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossamer.ffi import openat2
from gossamer.ffi.openat2 import Links, open_beneath


@pytest.fixture
def directory_fd(tmp_path: Path) -> Iterator[int]:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(b"in")
    (tmp_path / "outside").write_bytes(b"out")
    (root / "link").symlink_to("../outside")
    (root / "magic").symlink_to("/proc/self/cwd")
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def test_file__opened_for_reading_and_closed_on_exec(directory_fd: int) -> None:
    fd = open_beneath(directory_fd, "file")
    assert os.read(fd, 10) == b"in"
    assert not os.get_inheritable(fd)
    with pytest.raises(OSError, match="descriptor"):
        os.write(fd, b"x")
    os.close(fd)


@pytest.mark.parametrize("path", ["../outside", "link", "/etc/passwd", "file/../../outside", "magic"])
def test_outside__refused(directory_fd: int, path: str) -> None:
    with pytest.raises(OSError, match=r"link|Not a directory") as caught:
        open_beneath(directory_fd, path)
    assert caught.value.errno in (errno.EXDEV, errno.ELOOP, errno.ENOTDIR)


def test_undecodable_name__no_unicode_error(directory_fd: int) -> None:
    with pytest.raises(FileNotFoundError):
        open_beneath(directory_fd, "\udcff")
    with pytest.raises(ValueError, match="surrogates"):
        open_beneath(directory_fd, "\ud800")


def test_cached_only__file_just_opened__opened_again_at_once(directory_fd: int) -> None:
    os.close(open_beneath(directory_fd, "file"))
    os.close(open_beneath(directory_fd, "file", is_cached_only=True))


class OldKernel:
    """A kernel that answers every openat2 with one error."""

    def __init__(self, code: int) -> None:
        self.code = code

    def gossamer_openat2(self, *_arguments: object) -> int:
        return -self.code


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_no_openat2__opened_all_the_same_and_links_that_lead_out_refused(
    directory_fd: int, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(openat2, "lib", OldKernel(code))
    fd = open_beneath(directory_fd, "file")
    assert os.read(fd, 10) == b"in"
    assert not os.get_inheritable(fd)
    os.close(fd)
    with pytest.raises(OSError, match="cross-device") as caught:
        open_beneath(directory_fd, "link")
    assert caught.value.errno == errno.EXDEV


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
def test_kernel_without_resolve_cached__would_block(
    directory_fd: int, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(openat2, "lib", OldKernel(code))
    with pytest.raises(BlockingIOError):
        open_beneath(directory_fd, "file", is_cached_only=True)


@pytest.mark.parametrize("is_old", [False, True])
@pytest.mark.parametrize(
    ("links", "opened"),
    [("inside", ["file", "inner"]), ("none", ["file"]), ("follow", ["file", "inner", "link", "absolute"])],
)
def test_links__each_policy__by_the_kernel_and_by_the_walk(
    directory_fd: int, monkeypatch: pytest.MonkeyPatch, links: Links, opened: list[str], is_old: bool
) -> None:
    os.symlink("file", "inner", dir_fd=directory_fd)
    os.symlink("/etc/hostname", "absolute", dir_fd=directory_fd)
    os.symlink("/etc", "folder", dir_fd=directory_fd)
    if is_old:
        monkeypatch.setattr(openat2, "lib", OldKernel(errno.ENOSYS))
    found = []
    for name in ("file", "inner", "link", "absolute", "../outside", "/etc/hostname", "folder/../hostname"):
        with contextlib.suppress(OSError):
            os.close(open_beneath(directory_fd, name, links=links))
            found.append(name)
    assert found == opened
