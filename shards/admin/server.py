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

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.core.http.limits import MessageLimits
from gossamer.core.http.reader import RequestReader
from gossamer.core.http.request import parse_request
from gossamer.core.printable import printable
from gossamer.shards.admin.pages import (
    JSON,
    TEXT,
    AdminPage,
    Question,
    answer_admin,
    octets_of,
    question_of,
)
from gossamer.shards.admin.questions import Questions, Tell
from gossamer.shards.configuration.admin_address import UNIX, parse_admin_address
from gossamer.shards.exitcode import CannotStartError, CommandError
from gossamer.shards.rundir.accepting import SelectorListener
from gossamer.shards.rundir.rundir import ADMIN
from gossamer.shards.seen.connectiontable import ConnectionTable
from gossamer.shards.seen.status import ServerStatus
from gossamer.shards.seen.tracepoints import TracePage

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

    __slots__ = ("answer", "deadline_us", "is_waiting", "reader", "socket")

    def __init__(self, connected: socket.socket, now_us: int) -> None:
        self.socket = connected
        self.reader = RequestReader(parse_request, LIMITS)
        self.deadline_us = now_us + DEADLINE_US
        self.answer: memoryview | None = None
        self.is_waiting = False
        """Whether workers are asked for its answer: nothing is read of it meanwhile."""


class AdminServer:
    """The listening socket and its clients in the loop of a selector; every call returns at once."""

    def __init__(
        self,
        listening: socket.socket,
        selector: selectors.BaseSelector,
        status: Callable[[], ServerStatus],
        tell: Tell,
    ) -> None:
        """`tell` has workers tell of their connections."""
        self._selector = selector
        self._status = status
        self._questions = Questions(selector, tell)
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
        if request is None:
            return
        question = question_of(request, is_loopback=self._is_loopback)
        if question is None:
            self._reply(client, answer_admin(request, self._fresh_status, is_loopback=self._is_loopback))
        else:
            self._ask(client, question)

    def _ask(self, client: AdminClient, question: Question) -> None:
        """Answer once the workers have."""
        try:
            if question.request.command == "trace":
                self._reply(client, page_of(self._questions.look(question.request, question.since)))
                return
            # Until then nothing is read of the client: should it leave, its answer finds nobody.
            self._selector.unregister(client.socket)
            client.is_waiting = True
            self._questions.gather(question.request, lambda table: self._reply(client, page_of(table)))
        except CommandError as error:
            self._reply(client, octets_of(AdminPage(503, TEXT, f"{printable(str(error))}\n")))

    def _reply(self, client: AdminClient, answer: bytes) -> None:
        if client not in self._clients:
            return  # Its time was over.
        if client.is_waiting:
            client.is_waiting = False
            self._selector.register(client.socket, selectors.EVENT_WRITE, lambda: self._move(client))
        client.answer = memoryview(answer)
        try:
            self._send(client)
        except OSError:
            self._forget(client)

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
        self._questions.tick(now_us)
        for client in [each for each in self._clients if now_us > each.deadline_us]:
            self._forget(client)

    def _forget(self, client: AdminClient) -> None:
        if not client.is_waiting:
            self._selector.unregister(client.socket)
        self._clients.remove(client)
        client.socket.close()

    def close(self) -> None:
        """Close the clients, and listen no more; the listening socket is its opener's."""
        self._questions.close()
        for client in tuple(self._clients):
            self._forget(client)
        self._accepting.close()


def page_of(found: ConnectionTable | TracePage) -> bytes:
    """What workers have told, as it is sent."""
    return octets_of(AdminPage(200, JSON, msgspec.json.encode(found).decode() + "\n"))


def _is_loopback(listening: socket.socket) -> bool:
    """Whether browsers of this machine alone reach it."""
    if listening.family == socket.AF_UNIX:
        return False
    host = listening.getsockname()[0]
    return ipaddress.ip_address(host).is_loopback
