"""What bounds the connections of a worker, on both stacks, and how long its end takes."""

import socket
import threading
import time
from collections import Counter
from typing import Any

import psutil
import pytest

from .conftest import Place, Server, wait_until

GET = b"GET / HTTP/1.0\r\n\r\n"


def worker(server: Server) -> dict[str, Any]:
    """The status of its one worker."""
    found: dict[str, Any] = server.status()["workers"][0]
    return found


def answer(client: socket.socket) -> bytes:
    """What comes to a request, to its end."""
    client.sendall(GET)
    with client:
        return client.makefile("rb").read()


def test_limit_concurrency__the_next_ones_wait_or_leave__others_are_answered__stop_waits_for_nobody(
    place: Place,
) -> None:
    limits = ("--limit-concurrency", "2", "--timeout-graceful-shutdown", "40s")
    server = place.start(*limits).wait_ready()
    port = server.port()
    the_next_one_waits(place, server)
    those_that_wait_leave_and_others_are_answered(place, server)
    as_many_as_wait_come_and_leave_and_others_are_answered(place, port)
    reload_does_not_wait_for_the_peer_of_an_idle_connection(place, server)
    stop_does_not_wait_for_the_peer_of_an_idle_connection(place, server)


def the_next_one_waits(place: Place, server: Server) -> None:
    if place.stack == "nfqueue":
        return  # There it is accepted later, but connected at once.
    before = worker(server)["accepted_total"]
    with place.connect(server.port()) as one, place.connect(server.port()):
        wait_until(lambda: worker(server)["connections"] == 2, "two connections")
        waiting = place.connect(server.port(), 5)
        waiting.sendall(GET)
        time.sleep(0.3)
        assert worker(server)["accepted_total"] == before + 2
        one.close()
        with waiting:
            assert waiting.recv(100).startswith(b"HTTP/1.1 200")
    wait_until(lambda: worker(server)["connections"] == 0, "none is connected")


def those_that_wait_leave_and_others_are_answered(place: Place, server: Server) -> None:
    holders = [place.connect(server.port()) for _ in range(2)]
    wait_until(lambda: worker(server)["connections"] >= 2, "two connections")
    for departed in [place.connect(server.port()) for _ in range(6)]:
        departed.close()
    for holder in holders:
        holder.close()
    assert answer(place.connect(server.port(), 5)).endswith(b"hello\n")


def as_many_as_wait_come_and_leave_and_others_are_answered(place: Place, port: int) -> None:
    for departed in [place.connect(port) for _ in range(20)]:
        departed.close()
    assert answer(place.connect(port, 5)).endswith(b"hello\n")


def reload_does_not_wait_for_the_peer_of_an_idle_connection(place: Place, server: Server) -> None:
    (old,) = server.worker_pids()
    with place.connect(server.port()) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert server.command("reload").returncode == 0
        wait_until(lambda: not psutil.pid_exists(old), "the worker before has ended")
        took = time.monotonic() - began
    assert took < 20.0, f"{took:.1f} s"


def stop_does_not_wait_for_the_peer_of_an_idle_connection(place: Place, server: Server) -> None:
    with place.connect(server.port()) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert idle.recv(1000).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        assert server.command("stop").returncode == 0
        took = time.monotonic() - began
        assert idle.recv(1000) == b""
    assert took < 20.0, f"{took:.1f} s"


def test_limit_concurrency__more_idle_ones_than_that_come_and_go__the_next_is_answered(place: Place) -> None:
    server = place.start("--limit-concurrency", "5").wait_ready()
    for _ in range(3):
        idle = [place.connect(server.port()) for _ in range(12)]
        wait_until(lambda: worker(server)["connections"] >= 5, "those that it may have")
        for departed in idle:
            departed.close()
        assert answer(place.connect(server.port(), 5)).endswith(b"hello\n")
    wait_until(lambda: worker(server)["connections"] == 0, "none is connected")


def test_connections_per_address__one_more_than_allowed__reset__others_and_the_next_are_served(
    place: Place,
) -> None:
    server = place.start("--workers", "1", "--set", "server.limit_connections_per_address=2").wait_ready()
    port = server.port()
    holders = [place.connect(port) for _ in range(2)]
    wait_until(lambda: worker(server)["connections"] == 2, "two connections")
    with pytest.raises(ConnectionResetError):  # Already as it connects, where it is late.
        answer(place.connect(port))
    with place.connect(port, source=("127.0.0.2", 0)) as other:
        assert answer(other).endswith(b"hello\n")
    holders.pop().close()
    wait_until(lambda: worker(server)["connections"] == 1, "one has left")
    assert answer(place.connect(port)).endswith(b"hello\n")
    wait_until(lambda: worker(server)["totals"]["connections_refused_total"] == 1, "it is counted")
    holders.pop().close()


CLIENTS = 8
ROUNDS = 40
KEEP_ALIVE_SECONDS = 0.04


def ask_as_the_time_ends(place: Place, port: int, delays: list[float], outcomes: list[str]) -> None:
    """Second requests, each so long after the first was answered."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for delay in delays:
        with place.connect(port) as client:
            client.sendall(request)
            assert client.recv(1000).endswith(b"hello\n")
            time.sleep(delay)
            try:
                client.sendall(request)
                outcomes.append("answered" if client.recv(1000) else "ended")
            except ConnectionError as error:
                outcomes.append(type(error).__name__)


def test_keep_alive__requests_as_it_ends__answered_or_the_end_but_no_reset(place: Place) -> None:
    keep_alive = f"{KEEP_ALIVE_SECONDS * 1000:g}ms"
    server = place.start("--timeout-keep-alive", keep_alive).wait_ready()
    outcomes: list[str] = []
    near = [KEEP_ALIVE_SECONDS + step * 0.0001 for step in range(-ROUNDS // 2, ROUNDS // 2)]
    clients = [
        threading.Thread(target=ask_as_the_time_ends, args=(place, server.port(), near, outcomes))
        for _ in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join(60)
    assert len(outcomes) == CLIENTS * ROUNDS
    assert set(outcomes) <= {"answered", "ended"}, Counter(outcomes)
