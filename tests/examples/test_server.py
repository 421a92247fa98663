"""examples/server.py, run."""

import contextlib
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .programs import SECONDS, example, received, running

LAST = b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\nYou asked for /%s\n"


def answer(path: bytes) -> bytes:
    return ANSWER % (len(path) + 16, path)


def test_requests__on_one_connection_are_answered_in_turn() -> None:
    with running(example("server.py", 0)) as server, server.connect() as client:
        client.sendall(b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        assert received(client) == answer(b"a") + answer(b"b")


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 31\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"hello\r\n\r\n",
    ],
    ids=["method", "length", "chunked", "no request"],
)
def test_what_has_a_body_or_is_no_get__is_refused_and_ends_the_connection(request_: bytes) -> None:
    with running(example("server.py", 0)) as server, server.connect() as client:
        client.sendall(request_)
        text = received(client)
        assert text.startswith(b"HTTP/1.1 501 ")
        assert text.count(b"HTTP/1.1") == 1


def test_head_without_end__ends_the_connection_and_no_other() -> None:
    with (
        running(example("server.py", 0)) as server,
        server.connect() as other,
        server.connect() as client,
    ):
        client.sendall(b"GET /" + b"a" * 8187)
        assert received(client) == b""
        other.sendall(LAST)
        other.shutdown(socket.SHUT_WR)
        assert received(other) == answer(b"last")


def test_sigterm__whoever_is_connected_may_finish_and_nobody_else_comes() -> None:
    with running(example("server.py", 0)) as server, server.connect() as client:
        client.sendall(b"GET /first HTTP/1.1\r\n\r\n")
        assert client.recv(1000) == answer(b"first")
        server.process.send_signal(signal.SIGTERM)
        wait_until_refused(server.connect)
        client.sendall(LAST)
        assert client.recv(1000) == answer(b"last")
        client.close()
        assert server.process.wait(SECONDS) == 0


def wait_until_refused(connect: Callable[[], socket.socket]) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        # Who stands in the backlog when it closes is reset.
        with contextlib.suppress(ConnectionResetError):
            try:
                connect().close()
            except ConnectionRefusedError:
                return
        time.sleep(0.01)
    raise AssertionError("it still listens")


def test_handler__is_served_by_workers_too(tmp_path: Path) -> None:
    gossamer = str(Path(sys.executable).parent / "gossamer")
    options = ["--stack", "kernel", "--port", "0", "--workers", "1", "--run-dir", str(tmp_path / "run")]
    command = [gossamer, "serve", "examples.server:handler", *options]
    with (
        running(command, warnings=r"(?s).*", on_standard_error=True) as server,
        server.connect() as client,
    ):
        client.sendall(LAST)
        client.shutdown(socket.SHUT_WR)
        assert received(client) == answer(b"last")
