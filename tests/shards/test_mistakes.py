"""A handler's mistake ends its thread: other connections of the worker live on."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .conftest import Server, wait_until

Serve = Callable[..., Server]

HANDLER = """
import asyncio, sys
from gossamer.core.threads.calls import sys_aio_read, sys_epoll_wait, sys_join, sys_nbio, sys_park, sys_sleep

MISTAKES = {
    b"join": lambda stream: sys_join(None),
    b"epoll": lambda stream: sys_epoll_wait("0", 1),
    b"epoll of 2**31": lambda stream: sys_epoll_wait(2**31, 1),
    b"park": lambda stream: sys_park(None),
    b"read": lambda stream: sys_aio_read(0, "0", 1),
    b"read at 2**63": lambda stream: sys_aio_read(0, 2**63, 1),
    b"sleep": lambda stream: sys_sleep("1"),
    b"exit": lambda stream: sys.exit(3),
    b"exit in a call": lambda stream: sys_nbio(sys.exit, 3),
    b"asyncio": lambda stream: asyncio.sleep(0),
}

async def handler(stream):
    while word := await stream.recv():
        if word in MISTAKES:
            await MISTAKES[word](stream)
        elif word == b"cancelled":
            raise asyncio.CancelledError
        elif word == b"forgotten":
            sys_sleep(77)
        await stream.send(b"answer")
    await stream.close()
"""

MISTAKES = (
    *(b"join", b"epoll", b"epoll of 2**31", b"park", b"read", b"read at 2**63", b"sleep"),
    *(b"exit", b"exit in a call", b"cancelled"),
)


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.status()["port"]), timeout=10)


def ask(sock: socket.socket, word: bytes) -> bytes:
    sock.sendall(word)
    return sock.recv(100)


def test_handler__mistakes_of_every_kind__the_worker_and_its_other_connections_live(
    serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "faulty.py").write_text(HANDLER)
    server = serve("--workers", "1", target="faulty:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    before = server.worker_pids()
    with connect(server) as other:
        assert ask(other, b"hello") == b"answer"
        for word in MISTAKES:
            with connect(server) as sock, suppress(ConnectionResetError):
                assert ask(sock, word) == b"", word
            assert ask(other, b"hello") == b"answer", word
    assert server.worker_pids() == before


def test_handler__forgets_an_await__warned_of_in_debug_mode(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(HANDLER)
    server = serve(target="faulty:handler", PYTHONPATH=str(tmp_path), GOSSAMER_DEBUG="1").wait_ready()
    with connect(server) as sock:
        assert ask(sock, b"forgotten") == b"answer"
    wait_until(lambda: "Sleep(us=77) was never awaited" in server.log(), "the warning")
