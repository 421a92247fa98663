"""A walk component by component opens what openat2 opens, and refuses what it refuses."""

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossamer.ffi.openat2 import OPEN_FLAGS, PATH_FLAGS, open_beneath
from gossamer.ffi.walk import LINKS_MAX, walk_beneath

LINKS = {
    "to-file": "file",
    "to-folder": "folder",
    "to-folder-slash": "folder/",
    "to-deep": "folder/inner/deep",
    "out": "../outside",
    "out-absolute": "/etc/passwd",
    "into-absolute": "/proc/self/cwd",
    "dangling": "nothing",
    "loop": "loop",
    "chain": "to-folder/../to-deep",
    "folder/up": "..",
    "folder/up-and-in": "../file",
    "folder/up-and-out": "../../outside",
    "folder/inner/far": "../../to-folder/inner/deep",
}

STEPS = ("file", "folder", "inner", "deep", "..", ".", "", "nothing", "closed", *LINKS)

PATHS = sorted(
    {"/".join(steps) for count in (1, 2) for steps in itertools.product(STEPS, repeat=count)}
    | {
        "folder/inner/../inner/deep",
        "folder/inner/../../file",
        "folder/../../root/file",
        "to-folder/inner/far",
    }
    | {
        "folder/up/folder/up/to-deep",
        "folder/inner/deep/",
        "folder/inner/deep/.",
        "folder/inner/./",
        "a" * 300,
    }
)
MODES = {
    "read": os.O_RDONLY | OPEN_FLAGS,
    "write": os.O_WRONLY | OPEN_FLAGS,
    "directory": os.O_RDONLY | os.O_DIRECTORY | OPEN_FLAGS,
    "no link": os.O_RDONLY | os.O_NOFOLLOW | OPEN_FLAGS,
    "path": PATH_FLAGS,
}


TRIES_MAX = 1_000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "folder" / "inner").mkdir(parents=True)
    (root / "file").write_bytes(b"file")
    (root / "folder" / "inner" / "deep").write_bytes(b"deep")
    (tmp_path / "outside").write_bytes(b"out")
    (root / "closed").mkdir(mode=0)
    for name, target in LINKS.items():
        (root / name).symlink_to(target)
    return root


@pytest.fixture
def directory_fd(tree: Path) -> Iterator[int]:
    fd = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def found(fd: int) -> tuple[int, str]:
    """Which file it is; a descriptor is closed."""
    status = os.fstat(fd)
    os.close(fd)
    return status.st_ino, stat.filemode(status.st_mode)


def by_walk(directory_fd: int, path: str, flags: int) -> object:
    try:
        return found(walk_beneath(directory_fd, os.fsencode(path), flags))
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def by_openat2(directory_fd: int, path: str, flags: int) -> object:
    """Tried again while anybody mounts or renames: openat2(2) then cannot follow "..", and says EAGAIN."""
    for _ in range(TRIES_MAX):
        try:
            return found(open_beneath(directory_fd, path, flags))
        except BlockingIOError:
            continue
        except OSError as error:
            return errno.errorcode[error.errno or 0]
    return "EAGAIN"


@pytest.mark.parametrize("mode", MODES)
def test_walk__any_path__as_openat2(directory_fd: int, mode: str) -> None:
    differing = {
        path: (walked, opened)
        for path in PATHS
        if (walked := by_walk(directory_fd, path, MODES[mode]))
        != (opened := by_openat2(directory_fd, path, MODES[mode]))
    }
    assert not differing
    assert len({by_walk(directory_fd, path, MODES[mode]) for path in PATHS}) >= 4


def test_walk__descriptors__none_is_left(directory_fd: int) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for path in PATHS:
        by_walk(directory_fd, path, MODES["read"])
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(("links", "is_found"), [(LINKS_MAX, True), (LINKS_MAX + 1, False)])
def test_walk__many_links__as_many_as_openat2(
    tree: Path, directory_fd: int, links: int, is_found: bool
) -> None:
    for number in range(links):
        (tree / f"link{number}").symlink_to(f"link{number + 1}" if number + 1 < links else "file")
    walked = by_walk(directory_fd, "link0", MODES["read"])
    assert walked == by_openat2(directory_fd, "link0", MODES["read"])
    assert (walked == "ELOOP") is not is_found


@pytest.mark.parametrize(
    "name", ["new", "file", "dangling", "out", "folder/new", "new/", "nothing/new", "loop"]
)
@pytest.mark.parametrize("more", [0, os.O_EXCL, os.O_APPEND])
def test_walk__to_create__as_openat2(tree: Path, directory_fd: int, name: str, more: int) -> None:
    flags = os.O_RDWR | os.O_CREAT | OPEN_FLAGS | more
    names = sorted(os.listdir(tree.parent))

    def create(walks: bool) -> tuple[object, list[str]]:
        try:
            path = os.fsencode(name)
            fd = (
                walk_beneath(directory_fd, path, flags, 0o666)
                if walks
                else open_beneath(directory_fd, name, flags)
            )
            outcome: object = stat.filemode(os.fstat(fd).st_mode)
            os.close(fd)
        except OSError as error:
            outcome = errno.errorcode[error.errno or 0]
        made = [each for each in ("new", "folder/new", "nothing") if (tree / each).exists()]
        for each in made:
            (tree / each).unlink()
        return outcome, made

    assert create(walks=True) == create(walks=False)
    assert sorted(os.listdir(tree.parent)) == names


def test_walk__fifo__opened_at_once(tree: Path, directory_fd: int) -> None:
    os.mkfifo(tree / "fifo")
    assert by_walk(directory_fd, "fifo", MODES["read"]) == by_openat2(directory_fd, "fifo", MODES["read"])


def test_walk__magic_link__not_followed() -> None:
    with open("/proc/self/status") as one:
        fd = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
        assert by_walk(fd, str(one.fileno()), MODES["read"]) == "EXDEV"
        read, write = os.pipe()
        assert by_walk(fd, str(read), MODES["read"]) == "ENOENT"
    for each in (fd, read, write):
        os.close(each)


def test_walk__folder_moved_away_meanwhile__never_above_the_root(tree: Path, directory_fd: int) -> None:
    # The kernel's ".." of a folder that was moved out would lead to where it is now.
    inner = os.open(tree / "folder" / "inner", os.O_RDONLY)
    (tree / "folder" / "inner").rename(tree.parent / "moved")
    assert by_walk(inner, "../outside", MODES["read"]) == "EXDEV"
    os.close(inner)
    assert by_walk(directory_fd, "folder/../../outside", MODES["read"]) == "EXDEV"
