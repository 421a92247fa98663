"""Clients that note what goes wrong."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

from gossamer.loadtest.steady import SteadyClients

ANSWER = b"HTTP/1.1 200 OK\r\n\r\nhello\n"


@contextlib.contextmanager
def served(serve: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """The address of a listener whose connections are served one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    with client:
                        serve(client)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listening.getsockname()
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def met(serve: Callable[[socket.socket], None], until: Callable[[SteadyClients], bool]) -> SteadyClients:
    """A client until it has met that."""
    with served(serve) as address:
        clients = SteadyClients(address, 1, 0.001, b"hello\n", contextlib.nullcontext())
        clients.start()
        deadline = time.monotonic() + 20
        while not until(clients) and time.monotonic() < deadline:
            time.sleep(0.005)
        clients.end()
    return clients


def answer_twice(client: socket.socket) -> None:
    for _ in range(2):
        client.recv(4096)
        client.sendall(ANSWER)


def end_after_the_request(client: socket.socket) -> None:
    client.recv(4096)


def test_steady__ended_between_requests__opened_anew_and_nothing_lost() -> None:
    outcome = met(answer_twice, lambda clients: clients.outcome.answered > 5).outcome
    assert outcome.reopened + outcome.lost.total() >= 2  # a request may cross the end
    assert 0 < outcome.longest_s < 20


def test_steady__ended_after_a_request__lost() -> None:
    outcome = met(end_after_the_request, lambda clients: clients.outcome.lost.total() > 1).outcome
    assert outcome.answered == 0
    assert set(outcome.lost) <= {"the end of the stream", "ConnectionResetError"}
