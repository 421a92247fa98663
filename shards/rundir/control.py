"""The control socket: one request, one answer, over a unix socket in the run directory.

Owns the messages and both ends. SOCK_SEQPACKET keeps messages whole, so there is nothing to frame; the mode
of the socket and of its directory says who may speak (its owner and root). A client that does not read loses
its answer, and the supervisor never waits for one.
"""

import contextlib
import os
import selectors
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from gossamer.core.printable import printable
from gossamer.shards.exitcode import CommandError, ExitCode, NotRunningError, command_error
from gossamer.shards.letters.rights import receive_rights
from gossamer.shards.rundir.accepting import SelectorListener
from gossamer.shards.seen.connectiontable import ROWS_DEFAULT, Order

REQUEST_BYTES_MAX: Final = 4096
ANSWER_BYTES_MAX: Final = 1 << 20
CLIENTS_MAX: Final = 16
TIMEOUT_SECONDS: Final = 5
TIMEVAL: Final = struct.Struct("@ll")

T = TypeVar("T")

Command = Literal[
    "status", "stop", "reload", "restart", "upgrade", "add", "remove", "firewall", "capture", "connections",
    "trace",
]  # fmt: skip


class ControlRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client asks."""

    command: Command
    worker: int | None = None
    """Of `restart`, `capture`, `connections`, `trace`: which one; None is all."""
    peer: str = ""
    """Of `capture`, `connections`, `trace`: the address whose packets are wanted; "" is every one."""
    port: int = 0
    """Of `trace`: the peer's."""
    order: Order = "bytes"
    """Of `connections`: which come first."""
    rows_max: int = ROWS_DEFAULT
    """Of `connections`: how many."""


class ControlAnswer(msgspec.Struct, frozen=True):
    """What the supervisor says."""

    ok: bool
    message: str = ""
    result: Any = None
    exit_code: int = ExitCode.OK
    """How the command that asked ends."""


def open_control(path: Path) -> socket.socket:
    """Listen at a path of the run directory, whose lock is held. Raises: OSError."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.setblocking(False)
    listening.bind(os.fspath(path))
    path.chmod(0o600)
    listening.listen(CLIENTS_MAX)
    return listening


class ControlServer:
    """The supervisor's end; every call returns at once.

    Bounds: CLIENTS_MAX, REQUEST_BYTES_MAX, ANSWER_BYTES_MAX.
    """

    def __init__(
        self,
        listening: socket.socket,
        selector: selectors.BaseSelector,
        answer: Callable[[ControlRequest], ControlAnswer],
        answer_with: Callable[[ControlRequest, int], ControlAnswer] | None = None,
    ) -> None:
        """`answer_with` has the requests that come with a descriptor, which is closed after its answer. The
        socket is its own from now on.
        """
        self._selector = selector
        self._answer = answer
        self._answer_with = answer_with
        self._clients: list[socket.socket] = []
        self._listener = listening
        self._accepting = SelectorListener(self._listener, selector, self._take)
        self.tick = self._accepting.tick

    def _take(self, client: socket.socket) -> None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ANSWER_BYTES_MAX)
        if len(self._clients) >= CLIENTS_MAX:
            self._forget(self._clients[0])
        self._clients.append(client)
        self._selector.register(client, selectors.EVENT_READ, lambda: self._serve(client))

    def _serve(self, client: socket.socket) -> None:
        try:
            data, fds, _ = receive_rights(client, REQUEST_BYTES_MAX, 1)
            with contextlib.ExitStack() as given:
                for fd in fds:
                    given.callback(os.close, fd)
                if data:
                    client.send(msgspec.json.encode(self._reply(data, fds)))
        except OSError:
            pass  # the client left: nobody is there to answer
        self._forget(client)

    def _reply(self, data: bytes, fds: list[int]) -> ControlAnswer:
        try:
            request = msgspec.json.decode(data, type=ControlRequest)
        except msgspec.DecodeError as error:
            return ControlAnswer(False, f"control request: {error}", exit_code=ExitCode.FAILED)
        try:
            if fds and self._answer_with is not None:
                return self._answer_with(request, fds[0])
            return self._answer(request)
        except CommandError as error:
            return ControlAnswer(False, printable(str(error)), exit_code=error.exit_code)

    def _forget(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        self._clients.remove(client)
        client.close()

    def close(self) -> None:
        """Close listener and clients."""
        for client in tuple(self._clients):
            self._forget(client)
        self._accepting.close()
        self._listener.close()


def ask(path: Path, request: ControlRequest, fd: int | None = None) -> ControlAnswer:
    """Ask the supervisor behind a control socket, and give it a descriptor where the request needs one.

    Raises: NotRunningError when nobody answers; when it says no, the CommandError that it names.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        # Not settimeout: it would make connect fail at once while the backlog is full for a moment.
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            client.setsockopt(socket.SOL_SOCKET, option, TIMEVAL.pack(TIMEOUT_SECONDS, 0))
        try:
            client.connect(os.fspath(path))
            message = msgspec.json.encode(request)
            if fd is None:
                client.send(message)
            else:
                socket.send_fds(client, [message], [fd])
            data = client.recv(ANSWER_BYTES_MAX)
        except PermissionError as error:
            raise NotRunningError(f"{path}: it belongs to another user; ask as that one") from error
        except OSError as error:
            raise NotRunningError(f"{path}: no server answers ({error.strerror or error})") from error
    if not data:
        raise NotRunningError(f"{path}: the server ended without an answer")
    try:
        answer = msgspec.json.decode(data, type=ControlAnswer)
    except msgspec.DecodeError as error:
        raise NotRunningError(f"{path}: who answers there is no server of ours: {error}") from error
    if not answer.ok:
        raise command_error(answer.exit_code, answer.message)
    return answer


def ask_for(path: Path, request: ControlRequest, kind: type[T]) -> T:
    """The same, for the result that is expected: whoever answers may be anybody. Raises: as `ask`."""
    try:
        return msgspec.convert(ask(path, request).result, type=kind)
    except msgspec.ValidationError as error:
        raise NotRunningError(f"{path}: who answers there is no server of ours: {error}") from error
