"""Descriptors handed to who holds the old ones."""

import os
import socket
from pathlib import Path

from gossamer.shards.letters.handing import LOG, ROOT, hand_over, take_over
from gossamer.shards.opening.root import open_root


def test_handed__takes_the_place_of_the_old_one__until_the_sender_is_gone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "new").touch()
    held, fresh = open_root(str(tmp_path / "a")), open_root(str(tmp_path / "b"))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        assert hand_over(ours, ROOT, fresh)
        assert take_over(theirs, {ROOT: held}) == ROOT
        assert os.listdir(held) == ["new"]
        ours.close()
        assert take_over(theirs, {ROOT: held}) == ""
        assert not hand_over(ours, ROOT, fresh)
    os.close(held)
    os.close(fresh)


def test_handed__what_nobody_holds__closed(tmp_path: Path) -> None:
    fresh = open_root(str(tmp_path))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        assert hand_over(ours, LOG, fresh)
        before = len(os.listdir("/proc/self/fd"))
        assert take_over(theirs, {}) == LOG
        assert len(os.listdir("/proc/self/fd")) == before
    os.close(fresh)


def test_hand_over__nobody_reads__refused_and_not_waited_for(tmp_path: Path) -> None:
    root_fd = open_root(str(tmp_path))
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        sent = [hand_over(ours, ROOT, root_fd) for _ in range(2000)]
    assert not all(sent)
    os.close(root_fd)
