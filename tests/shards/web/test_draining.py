"""Draining on the real scheduler and real sockets: nothing in flight is lost, nothing idle is waited for."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.io.sock import SockAcceptor, SockConnector
from gossamer.core.loop.disk.loop import DiskLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.calls import sys_fork, sys_sleep
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.web.digest import handler
from gossamer.shards.web.site import StaticSite

GET = b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
WAIT_US = 5_000_000


@pytest.mark.parametrize(("application", "request_bytes"), [("site", GET), ("digest", PUT)])
def test_drain__request_at_hand_answered__idle_closed(
    tmp_path: Path, application: str, request_bytes: bytes
) -> None:
    (tmp_path / "a.txt").write_bytes(b"content")
    root = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    site = StaticSite(root)
    serve: Any = site.serve if application == "site" else handler
    acceptor = SockAcceptor(socket.create_server(("127.0.0.1", 0)))
    sockets, pool = SockLoop(), PoolLoop()
    scheduler = Scheduler(EpollWaiter(), [sockets, pool, DiskLoop(pool), SleepLoop()])
    seen: dict[str, bytes] = {}

    async def accept_two() -> None:
        for _ in range(2):
            await sys_fork(serve(await acceptor.accept()))
        await acceptor.close()

    async def play() -> None:
        connector = SockConnector()
        idle = await connector.connect(acceptor.local)
        busy = await connector.connect(acceptor.local)
        await idle.send(request_bytes)
        seen["before"] = await idle.recv(65536, WAIT_US)
        await busy.send(request_bytes[:-2])
        await sys_sleep(20_000)
        site.drain()
        sockets.interrupt_receivers()
        seen["idle"] = await idle.recv(65536, WAIT_US)
        await busy.send(request_bytes[-2:])
        seen["busy"] = await busy.recv(65536, WAIT_US)
        seen["end"] = await busy.recv(65536, WAIT_US)
        await idle.close()
        await busy.close()

    scheduler.spawn(accept_two())
    player = scheduler.spawn(play())
    scheduler.run()
    scheduler.close()
    os.close(root)
    assert player.has_ended
    assert seen["before"].startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" not in seen["before"]
    assert seen["idle"] == b""
    assert seen["busy"].startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close\r\n" in seen["busy"]
    assert seen["end"] == b""
