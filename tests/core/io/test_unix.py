"""Unix stream sockets: the same interface as TCP's."""

import errno
import socket
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.io.unix import UnixAcceptor, adopt_unix, connect_unix
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep
from gossamer.core.threads.cancel import move_on_after

Kernel = Any


def test_connect_and_accept__bytes_both_ways(kernel: Kernel, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def serve(acceptor: UnixAcceptor) -> None:
        stream = await acceptor.accept()
        while data := await stream.recv():
            await stream.send(data[::-1])
        await stream.close()

    async def main() -> bytes:
        acceptor = UnixAcceptor.bind(path)
        assert acceptor.local == (path, 0)
        thread = await sys_fork(serve(acceptor))
        stream = await connect_unix(path)
        assert stream.peer == (path, 0)
        await stream.send(b"hello")
        answer = await stream.recv()
        await stream.shutdown()
        assert await stream.recv() == b""
        await stream.close()
        await sys_join(thread)
        await acceptor.close()
        return answer

    assert kernel.run(main()) == b"olleh"


def test_connect__nobody_listens__refused(kernel: Kernel, tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    with pytest.raises(FileNotFoundError, match=str(path)):
        kernel.run(connect_unix(str(path)))
    with pytest.raises(OSError, match="too long: '/x"):
        kernel.run(connect_unix("/" + "x" * 200))


def test_connect__backlog_is_full__waits_for_room_and_can_be_cancelled(
    kernel: Kernel, tmp_path: Path
) -> None:
    path = str(tmp_path / "socket")

    async def main() -> bytes:
        acceptor = UnixAcceptor.bind(path, backlog=0)
        first = await connect_unix(path)
        with move_on_after(0.1) as scope:
            await connect_unix(path)
        assert scope.cancelled_caught
        connecting = await sys_fork(connect_unix(path))
        await sys_sleep(50_000)
        assert not connecting.has_ended
        await (await acceptor.accept()).close()
        second = await sys_join(connecting)
        accepted = await acceptor.accept()
        await accepted.send(b"welcome")
        answer = await second.recv()
        for stream in (first, second, accepted, acceptor):
            await stream.close()
        return answer

    assert kernel.run(main()) == b"welcome"


def test_bind__path_that_exists_or_is_too_long__error_names_it(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    with pytest.raises(OSError, match=f"Address already in use: '{taken}'") as caught:
        UnixAcceptor.bind(str(taken))
    assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError, match="too long: '/x"):
        UnixAcceptor.bind("/" + "x" * 200)


def test_adopt__one_of_a_pair__is_a_stream(kernel: Kernel) -> None:
    here, there = socket.socketpair()

    async def main() -> bytes:
        stream = await adopt_unix(here)
        await stream.send(b"out")
        assert there.recv(10) == b"out"
        there.send(b"in")
        data = await stream.recv()
        await stream.close()
        return data

    assert kernel.run(main()) == b"in"
    there.close()


def test_addresses__printed_and_after_the_end(kernel: Kernel, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")

    async def main() -> list[Any]:
        async with UnixAcceptor.bind(path) as acceptor:
            client = await connect_unix(path)
            server = await acceptor.accept()
            shown = [repr(acceptor), repr(client), repr(server), client.peer, server.local]
            await server.abort()
            await client.close()
            return [*shown, client.peer, server.local, server.peer, repr(client)]

    at = (path, 0)
    assert kernel.run(main()) == [
        f"<UnixAcceptor on {path}>",
        f"<UnixStream unnamed to {path}>",
        f"<UnixStream {path} to unnamed>",
        at,
        at,
        at,
        at,
        ("", 0),
        f"<UnixStream unnamed to {path}, closed>",
    ]
