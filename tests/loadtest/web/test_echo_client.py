"""The client of WebSocket echoes, against the package `websockets` and against who does not echo."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.sync.server import ServerConnection, serve

from gossamer.loadtest.web.echo_client import CLOSE, ECHO, MESSAGE, Echoes, echo_argv, figures, opened
from gossamer.loadtest.web.wrk import parse_wrk


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


@contextmanager
def echoing() -> Iterator[int]:
    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1]
        server.shutdown()
    thread.join(10)


def test_client__against_websockets__messages_and_no_error() -> None:
    with echoing() as port:
        done = subprocess.run(
            echo_argv("127.0.0.1", port, 1, 3, [os.getpid()]),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = parse_wrk(done.stdout)
    assert found.requests > 0
    assert found.errors == 0
    assert found.latency is not None
    assert found.cpu_ns is not None
    assert min(found.cpu_ns) > 0


def test_client__no_websocket_there__an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse() -> None:
            with listening.accept()[0] as other:
                other.recv(4096)
                other.sendall(b"HTTP/1.1 404 Not Found\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(ConnectionError, match="404"):
            opened("127.0.0.1", listening.getsockname()[1], 1)
        thread.join(10)


def test_echoes__in_two_pieces__one_message__then_the_next_is_said() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        echoes = Echoes([ours])
        echoes.say(ours.fileno())
        for piece in (ECHO[:5], ECHO[5:]):
            theirs.sendall(piece)
            echoes.hear(ours.fileno())
        assert (len(echoes.latencies_ns), echoes.errors) == (1, 0)
        assert theirs.recv(4096) == 2 * MESSAGE
        theirs.shutdown(socket.SHUT_WR)
        echoes.end()
        assert theirs.recv(4096) == CLOSE


@pytest.mark.parametrize("said", [b"x", ECHO + b"x", ECHO[:-1] + b"x", b""])
def test_echoes__anything_else__an_error_and_left(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        echoes = Echoes([ours])
        theirs.sendall(said)
        if not said:
            theirs.close()
        echoes.hear(ours.fileno())
        assert echoes.errors == 1
        assert echoes.sockets == {}
        assert parse_wrk(figures(echoes, 1.0)).requests == 0
