"""What supervisor and keeper say to each other, over a socket of two."""

import os
import socket
from collections.abc import Iterator

import pytest

from gossamer.shards.keeper.notes import Claim, Keep, ServerNote, UnheardError, hear, say


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        yield here, there


def test_say__with_a_descriptor__comes_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    here, there = ends
    read, write = os.pipe()
    say(here, Keep("liveness"), write)
    os.close(write)
    heard = hear(there)
    assert heard is not None
    said, fd = heard
    assert said == Keep("liveness")
    assert fd is not None
    os.write(fd, b"alive")
    assert os.read(read, 9) == b"alive"
    os.close(fd)
    os.close(read)


def test_say__note_of_a_server__comes_whole(ends: tuple[socket.socket, socket.socket]) -> None:
    here, there = ends
    note = ServerNote(b"/run/caf\xe9", ((7, 99),), 10_000_000, True, b"\x00" * 60_000)
    say(here, note)
    say(here, Claim(is_adoption=True))
    assert hear(there) == (note, None)
    assert hear(there) == (Claim(is_adoption=True), None)
    here.close()
    assert hear(there) is None


@pytest.mark.parametrize(
    "octets", [b"\x00", b"rubbish", b"\x81\xa4type\xa4burn", b"\x82\xa4type\xa4keep\xa4name\xa0"]
)
def test_hear__no_message_of_these__said_and_its_descriptor_closed(
    ends: tuple[socket.socket, socket.socket], octets: bytes
) -> None:
    here, there = ends
    read, write = os.pipe()
    socket.send_fds(here, [octets], [write])
    os.close(write)
    with pytest.raises(UnheardError):
        hear(there)
    assert os.read(read, 1) == b"", "the write end is open somewhere"
    os.close(read)
