"""A handler's mistake ends its thread: other connections of the worker live on."""

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .conftest import Place, Server, wait_until

Serve = Callable[..., Server]

HANDLER = """
import asyncio, sys
from gossamer.core.loop.disk.call import sys_aio_read
from gossamer.core.threads.calls import sys_epoll_wait, sys_join, sys_nbio, sys_park, sys_sleep

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

class OwnError(BaseException):
    pass

ENDINGS = {b"cancelled": asyncio.CancelledError, b"generator": GeneratorExit, b"own": OwnError}

async def handler(stream):
    while word := await stream.recv():
        if word in MISTAKES:
            await MISTAKES[word](stream)
        elif word in ENDINGS:
            raise ENDINGS[word]
        elif word == b"forgotten":
            sys_sleep(77)
        await stream.send(b"answer")
    await stream.close()
"""

MISTAKES = (
    *(b"join", b"epoll", b"epoll of 2**31", b"park", b"read", b"read at 2**63", b"sleep"),
    *(b"exit", b"exit in a call", b"cancelled", b"generator", b"own"),
)


def ask(sock: socket.socket, word: bytes) -> bytes:
    sock.sendall(word)
    return sock.recv(100)


def test_handler__mistakes_of_every_kind__the_worker_and_its_other_connections_live(
    place: Place, tmp_path: Path
) -> None:
    (tmp_path / "faulty.py").write_text(HANDLER)
    server = place.start(target="faulty:handler", PYTHONPATH=str(tmp_path)).wait_ready()
    before, port = server.worker_pids(), server.port()
    with place.connect(port) as other:
        assert ask(other, b"hello") == b"answer"
        for word in MISTAKES:
            with place.connect(port) as sock, suppress(ConnectionResetError):
                assert ask(sock, word) == b"", word
            assert ask(other, b"hello") == b"answer", word
    assert server.worker_pids() == before
    wait_until(lambda: server.status()["workers"][0]["thread_errors_total"] == len(MISTAKES), "each counted")


def test_handler__forgets_an_await__warned_of_in_debug_mode(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "faulty.py").write_text(HANDLER)
    server = serve(target="faulty:handler", PYTHONPATH=str(tmp_path), GOSSAMER_DEBUG="1").wait_ready()
    with socket.create_connection(("127.0.0.1", server.port()), timeout=10) as sock:
        assert ask(sock, b"forgotten") == b"answer"
    wait_until(lambda: "Sleep(us=77) was never awaited" in server.log(), "the warning")
