"""A listening socket that refuses what is new."""

import contextlib
import os
import socket
from collections.abc import Iterator

import pytest

from gossamer.shards.configuration.config import Config
from gossamer.shards.keeper.succession import LISTENING, named
from gossamer.shards.opening.opening import Opened
from gossamer.shards.opening.refusing import NO_INTERFACE, SO_BINDTOIFINDEX, drop_new, refuse_new


@contextlib.contextmanager
def listening(host: str) -> Iterator[tuple[socket.socket, int]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, reuse_port=True) as server:
        server.setblocking(False)
        yield server, server.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_refuse_new__later_ones_refused__earlier_ones_accepted_and_whole(host: str) -> None:
    with listening(host) as (server, port):
        earlier = [socket.create_connection((host, port), timeout=5) for _ in range(5)]
        refuse_new(server)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, port), timeout=5)
        for client in earlier:
            client.sendall(b"question")
            accepted, _ = server.accept()
            accepted.setblocking(True)
            with client, accepted:
                assert accepted.recv(100) == b"question"
                accepted.sendall(b"answer")
                assert client.recv(100) == b"answer"


def test_refuse_new__twice__harmless() -> None:
    with listening("127.0.0.1") as (server, _):
        refuse_new(server)
        refuse_new(server)
        assert server.getsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX) == NO_INTERFACE


class Old(socket.socket):
    """A socket of a kernel before Linux 5.0."""

    def getsockopt(self, *arguments: int) -> int:  # type: ignore[override]  # one of its forms is enough
        del arguments
        raise OSError(92, "Protocol not available")


@pytest.mark.needs("socket-filters")
def test_refuse_new__on_an_old_kernel__later_ones_unanswered__earlier_ones_accepted() -> None:
    with Old(socket.AF_INET) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        with socket.create_connection(server.getsockname(), timeout=5) as earlier:
            refuse_new(server)
            with pytest.raises(TimeoutError):
                socket.create_connection(server.getsockname(), timeout=0.3)
            earlier.sendall(b"question")
            accepted, _ = server.accept()
            with accepted:
                assert accepted.recv(100) == b"question"


@pytest.mark.needs("socket-filters")
def test_drop_new__closed_then__refused() -> None:
    with listening("127.0.0.1") as (server, port):
        drop_new(server)
        server.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)


@pytest.mark.needs("socket-filters")
def test_remove_listening__the_keeper_still_has_it__what_is_new_comes_to_the_others() -> None:
    config = Config()
    with Opened("127.0.0.1", 0) as opened, contextlib.ExitStack() as clients:
        opened.open_port(config, "kernel", 2)
        kept = clients.enter_context(socket.socket(fileno=os.dup(opened.named()[named(LISTENING, 1)])))
        opened.refuse_new(1)
        opened.remove_listening(1)
        for _ in range(40):
            clients.enter_context(socket.create_connection(("127.0.0.1", opened.port), timeout=5))
        with pytest.raises(BlockingIOError):
            kept.accept()
        kept.close()
        opened.add_listening(config, 1)
        for _ in range(40):
            clients.enter_context(socket.create_connection(("127.0.0.1", opened.port), timeout=5))
        added = clients.enter_context(socket.socket(fileno=os.dup(opened.named()[named(LISTENING, 1)])))
        clients.enter_context(added.accept()[0])
