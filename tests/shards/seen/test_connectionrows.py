"""`gossamer connections` of a server on each stack: what its rows say is what the client did."""

import contextlib
import json
import socket
from itertools import dropwhile
from pathlib import Path
from typing import Any

import msgspec

from gossamer.shards.seen.connectiontable import ConnectionTable
from gossamer.shards.seen.tracepoints import PointKind, TracePage, TracePoint

from ...parts import ask_each
from ..conftest import Place, Server, wait_until

REQUEST = b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n"
LARGE_BYTES = 300_000


def table(server: Server, *options: str) -> ConnectionTable:
    done = server.command("connections", "--json", *options)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=ConnectionTable)


def read_all(client: socket.socket) -> None:
    data = b""
    while len(data.partition(b"\r\n\r\n")[2]) < LARGE_BYTES:
        piece = client.recv(1 << 16)
        assert piece, data[:200]
        data += piece


class Clients:
    """Two clients of a server of each stack: one that has asked for much, and an older one for nothing."""

    def __init__(self, place: Place, server: Server, old: socket.socket, busy: socket.socket) -> None:
        self.place, self.server, self.busy = place, server, busy
        self.port = busy.getpeername()[1]
        self.names = [f"127.0.0.1:{client.getsockname()[1]}" for client in (old, busy)]
        self.mine = self.names[1]

    def by_octets(self) -> None:
        wait_until(lambda: (table(self.server).rows[0].bytes_out or 0) > LARGE_BYTES, "all is acknowledged")
        found = table(self.server)
        assert {row.peer for row in found.rows} == set(self.names)
        first = found.rows[0]
        assert (first.peer, first.state, first.local) == (self.mine, "ESTABLISHED", f"127.0.0.1:{self.port}")
        assert abs((first.bytes_in or 0) - len(REQUEST)) <= 1
        assert (first.unsent_bytes, first.retransmits is None) == (0, False)
        assert (first.cwnd_bytes or 0) > 1000
        assert 0 < (first.srtt_us or 0) < 10_000_000
        assert (found.total, found.left_out, found.is_whole) == (2, 0, True)

    def by_age(self) -> None:
        found = table(self.server, "--order", "age", "--rows", "1")
        (row,) = found.rows
        assert row.peer != self.mine
        assert 0 < (row.age_us or 0) < 600_000_000
        assert (found.total, found.left_out) == (2, 1)

    def of_a_peer(self) -> None:
        assert table(self.server, "--peer", "192.0.2.1").rows == []
        assert table(self.server, "--peer", "127.0.0.1").total == 2

    def of_a_worker(self) -> None:
        each = [table(self.server, "--worker", str(worker)) for worker in (0, 1)]
        assert sum(found.total for found in each) == 2
        assert all(row.worker == worker for worker, found in enumerate(each) for row in found.rows)
        done = self.server.command("connections", "--worker", "7")
        assert (done.returncode, "no worker of that number" in done.stderr) == (1, True)

    def for_people(self) -> None:
        text = self.server.command("connections", "--rows", "1").stdout
        assert text.splitlines()[0].split()[:3] == ["worker", "peer", "state"]
        assert self.mine in text
        assert text.splitlines()[-1] == "2 connections; 1 of them left out (--rows)"

    def after_a_move(self) -> None:
        """Its age goes on in another worker; what is in the midst of something is with the old one still."""
        with self.place.connect(self.port) as third:
            third.sendall(REQUEST[:9])
            wait_until(lambda: sum(row.bytes_in == 9 for row in table(self.server).rows), "it has come")
            before = {row.peer: row.age_us or 0 for row in table(self.server).rows}
            assert len(before) == 3
            assert self.server.command("reload").returncode == 0
            after = {row.peer: row.age_us or 0 for row in table(self.server).rows}
            assert after.keys() == before.keys()
            assert all(after[peer] > before[peer] for peer in before)
        wait_until(lambda: table(self.server).total == 2, "it has left")

    def at_the_admin_address(self) -> None:
        rows = json.loads(ask_admin(self.server, "/connections?order=idle"))["rows"]
        assert {row["peer"] for row in rows} == set(self.names)

    def its_graph(self) -> None:
        (row,) = [row for row in table(self.server).rows if row.peer == self.mine]
        path = f"/trace?worker={row.worker}&peer=127.0.0.1&port={self.busy.getsockname()[1]}"
        if self.place.stack == "kernel":
            assert b"runs on kernel sockets" in ask_admin(self.server, path)
            return

        def look(since: int = 0) -> TracePage:
            return msgspec.json.decode(ask_admin(self.server, f"{path}&since={since}"), type=TracePage)

        def request() -> None:
            self.busy.sendall(REQUEST)
            read_all(self.busy)

        # The worker hears a moment later that somebody looks.
        wait_until(lambda: request() or look().points, "its points come")
        wait_until(lambda: is_acked(look().points), "all has come of it")
        before = look().next
        request()
        wait_until(lambda: is_acked(look(before).points), "all has come of another")
        page = look(before)
        # A late acknowledgement of the one before may come first.
        received, *others = dropwhile(lambda point: point.kind is not PointKind.RECEIVED, page.points)
        assert (received.kind, received.length) == (PointKind.RECEIVED, len(REQUEST))
        sent = sum(point.length for point in others if point.kind is PointKind.SENT)
        assert LARGE_BYTES < sent < LARGE_BYTES + 1000
        assert {point.kind for point in others} >= {PointKind.SENT, PointKind.ACKED}
        capture = self.server.command("capture", "--packets", "1", "--duration", "100ms", "/dev/null")
        assert capture.returncode == 0, capture.stderr
        again = look()
        assert (again.is_over, again.next) == (False, page.next)

    def parked(self) -> None:
        """After two seconds the functional TCP keeps few octets of each, and wakes nobody for a row."""
        if self.place.stack == "kernel":
            return
        wait_until(lambda: parked_total(self.server.status()) == 2, "both are parked")
        assert {row.state for row in table(self.server).rows} == {"ESTABLISHED"}
        assert parked_total(self.server.status()) == 2


def ask_admin(server: Server, path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(server.directory / "admin.sock"))
        client.settimeout(30)
        client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return client.makefile("rb").read().partition(b"\r\n\r\n")[2]


def is_acked(points: list[TracePoint]) -> bool:
    """Whether the last that was sent is acknowledged."""
    sent = [point.place + point.length for point in points if point.kind is PointKind.SENT]
    acked = [point.place for point in points if point.kind is PointKind.ACKED]
    return bool(sent) and max(acked) >= max(sent) and sum(point.length for point in points) > LARGE_BYTES


def parked_total(status: dict[str, Any]) -> int:
    return sum(worker["parked"] for worker in status["workers"])


def test_connections__of_two_clients__rows_by_order_and_the_rest_counted(place: Place, site: Path) -> None:
    (site / "large").write_bytes(bytes(LARGE_BYTES))
    # On a busy machine a reload takes longer than a head may take to come.
    patient = ("--set", "web.head_timeout=300s")
    server = place.start("--workers", "2", "--admin", "unix", *patient).wait_ready()
    with contextlib.ExitStack() as ends:
        old = ends.enter_context(place.connect(server.port()))
        wait_until(lambda: table(server).total == 1, "the first is accepted")
        busy = ends.enter_context(place.connect(server.port()))
        busy.sendall(REQUEST)
        read_all(busy)
        clients = Clients(place, server, old, busy)
        ask_each(
            [
                ("by octets", clients.by_octets),
                ("by age", clients.by_age),
                ("of a peer", clients.of_a_peer),
                ("of a worker", clients.of_a_worker),
                ("for people", clients.for_people),
                ("after a move", clients.after_a_move),
                ("at the admin address", clients.at_the_admin_address),
                ("its graph", clients.its_graph),
                ("parked", clients.parked),
            ]
        )
