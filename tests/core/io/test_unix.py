"""Unix stream sockets: the same interface as TCP's."""

import errno
import socket
from pathlib import Path
from typing import Any

import pytest
from gossamer.core.io.unix import UnixAcceptor, adopt_unix, connect_unix
from gossamer.core.threads.calls import sys_fork, sys_join

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
    with pytest.raises(FileNotFoundError):
        kernel.run(connect_unix(str(tmp_path / "nothing")))


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
