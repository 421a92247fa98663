"""Keep-alive clients in a closed loop, which note what goes wrong: who is answered, cut off, left waiting.

Owns what is made of each request. A connection that ends between two requests is opened anew and counted as
that; one that ends after a request was sent has lost it.
"""

import heapq
import selectors
import socket
import threading
import time
from contextlib import AbstractContextManager
from typing import Final

from gossamer.core.wire.flow import Address
from gossamer.loadtest.met import Met

REQUEST: Final = b"GET / HTTP/1.1\r\nHost: steady\r\n\r\n"
PATIENCE_S: Final = 10.0
"""A request that is not answered after so long is lost."""
TICK_S: Final = 0.05
READ_BYTES: Final = 65_536


class _Client:
    """One connection."""

    __slots__ = ("answer", "asked_s", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.asked_s = 0.0
        self.answer = b""


class SteadyClients(threading.Thread):
    """So many clients, each of which asks again a moment after it was answered, until `end`."""

    def __init__(
        self,
        address: Address,
        count: int,
        pause_s: float,
        expected: bytes,
        place: AbstractContextManager[None],
    ) -> None:
        """`expected` is how every answer ends; `place` is entered by the thread."""
        super().__init__(daemon=True)
        self.outcome = Met()
        self._address = address
        self._count = count
        self._pause_s = pause_s
        self._expected = expected
        self._place = place
        self._selector = selectors.DefaultSelector()
        self._due: list[tuple[float, int, _Client | None]] = []
        """Who asks when; None connects."""
        self._order = 0
        self._waiting: set[_Client] = set()
        self._is_ending = threading.Event()

    def end(self) -> Met:
        """Let the last requests be answered, and have what was met. Raises: RuntimeError when it hangs."""
        self._is_ending.set()
        self.join(3 * PATIENCE_S)
        if self.is_alive():
            raise RuntimeError("the clients do not end")
        return self.outcome

    def run(self) -> None:
        """Ask until the end."""
        with self._place, self._selector:
            for index in range(self._count):
                self._open(index * self._pause_s / self._count)
            while not (self._is_ending.is_set() and not self._waiting):
                self._turn()
            for key in tuple(self._selector.get_map().values()):
                key.data.sock.close()

    def _open(self, pause_s: float) -> None:
        """Connect, and ask after a pause; whoever is turned away tries again."""
        try:
            sock = socket.create_connection(self._address, PATIENCE_S)
        except OSError as error:
            self.outcome.lose(error, " while it connected")
            self._ask_in(self._pause_s, None)
            return
        sock.setblocking(False)
        client = _Client(sock)
        self._selector.register(sock, selectors.EVENT_READ, client)
        self._ask_in(pause_s, client)

    def _ask_in(self, pause_s: float, client: _Client | None) -> None:
        self._order += 1
        heapq.heappush(self._due, (time.monotonic() + pause_s, self._order, client))

    def _turn(self) -> None:
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s and not self._is_ending.is_set():
            client = heapq.heappop(self._due)[2]
            if client is None:
                self._open(self._pause_s)
            elif client.sock.fileno() >= 0:
                self._ask(client, now_s)
        left_s = self._due[0][0] - now_s if self._due else TICK_S
        for key, _ in self._selector.select(min(max(left_s, 0.0), TICK_S)):
            self._read(key.data)
        for client in [each for each in self._waiting if now_s - each.asked_s > PATIENCE_S]:
            self._lose(client, "silence")

    def _ask(self, client: _Client, now_s: float) -> None:
        client.asked_s, client.answer = now_s, b""
        self._waiting.add(client)
        try:
            client.sock.send(REQUEST)
        except OSError as error:
            self.outcome.note(error)
            self._lose(client, type(error).__name__)

    def _read(self, client: _Client) -> None:
        try:
            data = client.sock.recv(READ_BYTES)
        except OSError as error:
            self.outcome.note(error)
            self._ended(client, type(error).__name__)
            return
        if not data:
            self._ended(client, "the end of the stream")
            return
        client.answer += data
        if client.answer.endswith(self._expected):
            self._waiting.discard(client)
            self.outcome.answered += 1
            self.outcome.wait(time.monotonic() - client.asked_s)
            self._ask_in(self._pause_s, client)

    def _ended(self, client: _Client, how: str) -> None:
        if client in self._waiting:
            self._lose(client, how)
            return
        self.outcome.reopened += 1
        self._again(client)

    def _lose(self, client: _Client, how: str) -> None:
        self._waiting.discard(client)
        self.outcome.wait(time.monotonic() - client.asked_s)
        self.outcome.lost[how] += 1
        self._again(client)

    def _again(self, client: _Client) -> None:
        self._selector.unregister(client.sock)
        client.sock.close()
        if not self._is_ending.is_set():
            self._open(self._pause_s)
