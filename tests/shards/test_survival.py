"""A worker that is killed: its connections on the functional TCP live on, each octet in its place."""

import os
import random
import signal
import socket
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
