"""The admin server in a loop of the test's own, with hostile clients too."""

import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossamer.core.clock import monotonic_us
from gossamer.shards.admin.server import (
    CLIENTS_MAX,
    DEADLINE_US,
    HEAD_BYTES_MAX,
    AdminServer,
    open_admin,
    url_of,
)
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.rundir import ADMIN
from gossamer.shards.status import ServerStatus

from .sample import sample_status, sample_worker

GET = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Loop:
    """The server, and as many turns of its loop as the test wants."""

    def __init__(self, folder: Path, address: str = "unix") -> None:
        self.asked = 0
        self.workers = 1
        self.selector = selectors.DefaultSelector()
        listening = open_admin(address, folder)
        assert listening is not None
        self.listening = listening
        self.server = AdminServer(listening, self.selector, self.status)

    def status(self) -> ServerStatus:
        self.asked += 1
        return sample_status(*(sample_worker(shard) for shard in range(self.workers)))

    def connect(self) -> socket.socket:
        client = socket.socket(self.listening.family)
        client.connect(self.listening.getsockname())
        self.turns()
        client.settimeout(5)
        return client

    def turns(self) -> None:
        """Until nothing is to be done."""
        for _ in range(1000):
            if not (events := self.selector.select(0)):
                return
            for key, _ in events:
                key.data()

    def held(self) -> int:
        """How many connections it holds."""
        return len(self.selector.get_map()) - 1

    def read_all(self, client: socket.socket) -> bytes:
        data = b""
        while piece := client.recv(1 << 16):
            data += piece
            self.turns()
        return data


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    loop = Loop(tmp_path)
    yield loop
    loop.server.close()
    loop.listening.close()
    loop.selector.close()


def test_request__in_pieces__answered_and_closed(loop: Loop) -> None:
    with loop.connect() as client:
        for octet in GET:
            client.send(bytes([octet]))
            loop.turns()
        assert loop.read_all(client).endswith(b"\r\n\r\nready\n")
    loop.turns()
    assert loop.held() == 0


def test_answer__larger_than_the_socket_takes__comes_whole(loop: Loop) -> None:
    loop.workers = 2000
    with loop.connect() as client:
        client.send(b"GET /metrics HTTP/1.0\r\n\r\n")
        loop.turns()
        head, _, body = loop.read_all(client).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert len(body) > 1 << 20


def test_status__asked_for_often__made_once(loop: Loop) -> None:
    for _ in range(5):
        with loop.connect() as client:
            client.send(GET)
            loop.turns()
            assert b" 200 " in loop.read_all(client)
    assert loop.asked < 5


def test_head__without_end__refused_at_its_bound(loop: Loop) -> None:
    with loop.connect() as client:
        client.send(b"GET / HTTP/1.1\r\nA: " + b"b" * HEAD_BYTES_MAX)
        loop.turns()
        assert b" 431 " in loop.read_all(client)


def test_rubbish__400(loop: Loop) -> None:
    with loop.connect() as client:
        client.send(b"\x16\x03\x01\x00")
        loop.turns()
        assert b" 400 " in loop.read_all(client)


def test_connection__in_which_nothing_comes_or_nobody_reads__ends_at_its_deadline(loop: Loop) -> None:
    loop.workers = 2000
    with loop.connect(), loop.connect() as deaf:
        deaf.send(b"GET /metrics HTTP/1.0\r\n\r\n")
        loop.turns()
        loop.server.tick(monotonic_us())
        assert loop.held() == 2
        loop.server.tick(monotonic_us() + DEADLINE_US + 1)
        assert loop.held() == 0


def test_connections__more_than_there_may_be__the_oldest_goes(loop: Loop) -> None:
    clients = [loop.connect() for _ in range(CLIENTS_MAX + 1)]
    assert loop.held() == CLIENTS_MAX
    assert clients[0].recv(1) == b""
    for client in clients:
        client.close()
    loop.turns()
    assert loop.held() == 0


def test_client__that_leaves_before_its_answer__is_forgotten(loop: Loop) -> None:
    with loop.connect() as client:
        client.send(GET)
    loop.turns()
    assert loop.held() == 0


def test_unix__for_its_owner_alone__and_over_one_left_behind(tmp_path: Path) -> None:
    for _ in range(2):
        listening = open_admin("unix", tmp_path)
        assert listening is not None
        listening.close()
    assert (tmp_path / ADMIN).stat().st_mode & 0o777 == 0o600


def test_tcp__where_it_is_found__and_that_it_is_taken(tmp_path: Path) -> None:
    assert open_admin("", tmp_path) is None
    with open_admin("127.0.0.1:0", tmp_path) or socket.socket() as listening:
        port = listening.getsockname()[1]
        assert url_of(listening) == f"http://127.0.0.1:{port}/"
        with pytest.raises(CannotStartError, match=rf"^admin.address: cannot listen at 127.0.0.1:{port}: "):
            open_admin(f"127.0.0.1:{port}", tmp_path)
