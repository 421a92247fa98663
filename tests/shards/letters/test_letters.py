"""Letters from the supervisor to a worker: whole, with their descriptors, and never waited for."""

import os
import resource
import socket

import pytest

from gossamer.shards.letters.letters import (
    DESCRIPTORS_MAX,
    BuffersLetter,
    GiveLetter,
    Letter,
    LetterRefusedError,
    TakeLetter,
    receive_letter,
    send_letter,
)
from gossamer.shards.letters.rights import send_rights


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


@pytest.mark.parametrize(
    ("letter", "count"),
    [
        (GiveLetter((100, 101), is_all=True), 1),
        (TakeLetter((65_535,) * 200, has_link=True), DESCRIPTORS_MAX),
        (TakeLetter((), has_link=False), 0),
        (BuffersLetter(1 << 40), 0),
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


@pytest.mark.parametrize(
    ("letter", "said"),
    [
        (TakeLetter((7, 8), has_link=True), "queues 7, 8"),
        (TakeLetter((7,), has_link=False, has_checkpoints=True), "connections of a killed worker are lost"),
        (GiveLetter((), is_all=True), "a letter about connections"),
    ],
)
def test_letter__no_room_for_its_descriptors__refused_with_a_line_and_none_is_kept(
    letter: Letter, said: str
) -> None:
    ours, theirs = pair()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ours, theirs:
        assert send_letter(ours, letter, [theirs.fileno()] * 3)
        assert send_letter(ours, letter, [theirs.fileno()] * 3)
        before = set(os.listdir("/proc/self/fd"))
        first_free = os.dup(0)
        os.close(first_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (first_free + 1, hard))
        try:
            with pytest.raises(LetterRefusedError, match=said):
                receive_letter(theirs)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert set(os.listdir("/proc/self/fd")) == before
        found = receive_letter(theirs)
    assert found is not None
    assert (found[0], len(found[1])) == (letter, 3), "the next one finds room"
    for fd in found[1]:
        os.close(fd)


def test_letter__of_another_version__refused() -> None:
    ours, theirs = pair()
    with ours, theirs:
        before = set(os.listdir("/proc/self/fd"))
        send_rights(ours, b"\x81\xa4type\xa4sing", [theirs.fileno()])
        with pytest.raises(LetterRefusedError, match="sing"):
            receive_letter(theirs)
        assert set(os.listdir("/proc/self/fd")) == before
