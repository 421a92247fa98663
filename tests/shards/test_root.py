"""The served folder by its name: followed where it leads, sent to who holds the old one."""

import os
import socket
from pathlib import Path

import pytest

from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.root import follow, identity_of, open_root, receive_root, send_root


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
    with pytest.raises(CannotStartError, match="No such file"):
        open_root(str(tmp_path / "absent"))


def test_sent__takes_the_place_of_the_old_one__until_the_sender_is_gone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "new").touch()
    held, fresh = open_root(str(tmp_path / "a")), open_root(str(tmp_path / "b"))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        assert send_root(ours, fresh)
        assert receive_root(theirs, held)
        assert names(held) == ["new"]
        ours.close()
        assert not receive_root(theirs, held)
        assert not send_root(ours, fresh)
    os.close(held)
    os.close(fresh)


def test_send__nobody_reads__refused_and_not_waited_for(tmp_path: Path) -> None:
    root_fd = open_root(str(tmp_path))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        sent = [send_root(ours, root_fd) for _ in range(2000)]
    assert not all(sent)
    os.close(root_fd)
