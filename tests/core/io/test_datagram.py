"""Datagrams: whole, with their sender; UDP over both families and Unix."""

import socket
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.io.datagram import DatagramSocket
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep
from gossamer.core.threads.cancel import move_on_after

Kernel = Any


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_udp__there_and_back(kernel: Kernel, host: str) -> None:
    async def echo(server: DatagramSocket) -> None:
        for _ in range(3):
            data, peer = await server.recv_from()
            await server.send_to(data.upper(), peer)

    async def main() -> list[bytes]:
        async with DatagramSocket.bind(host) as server, DatagramSocket.bind(host) as client:
            thread = await sys_fork(echo(server))
            await sys_sleep(1_000)
            answers = []
            for data in (b"one", b"two", b"x" * 60_000):
                await client.send_to(data, server.local)
                answer, peer = await client.recv_from()
                assert peer == server.local
                answers.append(answer)
            await sys_join(thread)
            return answers

    assert kernel.run(main()) == [b"ONE", b"TWO", b"X" * 60_000]


def test_udp__any_address__an_ipv4_sender_has_its_ipv4_address_and_is_answered(kernel: Kernel) -> None:
    async def main() -> Any:
        async with DatagramSocket.bind("::") as server, DatagramSocket.bind("127.0.0.1") as client:
            await client.send_to(b"one", ("127.0.0.1", server.local[1]))
            data, peer = await server.recv_from()
            await server.send_to(data.upper(), peer)
            return peer == client.local, (await client.recv_from())[0]

    assert kernel.run(main()) == (True, b"ONE")


def test_unix__full_queue__the_sender_waits(kernel: Kernel, tmp_path: Path) -> None:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    del tmp_path

    async def sends(sender: DatagramSocket) -> None:
        for number in range(600):
            with_header = number.to_bytes(2, "big") + bytes(1000)
            while True:
                try:
                    sender._sock.send(with_header)
                    break
                except BlockingIOError:
                    await sys_sleep(1_000)

    async def main() -> list[int]:
        async with DatagramSocket(left) as sender, DatagramSocket(right) as receiver:
            thread = await sys_fork(sends(sender))
            numbers = [int.from_bytes((await receiver.recv_from())[0][:2], "big") for _ in range(600)]
            await sys_join(thread)
            return numbers

    assert kernel.run(main()) == list(range(600))


def test_recv_from__cancelled__the_next_gets_it(kernel: Kernel) -> None:
    async def main() -> bytes:
        async with DatagramSocket.bind("127.0.0.1") as here:
            with move_on_after(0.01) as scope:
                await here.recv_from()
            assert scope.cancelled_caught
            await here.send_to(b"self", here.local)
            data, _ = await here.recv_from()
            return data

    assert kernel.run(main()) == b"self"


def test_bind__address_in_use__os_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="in use"):
            DatagramSocket.bind("127.0.0.1", taken.getsockname()[1])


def test_socket__printed__its_address_or_that_it_is_closed(kernel: Kernel) -> None:
    async def main() -> tuple[bool, str]:
        datagrams = DatagramSocket.bind("127.0.0.1")
        shown = repr(datagrams) == f"<DatagramSocket {datagrams.local}>"
        await datagrams.close()
        return shown, repr(datagrams)

    assert kernel.run(main()) == (True, "<DatagramSocket closed>")
