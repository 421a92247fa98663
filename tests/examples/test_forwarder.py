"""examples/forwarder.py, run, in front of a listening socket of the test's."""

import contextlib
import socket
import struct
from collections.abc import Iterator

import pytest

from .programs import SECONDS, Program, example, received, running

TEXT = bytes(range(256)) * 8192
"""More than the sockets on its way hold, so that both directions must flow at once."""


@contextlib.contextmanager
def forwarding() -> Iterator[tuple[Program, socket.socket]]:
    """The program, and where it forwards to."""
    with socket.create_server(("127.0.0.1", 0)) as behind:
        behind.settimeout(SECONDS)
        with running(example("forwarder.py", 0, *behind.getsockname())) as forwarder:
            yield forwarder, behind


def accepted(behind: socket.socket) -> socket.socket:
    server, _ = behind.accept()
    server.settimeout(SECONDS)
    return server


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def test_half_close__passes_each_way_while_the_other_still_flows() -> None:
    with forwarding() as (forwarder, behind), forwarder.connect() as client, accepted(behind) as server:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert received(server) == b"question"
        server.sendall(b"answer, ")
        assert client.recv(1000) == b"answer, "
        server.sendall(b"later")
        server.shutdown(socket.SHUT_WR)
        assert received(client) == b"later"


def test_half_close_of_the_server__leaves_the_client_to_send() -> None:
    with forwarding() as (forwarder, behind), forwarder.connect() as client, accepted(behind) as server:
        server.shutdown(socket.SHUT_WR)
        assert received(client) == b""
        client.sendall(b"still")
        client.shutdown(socket.SHUT_WR)
        assert received(server) == b"still"


def test_much__arrives_whole() -> None:
    with forwarding() as (forwarder, behind), forwarder.connect() as client, accepted(behind) as server:
        for sender, receiver in ((client, server), (server, client)):
            sender.settimeout(0)
            sent, came = 0, bytearray()
            while len(came) < len(TEXT):
                with contextlib.suppress(BlockingIOError):
                    sent += sender.send(TEXT[sent:]) if sent < len(TEXT) else 0
                came += receiver.recv(1 << 20)
            sender.settimeout(SECONDS)
            assert bytes(came) == TEXT


@pytest.mark.parametrize("side", ["client", "server"])
def test_reset__on_one_side_is_one_on_the_other_and_no_other_connection_ends(side: str) -> None:
    with forwarding() as (forwarder, behind), forwarder.connect() as other, accepted(behind) as other_server:
        client = forwarder.connect()
        server = accepted(behind)
        client.sendall(b"?")
        assert server.recv(1000) == b"?", "both connections are open"
        ended, left = (client, server) if side == "client" else (server, client)
        reset(ended)
        with pytest.raises(ConnectionResetError):
            left.recv(1000)
        left.close()
        other.sendall(b"still here")
        assert other_server.recv(1000) == b"still here"


def test_nobody_behind__a_reset_and_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as behind:
        address = behind.getsockname()
    line = rf"(forwarder: {address[0]} port {address[1]}: .*refused.*\n){{2}}"
    with running(example("forwarder.py", 0, *address), warnings=line) as forwarder:
        for _ in range(2):
            with pytest.raises(ConnectionResetError), forwarder.connect() as client:
                client.recv(1000)
