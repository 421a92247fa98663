"""A worker that is killed: its connections on the functional TCP live on, each octet in its place."""

import os
import random
import signal
import socket
import threading
from pathlib import Path

import pytest

from .conftest import Place, Server, wait_until

pytestmark = [pytest.mark.needs("nfqueue"), pytest.mark.parametrize("place", ["nfqueue"], indirect=True)]

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SURVIVING = ("--set", "supervisor.survive_crash=true")
CLIENTS = 16


def answered(client: socket.socket) -> bool:
    """Whether a request on an open connection is answered whole."""
    client.sendall(REQUEST)
    return client.recv(4096).endswith(b"hello\n")


def total(server: Server, name: str) -> int:
    return sum(worker["totals"][name] for worker in server.status()["workers"])


def kill(server: Server, number: int) -> None:
    """Kill a worker in the midst of whatever it does, and wait for who takes its place."""
    victim = server.worker_pids()[number]
    os.kill(victim, signal.SIGKILL)
    wait_until(
        lambda: (
            (w := server.status()["workers"][number])["pid"] not in (0, victim) and w["state"] == "serving"
        ),
        "a new worker",
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed__its_connections_are_answered_by_another(place: Place, workers: str) -> None:
    server = place.start(*SURVIVING, workers=workers).wait_ready()
    clients = [place.connect(server.port()) for _ in range(CLIENTS)]
    assert all(map(answered, clients))
    wait_until(lambda: sum(w["checkpoints"] for w in server.status()["workers"]) == CLIENTS, "all are kept")
    for client in clients:
        client.sendall(REQUEST)
    kill(server, 0)
    assert all(client.recv(4096).endswith(b"hello\n") for client in clients)
    wait_until(lambda: total(server, "restored_total"), "they are restored")
    assert all(map(answered, clients))
    for client in clients:
        client.close()


def test_killed__where_nobody_asked_for_more__they_are_lost(place: Place) -> None:
    server = place.start(workers="1").wait_ready()
    with place.connect(server.port()) as client:
        assert answered(client)
        kill(server, 0)
        with pytest.raises(ConnectionError):
            answered(client)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_killed_in_a_download__its_body_comes_whole(place: Place, site: Path, workers: str) -> None:
    body = random.Random(3).randbytes(32 << 20)
    (site / "large.bin").write_bytes(body)
    server = place.start(*SURVIVING, workers=workers).wait_ready()
    with place.connect(server.port()) as client:
        client.sendall(REQUEST.replace(b"/ ", b"/large.bin ", 1))
        received = client.recv(1 << 20)
        for megabytes in (2, 22):  # Further apart than what waits in the client's kernel: it has gone on.
            while len(received) < megabytes << 20:
                received += client.recv(1 << 20)
            workers_of_it = wait_until(
                lambda: [w["id"] for w in server.status()["workers"] if w["connections"]], "who sends it"
            )
            kill(server, workers_of_it[0])
        head_bytes = received.index(b"\r\n\r\n") + 4
        while len(received) < head_bytes + len(body) and (data := client.recv(1 << 20)):
            received += data
        assert received[head_bytes:] == body
        assert answered(client)


class Downloads(threading.Thread):
    """A client that downloads again and again, over one connection."""

    def __init__(self, client: socket.socket, body: bytes) -> None:
        super().__init__()
        self.client = client
        self.body = body
        self.whole_total = 0
        self.is_last = False
        self.failure = "it has not ended"

    def run(self) -> None:
        try:
            while not self.is_last:
                self.client.sendall(REQUEST.replace(b"/ ", b"/large.bin ", 1))
                received = b""
                while len(received.partition(b"\r\n\r\n")[2]) < len(self.body):
                    data = self.client.recv(1 << 20)
                    assert data, "the end amid a body"
                    received += data
                assert received.endswith(self.body), "another body"
                self.whole_total += 1
            self.failure = ""
        except (AssertionError, OSError) as error:
            self.failure = repr(error)


@pytest.mark.long
def test_killed_ten_times_beside_downloads__each_comes_whole(place: Place, site: Path) -> None:
    body = random.Random(4).randbytes(8 << 20)
    (site / "large.bin").write_bytes(body)
    keys = ("--set", "supervisor.restart_intensity=100")
    server = place.start(*SURVIVING, *keys, workers="2").wait_ready()
    downloads = [Downloads(place.connect(server.port(), timeout=30), body) for _ in range(4)]
    for download in downloads:
        download.start()
    for kills in range(10):
        before = [download.whole_total for download in downloads]
        # Each has gone on since the last: what kills two is not restored again.
        wait_until(
            lambda before=before: all(  # type: ignore[misc]  # mypy infers nothing of a default
                download.whole_total > count + 1 or download.failure != "it has not ended"
                for download, count in zip(downloads, before, strict=True)
            ),
            "all have gone on",
        )
        kill(server, kills % 2)
    for download in downloads:
        download.is_last = True
    for download in downloads:
        download.join(60)
        download.client.close()
    assert [download.failure for download in downloads] == [""] * len(downloads)
