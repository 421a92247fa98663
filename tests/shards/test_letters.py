"""Letters from the supervisor to a worker: whole, with their descriptors, and never waited for."""

import os
import socket

import pytest

from gossamer.shards.letters import (
    DESCRIPTORS_MAX,
    GiveLetter,
    Letter,
    TakeLetter,
    receive_letter,
    send_letter,
)


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@pytest.mark.parametrize(
    ("letter", "count"),
    [
        (GiveLetter((100, 101), is_all=True), 1),
        (TakeLetter((65_535,) * 200, has_link=True), DESCRIPTORS_MAX),
        (TakeLetter((), has_link=False), 0),
    ],
)
def test_letter__comes_as_it_was_sent(letter: Letter, count: int) -> None:
    ours, theirs = pair()
    with ours, theirs:
        assert send_letter(ours, letter, [theirs.fileno()] * count)
        found = receive_letter(theirs)
    assert found is not None
    assert (found[0], len(found[1])) == (letter, count)
    for fd in found[1]:
        assert not os.get_inheritable(fd)
        os.close(fd)


def test_letter__the_sender_is_gone__none_comes_any_more() -> None:
    ours, theirs = pair()
    with theirs:
        ours.close()
        assert receive_letter(theirs) is None
        assert not send_letter(ours, GiveLetter((), is_all=False))


def test_letter__nobody_reads__refused_and_not_waited_for() -> None:
    ours, theirs = pair()
    with ours, theirs:
        sent = [send_letter(ours, GiveLetter((), is_all=False)) for _ in range(2000)]
    assert not all(sent)
