"""The end of a server under requests: whoever is connected is answered, whoever comes later is refused."""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable

import psutil
import pytest

from gossamer.shards.letters.signals import RETIRE

from .clients import Clients, ask, outcome
from .conftest import Place, Server, wait_until

Serve = Callable[..., Server]
Stop = Callable[[Server], None]


def family(server: Server) -> list[int]:
    """The supervisor, its keeper and its workers."""
    supervisor = psutil.Process(server.process.pid)
    return [supervisor.pid, *(child.pid for child in supervisor.children())]


def send_term(server: Server) -> None:
    server.process.send_signal(signal.SIGTERM)


def send_term_to_all(server: Server) -> None:
    """As a service manager does that ends a whole control group."""
    for pid in reversed(family(server)):
        os.kill(pid, signal.SIGTERM)


def run_stop(server: Server) -> None:
    assert server.command("stop").returncode == 0


@pytest.mark.parametrize("stop", [run_stop, send_term_to_all])
def test_stop__under_requests__each_is_answered_or_refused(place: Place, stop: Stop) -> None:
    """SIGTERM to the supervisor alone is what the next test sends, and what `gossamer stop` comes to."""
    server = place.start(workers="2").wait_ready()
    clients = Clients(server.port(), 4, place.inside)
    with clients.running():
        wait_until(lambda: len(clients.outcomes) > 40, "requests")
        stop(server)
        assert server.wait_end() == 0
    counted = Counter(clients.outcomes)
    assert set(counted) == {"answered", "refused"}, counted


@pytest.mark.parametrize("stop", [send_term, send_term_to_all])
def test_stop__requests_in_the_accept_queue__answered_while_later_ones_are_refused(
    serve: Serve, stop: Stop
) -> None:
    server = serve(workers="2").wait_ready()
    port, workers = server.status()["port"], server.worker_pids()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    clients = [ask(port) for _ in range(50)]
    stop(server)
    wait_until(lambda: is_refused(port), "a refusal")
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    assert Counter(map(outcome, clients)) == {"answered": 50}
    assert server.wait_end() == 0


def is_refused(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            return False
    except ConnectionRefusedError:
        return True


def test_stop__one_request_goes_on__later_ones_are_refused_at_once(serve: Serve) -> None:
    server = serve().wait_ready()
    port = server.status()["port"]
    with socket.create_connection(("127.0.0.1", port), timeout=5) as busy:
        busy.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        wait_until(lambda: server.status()["workers"][0]["connections"] == 1, "a connection")
        send_term(server)
        wait_until(lambda: "stopping: draining" in server.log(), "the beginning of the end")
        begin = time.monotonic()
        assert is_refused(port)
        assert time.monotonic() - begin < 0.5
        busy.send(b"\r\n")
        assert busy.makefile("rb").read().startswith(b"HTTP/1.1 200")
    assert server.wait_end() == 0


def test_supervisor_and_keeper_killed__requests_in_the_accept_queue__answered(serve: Serve) -> None:
    server = serve(workers="2").wait_ready()
    port, workers = server.status()["port"], server.worker_pids()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    clients = [ask(port) for _ in range(20)]
    server.kill_supervision()
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    assert Counter(map(outcome, clients)) == {"answered": 20}


def test_worker_asked_to_end__another_takes_its_place__none_is_lost(place: Place) -> None:
    server = place.start().wait_ready()
    (victim,) = server.worker_pids()
    clients = Clients(server.port(), 2, place.inside)
    with clients.running():
        wait_until(lambda: len(clients.outcomes) > 20, "requests")
        os.kill(victim, signal.SIGTERM)
        wait_until(lambda: server.worker_pids() not in ([0], [victim]), "another worker")
        seen = len(clients.outcomes)
        wait_until(lambda: len(clients.outcomes) > seen + 20, "more requests")
        send_term(server)
    assert Counter(clients.outcomes)["refused"] == 2
    assert set(clients.outcomes) == {"answered", "refused"}
    assert server.wait_end() == 0


def answers_while_draining(connection: socket.socket) -> bytes:
    """The answer to a second request of a connection, sent at once."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = b""
    while not answer.endswith(b"hello\n"):
        part = connection.recv(65536)
        assert part, answer
        answer += part
    return answer


def test_draining__the_answer_says_that_the_connection_closes(place: Place) -> None:
    server = place.start().wait_ready()
    for how in (RETIRE, signal.SIGTERM):
        wait_until(lambda: server.status()["workers"][0]["state"] == "serving", "it serves")
        with place.connect(server.port(), 10) as connection:
            assert b"Connection: close" not in answers_while_draining(connection)
            (pid,) = server.worker_pids()
            os.kill(pid, how)
            wait_until(lambda: server.status()["workers"][0]["state"] == "draining", "it drains")
            assert b"Connection: close" in answers_while_draining(connection), how
            assert connection.recv(1) == b""
