"""Descriptors between processes: whole, closed in what a receiver executes, told of where none fits."""

import os
import resource
import socket
from collections.abc import Iterator

import pytest

from gossamer.shards.letters.rights import DESCRIPTORS_MAX, receive_rights, send_rights

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with here, there:
        yield here, there


def test_receive__several_descriptors__all_and_none_is_inherited(
    pair: Pair,
) -> None:
    here, there = pair
    assert send_rights(here, b"two", (0, 1)) == 3
    octets, descriptors, is_cut = receive_rights(there, 100, DESCRIPTORS_MAX)
    assert (octets, len(descriptors), is_cut) == (b"two", 2, False)
    assert not any(os.get_inheritable(fd) for fd in descriptors)
    for fd in descriptors:
        os.close(fd)


def test_receive__nothing_there_and_not_to_wait__says_so(pair: Pair) -> None:
    with pytest.raises(BlockingIOError):
        receive_rights(pair[1], 100, 1, socket.MSG_DONTWAIT)


def test_receive__no_room_for_a_descriptor__told(pair: Pair) -> None:
    here, there = pair
    send_rights(here, b"one", (0,))
    limits, lowest = resource.getrlimit(resource.RLIMIT_NOFILE), os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
    try:
        octets, descriptors, is_cut = receive_rights(there, 100, DESCRIPTORS_MAX)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert (octets, descriptors, is_cut) == (b"one", [], True)
