"""Clients in a hurry: each connects, asks and reads to the end, soon again, until it is refused.

Owns what is made of each try. A connection that was made must be answered whole; a refusal ends the client.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
PATIENCE_SECONDS = 20.0
PAUSE_SECONDS = 0.002
"""So that they do not take the CPU from the worker that they wait for."""


def ask(port: int, seconds: float = PATIENCE_SECONDS) -> socket.socket:
    """A connection on which a request was sent."""
    client = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    client.sendall(REQUEST)
    return client


def outcome(client: socket.socket) -> str:
    """What became of the request: "answered", or what came instead."""
    with client:
        try:
            answer = client.makefile("rb").read()
        except OSError as error:
            return f"{type(error).__name__} after the request was sent"
    return "answered" if answer.endswith(b"\r\n\r\nhello\n") else f"cut short: {answer!r}"


class Clients:
    """Threads of clients; each ends at its first refusal."""

    def __init__(self, port: int, count: int, place: Callable[[], AbstractContextManager[None]]) -> None:
        self.outcomes: list[str] = []
        self._port = port
        self._place = place
        self._threads = [threading.Thread(target=self._ask_on, daemon=True) for _ in range(count)]

    def _ask_on(self) -> None:
        with self._place():
            while True:
                try:
                    client = ask(self._port)
                except ConnectionRefusedError:
                    self.outcomes.append("refused")
                    return
                except OSError as error:
                    self.outcomes.append(f"{type(error).__name__} while it connected or sent")
                    return
                self.outcomes.append(outcome(client))
                time.sleep(PAUSE_SECONDS)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """While the block runs they ask; then all of them are waited for."""
        for thread in self._threads:
            thread.start()
        yield
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in self._threads), "a client hangs"
