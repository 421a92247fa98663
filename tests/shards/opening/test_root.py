"""The served folder by its name: followed where it leads."""

import os
from pathlib import Path

import pytest

from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.letters.handing import identity_of
from gossamer.shards.opening.root import follow, open_root


def names(root_fd: int) -> list[str]:
    return sorted(os.listdir(root_fd))


def test_follow__removed_and_made_again__the_new_one_under_the_old_number(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    folder.mkdir()
    root_fd = open_root(str(folder))
    before = identity_of(root_fd)
    assert follow(root_fd, str(folder)) == before
    folder.rmdir()
    assert follow(root_fd, str(folder)) == before, "nowhere to go"
    folder.mkdir()
    (folder / "new").touch()
    assert follow(root_fd, str(folder)) != before
    assert names(root_fd) == ["new"]
    folder.rename(tmp_path / "other")
    folder.touch()
    follow(root_fd, str(folder))
    assert names(root_fd) == ["new"], "a file in its place is no folder"
    os.close(root_fd)


def test_open_root__no_folder__one_line(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match=r"^TARGET .*: No such file"):
        open_root(str(tmp_path / "absent"))
    with pytest.raises(CannotStartError, match=r"^web\.sites: .*: No such file"):
        open_root(str(tmp_path / "absent"), "root 1")
