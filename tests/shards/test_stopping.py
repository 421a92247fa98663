"""The end of a server under requests: whoever is connected is answered, whoever comes later is refused."""

import contextlib
import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import psutil
import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.serving import RETIRE

from .clients import Clients, ask, outcome
from .conftest import Place as StackPlace
from .conftest import Server, wait_until

Serve = Callable[..., Server]
Stop = Callable[[Server], None]
Place = Callable[[], AbstractContextManager[None]]

PORT = 18090


def family(server: Server) -> list[int]:
    """The supervisor and its workers."""
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


WAYS = pytest.mark.parametrize("stop", [run_stop, send_term, send_term_to_all])


def stop_under_requests(
    server: Server,
    port: int,
    stop: Stop,
    place: Place,
) -> None:
    clients = Clients(port, 4, place)
    with clients.running():
        wait_until(lambda: len(clients.outcomes) > 40, "requests")
        stop(server)
        assert server.wait_end() == 0
    counted = Counter(clients.outcomes)
    assert set(counted) == {"answered", "refused"}, counted


@WAYS
def test_stop__under_requests__each_is_answered_or_refused(serve: Serve, stop: Stop) -> None:
    server = serve().wait_ready()
    stop_under_requests(server, server.status()["port"], stop, contextlib.nullcontext)


@pytest.mark.needs("nfqueue")
@WAYS
def test_stop__functional_tcp_under_requests__each_is_answered_or_refused(
    serve: Serve, namespace: Namespace, stop: Stop
) -> None:
    prefix = tuple(namespace.command([]))
    server = serve("--stack", "nfqueue", "--port", str(PORT), prefix=prefix).wait_ready()
    stop_under_requests(server, PORT, stop, namespace.entered)


@pytest.mark.parametrize("stop", [send_term, send_term_to_all])
def test_stop__requests_in_the_accept_queue__answered_while_later_ones_are_refused(
    serve: Serve, stop: Stop
) -> None:
    server = serve().wait_ready()
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
    server = serve("--workers", "1").wait_ready()
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


def test_supervisor_killed__requests_in_the_accept_queue__answered(serve: Serve) -> None:
    server = serve().wait_ready()
    port, workers = server.status()["port"], server.worker_pids()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    clients = [ask(port) for _ in range(20)]
    server.process.kill()
    server.wait_end()
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    assert Counter(map(outcome, clients)) == {"answered": 20}


def replace_worker_under_requests(server: Server, port: int, place: Place) -> None:
    (victim,) = server.worker_pids()
    clients = Clients(port, 2, place)
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


def test_worker_asked_to_end__another_takes_its_place__none_is_lost(serve: Serve) -> None:
    server = serve("--workers", "1").wait_ready()
    replace_worker_under_requests(server, server.status()["port"], contextlib.nullcontext)


@pytest.mark.needs("nfqueue")
def test_worker_asked_to_end__functional_tcp__another_takes_its_place__none_is_lost(
    serve: Serve, namespace: Namespace
) -> None:
    prefix = tuple(namespace.command([]))
    argv = ("--workers", "1", "--stack", "nfqueue", "--port", str(PORT))
    replace_worker_under_requests(serve(*argv, prefix=prefix).wait_ready(), PORT, namespace.entered)


def answers_while_draining(connection: socket.socket) -> bytes:
    """The answer to a second request of a connection, sent at once."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    answer = b""
    while not answer.endswith(b"hello\n"):
        part = connection.recv(65536)
        assert part, answer
        answer += part
    return answer


@pytest.mark.parametrize("how", ["stop", "reload"])
def test_draining__the_answer_says_that_the_connection_closes(place: StackPlace, how: str) -> None:
    server = place.start("--workers", "1").wait_ready()
    port = server.port()
    with place.inside(), socket.create_connection(("127.0.0.1", port), 10) as connection:
        assert b"Connection: close" not in answers_while_draining(connection)
        (pid,) = server.worker_pids()
        os.kill(pid, RETIRE if how == "reload" else signal.SIGTERM)
        wait_until(lambda: server.status()["workers"][0]["state"] == "draining", "it drains")
        assert b"Connection: close" in answers_while_draining(connection)
        assert connection.recv(1) == b""
