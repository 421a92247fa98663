"""The admin address served by the supervisor's loop: one request a connection, and never a wait.

Owns its sockets. What a client may take is bounded: a head of HEAD_BYTES_MAX, CLIENTS_MAX connections (the
oldest goes for one more), and DEADLINE_US from its first moment to its last. One status serves all who ask
within FRESH_US.
"""

import contextlib
import ipaddress
import os
import selectors
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gossamer.core.clock import monotonic_us
from gossamer.core.http.limits import MessageLimits
from gossamer.core.http.reader import RequestReader
from gossamer.core.http.request import Refusal, Request, parse_request
from gossamer.shards.accepting import SelectorListener
from gossamer.shards.admin.address import UNIX, parse_admin_address
from gossamer.shards.admin.pages import answer_admin
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.rundir import ADMIN
from gossamer.shards.status import ServerStatus

CLIENTS_MAX: Final = 32
HEAD_BYTES_MAX: Final = 8192
READ_BYTES: Final = 4096
DEADLINE_US: Final = 5_000_000
FRESH_US: Final = 200_000
LIMITS: Final = MessageLimits(request_line_bytes_max=2048, head_bytes_max=HEAD_BYTES_MAX)


def open_admin(text: str, folder: Path) -> socket.socket | None:
    """Listen at a configured address; the socket of "unix" stands in the run directory, whose lock is held.

    Raises: CannotStartError.
    """
    if not text:
        return None
    address = parse_admin_address(text)
    try:
        return _listen_unix(folder / ADMIN) if address is None else _listen(address.host, address.port)
    except OSError as error:
        raise CannotStartError(
            f"admin.address: cannot listen at {text}: {error.strerror}; name another one, or none"
        ) from error


def _listen_unix(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    with contextlib.ExitStack() as undo:
        listening = undo.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(os.fspath(path))
        path.chmod(0o600)
        listening.listen(CLIENTS_MAX)
        undo.pop_all()
    return listening


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=CLIENTS_MAX)


def url_of(listening: socket.socket | None) -> str:
    """Where a browser, or curl, finds it; "" for none."""
    if listening is None:
        return ""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return f"{UNIX}:{name}"
    return f"http://[{name[0]}]:{name[1]}/" if ":" in name[0] else f"http://{name[0]}:{name[1]}/"


class AdminClient:
    """One connection: what it has sent of a head, and what is still to be sent to it."""

    __slots__ = ("answer", "deadline_us", "reader", "socket")

    def __init__(self, connected: socket.socket, now_us: int) -> None:
        self.socket = connected
        self.reader = RequestReader(parse_request, LIMITS)
        self.deadline_us = now_us + DEADLINE_US
        self.answer: memoryview | None = None


class AdminServer:
    """The listening socket and its clients in the loop of a selector; every call returns at once."""

    def __init__(
        self, listening: socket.socket, selector: selectors.BaseSelector, status: Callable[[], ServerStatus]
    ) -> None:
        self._selector = selector
        self._status = status
        self._seen: tuple[int, ServerStatus] | None = None
        self._clients: list[AdminClient] = []
        self._is_loopback = _is_loopback(listening)
        self._accepting = SelectorListener(listening, selector, self._take)

    def _take(self, connected: socket.socket) -> None:
        if len(self._clients) >= CLIENTS_MAX:
            self._forget(self._clients[0])
        client = AdminClient(connected, monotonic_us())
        self._clients.append(client)
        self._selector.register(connected, selectors.EVENT_READ, lambda: self._move(client))

    def _move(self, client: AdminClient) -> None:
        """Do for a client what can be done now."""
        try:
            if client.answer is None:
                self._read(client)
            elif client.answer:
                self._send(client)
            # What a client still sends is read away: unread octets would turn its end into a reset.
            elif not client.socket.recv(READ_BYTES):
                self._forget(client)
        except BlockingIOError:
            pass  # the next event tries again
        except OSError:
            self._forget(client)  # it left: nobody is there to answer

    def _read(self, client: AdminClient) -> None:
        data = client.socket.recv(READ_BYTES)
        if not data:
            self._forget(client)
            return
        client.reader.receive(data)
        request = client.reader.next_request()
        if request is not None:
            client.answer = memoryview(self._answer(request))
            self._send(client)

    def _answer(self, request: Request | Refusal) -> bytes:
        return answer_admin(request, self._fresh_status, is_loopback=self._is_loopback)

    def _fresh_status(self) -> ServerStatus:
        now_us = monotonic_us()
        if self._seen is None or now_us - self._seen[0] > FRESH_US:
            self._seen = now_us, self._status()
        return self._seen[1]

    def _send(self, client: AdminClient) -> None:
        assert client.answer is not None
        with contextlib.suppress(BlockingIOError):
            client.answer = client.answer[client.socket.send(client.answer) :]
        if not client.answer:
            client.socket.shutdown(socket.SHUT_WR)
        wanted = selectors.EVENT_WRITE if client.answer else selectors.EVENT_READ
        self._selector.modify(client.socket, wanted, lambda: self._move(client))

    def tick(self, now_us: int) -> None:
        """Close the connections whose time is over; accept again when that has rested."""
        self._accepting.tick(now_us)
        for client in [each for each in self._clients if now_us > each.deadline_us]:
            self._forget(client)

    def _forget(self, client: AdminClient) -> None:
        self._selector.unregister(client.socket)
        self._clients.remove(client)
        client.socket.close()

    def close(self) -> None:
        """Close the clients, and listen no more; the listening socket is its opener's."""
        for client in tuple(self._clients):
            self._forget(client)
        self._accepting.close()


def _is_loopback(listening: socket.socket) -> bool:
    """Whether browsers of this machine alone reach it."""
    if listening.family == socket.AF_UNIX:
        return False
    host = listening.getsockname()[0]
    return ipaddress.ip_address(host).is_loopback
