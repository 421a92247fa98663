"""examples/adder.py, run."""

import socket

from .programs import example, received, running


def test_numbers__added_up__and_what_is_none_ends_the_conversation() -> None:
    with running(example("adder.py", 0)) as adder, adder.connect() as client:
        client.sendall(b"2\n3")
        assert client.recv(100) == b"2\n"
        client.sendall(b"\n-1\n")
        assert client.recv(4, socket.MSG_WAITALL) == b"5\n4\n"
        client.sendall(b"four\n")
        assert received(client) == b"That is no number.\n"
