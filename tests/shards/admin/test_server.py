"""The admin server in a loop of the test's own, with hostile clients too."""

import os
import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from msgspec import Struct

from gossamer.core.clock import monotonic_us
from gossamer.shards.admin.questions import GATHERINGS_MAX, QUIET_US, TRACES_MAX
from gossamer.shards.admin.server import (
    CLIENTS_MAX,
    DEADLINE_US,
    HEAD_BYTES_MAX,
    AdminServer,
    open_admin,
    url_of,
)
from gossamer.shards.exitcode import CannotStartError, CommandError
from gossamer.shards.rundir.control import ControlAnswer, ControlRequest
from gossamer.shards.rundir.rundir import ADMIN
from gossamer.shards.seen.connectiontable import PAGE_ROWS, ConnectionPage, ConnectionRow, ConnectionTable
from gossamer.shards.seen.status import ServerStatus
from gossamer.shards.seen.tracepoints import PointKind, TracePage, TracePoint, TraceRecord

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
        self.server = AdminServer(listening, self.selector, self.status, self.tell)
        self.told: list[tuple[ControlRequest, socket.socket]] = []
        """What workers were asked, and where they are to tell it."""

    def tell(self, request: ControlRequest, fd: int) -> ControlAnswer:
        if request.peer == "192.0.2.99":
            raise CommandError("no worker of that number serves at this moment")
        told = socket.socket(fileno=os.dup(fd))
        told.settimeout(5)
        self.told.append((request, told))
        return ControlAnswer(True, "", [0, 1] if request.worker is None else [request.worker])

    def answer(self, message: bytes | Struct) -> None:
        """A worker tells something over the socket that it was given last."""
        self.told[-1][1].send(message if isinstance(message, bytes) else msgspec.msgpack.encode(message))
        self.turns()

    def leave(self) -> None:
        """The workers have told everything."""
        self.told.pop()[1].close()
        self.turns()

    def ask(self, path: str, *fields: str) -> socket.socket:
        client = self.connect()
        head = "".join(f"{each}\r\n" for each in (f"GET {path} HTTP/1.1", "Host: localhost", *fields))
        client.send(f"{head}\r\n".encode())
        self.turns()
        return client

    def get(self, path: str, *fields: str) -> tuple[int, bytes]:
        """Status and body of what is answered at once."""
        with self.ask(path, *fields) as client:
            head, _, body = self.read_all(client).partition(b"\r\n\r\n")
        self.turns()
        return int(head.split()[1]), body

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
    for _, told in loop.told:
        told.close()


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


# What the workers are asked.

EVIL = "<img src=x onerror=alert(1)>"


def row(peer: str = "192.0.2.1:5", **fields: int) -> ConnectionRow:
    return ConnectionRow(peer, "192.0.2.2:80", "ESTABLISHED", **fields)


def table_of(loop: Loop, client: socket.socket) -> ConnectionTable:
    head, _, body = loop.read_all(client).partition(b"\r\n\r\n")
    assert b" 200 " in head
    assert b"application/json" in head
    assert b"nosniff" in head
    return msgspec.json.decode(body, type=ConnectionTable)


def test_connections__of_two_workers__once_both_have_told_theirs(loop: Loop) -> None:
    with loop.ask("/connections?order=age&rows=2&peer=192.0.2.1") as client:
        ((request, _),) = loop.told
        assert (request.order, request.rows_max, request.peer, request.worker) == (
            "age",
            2,
            "192.0.2.1",
            None,
        )
        for worker in (1, 0):
            loop.answer(ConnectionPage(worker, (row(EVIL, age_us=worker), row(age_us=9))))
            loop.answer(ConnectionPage(worker, (), True, 7))
        assert loop.held() == 1  # The socket of the workers: until it ends, the client waits.
        loop.leave()
        found = table_of(loop, client)
    assert [(each.worker, each.age_us) for each in found.rows] == [(1, 9), (0, 9)]
    assert (found.total, found.left_out, found.is_whole) == (14, 12, True)
    loop.turns()
    assert loop.held() == 0


@pytest.mark.parametrize(
    ("name", "messages"),
    [
        ("rubbish", [b"\xc1"]),
        ("another worker's", [ConnectionPage(5, (row(),))]),
        ("too large a page", [ConnectionPage(0, (row(),) * (PAGE_ROWS + 1))]),
        ("pages without end", [ConnectionPage(0, (row(),))] * 8),
    ],
)
def test_connections__of_an_untrue_worker__what_came_before(
    loop: Loop, name: str, messages: list[bytes | ConnectionPage]
) -> None:
    with loop.ask("/connections?rows=50") as client:
        loop.answer(ConnectionPage(1, (row(bytes_in=3),), True, 1))
        for message in messages:
            try:
                loop.answer(message)
            except BrokenPipeError:
                break
        found = table_of(loop, client)
    assert found.rows[0].bytes_in == 3, name
    assert found.silent_workers == (0,), name


def test_connections__a_worker_that_says_nothing__answered_without_it(loop: Loop) -> None:
    with loop.ask("/connections") as client:
        loop.answer(ConnectionPage(0, (row(),), True, 1))
        loop.server.tick(monotonic_us() + 4_000_000)
        found = table_of(loop, client)
    assert (len(found.rows), found.silent_workers, found.is_whole) == (1, (1,), False)


def test_connections__a_client_that_leaves__and_too_many_that_ask(loop: Loop) -> None:
    waiting = [loop.ask("/connections") for _ in range(GATHERINGS_MAX)]
    assert loop.get("/connections") == (503, b"connections: others are asking at this moment; ask again\n")
    for client in waiting:
        client.close()
    while loop.told:
        loop.leave()
    assert loop.held() == 0
    assert loop.get("/connections?peer=192.0.2.99")[0] == 503


def test_trace__from_the_first_look_on__until_nobody_looks(loop: Loop) -> None:
    path = "/trace?worker=1&peer=::1&port=80"
    code, body = loop.get(path)
    first = msgspec.json.decode(body, type=TracePage)
    assert (code, first.points, first.next, first.is_over) == (200, [], 0, False)
    point = TracePoint(5, PointKind.SENT, 6, 7)
    loop.answer(TraceRecord(1, (point, point), 3))
    again = msgspec.json.decode(loop.get(f"{path}&since=1")[1], type=TracePage)
    assert (again.points, again.next, again.lost_total) == ([point], 2, 3)
    assert len(loop.told) == 1
    loop.server.tick(monotonic_us() + QUIET_US + 1_000_000)
    assert loop.told[0][1].recv(1) == b""
    assert loop.held() == 0


def test_trace__its_worker_ends_or_is_untrue__begun_anew_by_the_next_look(loop: Loop) -> None:
    path = "/trace?worker=1&peer=::1&port=80"
    for _ in range(2):
        loop.get(path)
        loop.leave()
    loop.get(path)
    loop.answer(b"\xc1")
    assert loop.held() == 0
    loop.get(path)
    assert len(loop.told) == 2


def test_trace__more_than_there_may_be__the_longest_unasked_goes(loop: Loop) -> None:
    for port in range(1, TRACES_MAX + 2):
        loop.get(f"/trace?worker=1&peer=::1&port={port}")
    assert loop.held() == TRACES_MAX
    assert loop.told[0][1].recv(1) == b""


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/connections?rows=0", b"found 0 rows; allowed: 1 to 1000\n"),
        ("/connections?rows=x", b"rows: found 'x'; allowed: a number\n"),
        ("/connections?rows=%D9%A3", "rows: found '٣'; allowed: a number\n".encode()),
        ("/connections?order=size", b"Invalid enum value 'size' - at `$.order`\n"),
        ("/connections?peer=h", b"'h' does not appear to be an IPv4 or IPv6 address\n"),
        ("/connections?worker=-1", b"worker: found '-1'; allowed: a number\n"),
        ("/trace?worker=1&peer=::1", b"port: found ''; allowed: a number\n"),
        ("/trace?worker=1&peer=::1&port=0", b"found port 0; allowed: 1 to 65535\n"),
        ("/trace?port=5&peer=::1", b"worker: found none; allowed: its number\n"),
        ("/trace?worker=1&peer=::1&port=80&since=" + "9" * 99, None),
        ("/trace?" + "a=1&" * 9 + "a=1", b"Max number of fields exceeded\n"),
        ("/trace?;", None),
    ],
)
def test_question__that_is_none__400_with_what_is_allowed(loop: Loop, path: str, why: bytes | None) -> None:
    code, body = loop.get(path)
    assert code == 400
    assert body == why if why is not None else body.count(b"\n") == 1
    assert loop.told == []


@pytest.mark.parametrize("site", ["cross-site", "same-site", "rubbish"])
def test_question__by_a_page_of_elsewhere__refused(loop: Loop, site: str) -> None:
    for path in ("/connections", "/trace?worker=1&peer=::1&port=80"):
        assert loop.get(path, f"Sec-Fetch-Site: {site}")[0] == 403
    assert loop.told == []
