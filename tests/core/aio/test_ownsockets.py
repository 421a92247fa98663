"""Sockets that a program opens itself: connected by the loop, they are of the stack of their address."""

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from .rigs import RIGS, FunctionalRig, KernelRig
from .test_transport import Echo, Made, Recorder

Rig = KernelRig | FunctionalRig


@pytest.fixture(params=RIGS, ids=lambda kind: kind.__name__)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made: Rig = request.param()
    yield made
    made.close()


def opened() -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    return sock


def test_sock_calls__go_to_the_stack_of_the_address(rig: Rig) -> None:
    async def client(loop: Any, address: Any) -> None:
        with opened() as sock:
            await loop.sock_connect(sock, address)
            await loop.sock_sendall(sock, memoryview(b"hello"))
            assert await loop.sock_recv(sock, 3) == b"hel"
            buffer = bytearray(5)
            assert await loop.sock_recv_into(sock, memoryview(buffer)[1:]) == 2
            assert buffer == b"\0lo\0\0"
            await loop.sock_sendall(sock, b"")
            if rig.is_ours:
                with pytest.raises(OSError, match="not connected"):
                    sock.getpeername()

    rig.run(Made(Echo), client)


def test_create_connection__of_such_a_socket__takes_it_over(rig: Rig) -> None:
    async def client(loop: Any, address: Any) -> None:
        sock = opened()
        await loop.sock_connect(sock, address)
        transport, mine = await loop.create_connection(Recorder, sock=sock)
        assert (sock.fileno() == -1) is rig.is_ours
        del sock
        gc.collect()
        transport.write(b"hello")
        await mine.until(lambda: mine.data == b"hello")
        assert transport.get_extra_info("peername") == address
        transport.close()
        assert await mine.lost is None

    rig.run(Made(Echo), client)


def test_socket__that_nobody_has_any_more__its_connection_ends(rig: Rig) -> None:
    server = Made(Recorder)

    async def client(loop: Any, address: Any) -> None:
        sock = opened()
        await loop.sock_connect(sock, address)
        theirs = await server.first()
        del sock
        gc.collect()
        await theirs.until(lambda: "lost" in theirs.said)

    rig.run(server, client)


def test_connect__refused__os_error(rig: Rig) -> None:
    async def client(loop: Any, address: Any) -> None:
        elsewhere = address[0], 1
        given = loop.on_stack(rig.stacks[0], {elsewhere}) if isinstance(rig, FunctionalRig) else nullcontext()
        with given, opened() as sock, pytest.raises(ConnectionRefusedError):
            await loop.sock_connect(sock, elsewhere)

    rig.run(Made(Echo), client)


@pytest.mark.parametrize("kind", [each for each in RIGS if each is not FunctionalRig])
def test_sendfile__reads_the_file_where_there_is_no_descriptor_to_send_to(
    kind: type[KernelRig], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(bytes(range(256)) * 10)

    async def client(loop: Any, address: Any) -> bytes:
        with opened() as sock, (tmp_path / "file").open("rb") as file:
            await loop.sock_connect(sock, address)
            assert await loop.sock_sendfile(sock, file, 1, 300) == 300
            got = b""
            while len(got) < 300:
                got += await loop.sock_recv(sock, 1000)
            return got

    rig = kind()
    assert rig.run(Made(Echo), client) == (bytes(range(256)) * 2)[1:301]
    rig.close()


def test_datagrams_and_unix_sockets__are_the_kernels(tmp_path: Path) -> None:
    rig = KernelRig()

    async def client(loop: Any, address: Any) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, address)
            assert sock.getpeername() == address
        server = await asyncio.start_unix_server(lambda *_: None, tmp_path / "socket")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, str(tmp_path / "socket"))
            assert sock.getpeername() == str(tmp_path / "socket")
        server.close()

    rig.run(Made(Echo), client)
    rig.close()
