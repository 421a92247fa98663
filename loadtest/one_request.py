"""Clients that open a connection for each request and close it behind the answer: small files one after
another, or large ones at a rate of theirs, so that a download lives on while things happen to the server.

Owns what is made of each answer: its status, its length and its digest. A thread for each client, with
blocking sockets, so that none waits for another.

Bounds: PATIENCE_S for every connection and every read.
"""

import hashlib
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

import msgspec

from gossamer.core.wire.flow import Address
from gossamer.loadtest.met import Met

PATIENCE_S: Final = 30.0
READ_BYTES: Final = 65_536
HEAD_BYTES_MAX: Final = READ_BYTES
HEAD_END: Final = b"\r\n\r\n"
OK: Final = b"200"
REQUEST: Final = b"GET %s HTTP/1.1\r\nHost: one\r\nConnection: close\r\n\r\n"


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for, and how every answer must be."""

    path: str
    body_bytes: int
    sha256: bytes
    rate_bytes: float = float("inf")
    """A second, at most."""
    pause_s: float = 0.0
    """Between an answer and the next request."""


class _Answer:
    """What has come of one."""

    __slots__ = ("_digest", "body_bytes", "head")

    def __init__(self) -> None:
        self.head = b""
        self.body_bytes = 0
        self._digest = hashlib.sha256()

    def take(self, data: bytes) -> None:
        """What was read: of the head, or of the body."""
        if HEAD_END not in self.head:
            before, end, data = (self.head + data).partition(HEAD_END)
            self.head = before + end
        self.body_bytes += len(data)
        self._digest.update(data)

    def is_longer_than(self, wanted: Wanted) -> bool:
        """Whether nothing that may follow makes it right."""
        return self.body_bytes > wanted.body_bytes or len(self.head) > HEAD_BYTES_MAX

    def judge(self, wanted: Wanted, met: Met, error: OSError | None) -> None:
        """Count it: answered, lost or different. A RST behind a whole answer loses none."""
        if error is not None and self.body_bytes < wanted.body_bytes:
            met.lose(error)
            return
        if error is not None:
            met.note(error)
        if HEAD_END not in self.head:
            met.lost["the end of the stream"] += 1
        elif (status := self.head.partition(b" ")[2][:3]) != OK:
            met.lost[f"status {status.decode('latin-1')}"] += 1
        elif self.body_bytes < wanted.body_bytes:
            met.lost["the end of the stream in the midst of the body"] += 1
        elif self._digest.digest() != wanted.sha256:
            met.different += 1
        else:
            met.answered += 1


class OneRequestClients:
    """So many of these clients, until `end`."""

    def __init__(
        self,
        address: Address,
        count: int,
        wanted: Wanted,
        entered: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """Each thread makes its connections in a place that it enters."""
        self._address = address
        self._wanted = wanted
        self._entered = entered
        self._is_ending = threading.Event()
        self._each = [Met() for _ in range(count)]
        self._threads = [threading.Thread(target=self._run, args=(met,), daemon=True) for met in self._each]

    def start(self) -> None:
        """Have them ask."""
        for thread in self._threads:
            thread.start()

    def end(self) -> Met:
        """Let what is under way come to its end, at any rate, and have what was met. Raises: RuntimeError."""
        self._is_ending.set()
        until_s = time.monotonic() + 2 * PATIENCE_S
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until_s - time.monotonic()))
        if any(thread.is_alive() for thread in self._threads):
            raise RuntimeError(f"the clients of {self._wanted.path} do not end")
        return self.met()

    def met(self) -> Met:
        """What all of them have met so far."""
        found = Met()
        for met in self._each:
            found.add(met)
        return found

    def _run(self, met: Met) -> None:
        with self._entered():
            while not self._is_ending.is_set():
                self._ask(met)
                self._is_ending.wait(self._wanted.pause_s)

    def _ask(self, met: Met) -> None:
        answer, error = _Answer(), None
        try:
            with socket.socket() as sock:
                self._read(sock, answer, met)
        except OSError as raised:
            error = raised
        answer.judge(self._wanted, met, error)

    def _read(self, sock: socket.socket, answer: _Answer, met: Met) -> None:
        """Ask, and take all of the answer. A small buffer: what waits there the server has done with."""
        sock.settimeout(PATIENCE_S)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, READ_BYTES)
        begun_s = last_s = time.monotonic()
        try:
            sock.connect(self._address)
            sock.sendall(REQUEST % self._wanted.path.encode())
            while not answer.is_longer_than(self._wanted) and (data := sock.recv(READ_BYTES)):
                met.wait(time.monotonic() - last_s)
                answer.take(data)
                self._keep_pace(begun_s, answer.body_bytes)
                last_s = time.monotonic()
        finally:
            met.wait(time.monotonic() - last_s)

    def _keep_pace(self, begun_s: float, got_bytes: int) -> None:
        ahead_s = begun_s + got_bytes / self._wanted.rate_bytes - time.monotonic()
        if ahead_s > 0:
            self._is_ending.wait(ahead_s)
