"""Cancelling threads that are blocked in a call on a stream: the same on kernel sockets and on the functional
TCP, and nothing is lost or left."""

import socket
from typing import Any

from gossamer.core.threads.calls import sys_blio, sys_epoll_wait, sys_sleep
from gossamer.core.threads.cancel import move_on_after

from .stacks import NOWHERE, Functional, Kernel

SOON = 0.05


def test_recv__cancelled__the_stream_is_whole_and_the_next_recv_gets_the_data(stack: Any) -> None:
    async def echo() -> None:
        server = await stack.acceptor.accept()
        await server.send(await server.recv())

    stack.server_scheduler.spawn(echo())

    async def client() -> tuple[bool, bytes]:
        stream = await stack.connector.connect(stack.address)
        with move_on_after(SOON) as scope:
            await stream.recv()
        await stream.send(b"hello")
        answer = await stream.recv()
        await stream.close()
        return scope.cancelled_caught, answer

    assert stack.run(client()) == (True, b"hello")


def test_send__cancelled__abort_is_all_that_is_left_to_do(stack: Any) -> None:
    async def client() -> bool:
        stream = await stack.connector.connect(stack.address)
        with move_on_after(SOON) as scope:
            while True:
                await stream.send(bytes(1 << 20))
        await stream.abort()
        return scope.cancelled_caught

    assert stack.run(client())


def test_send__cancelled__a_part_has_arrived_and_nothing_says_how_much(stack: Any) -> None:
    data = bytes(range(256)) * (1 << 16)
    received = bytearray()

    async def server() -> None:
        stream = await stack.acceptor.accept()
        await sys_sleep(200_000)
        while part := await stream.recv():
            received.extend(part)
        await stream.close()

    serving = stack.server_scheduler.spawn(server())

    async def client() -> bool:
        stream = await stack.connector.connect(stack.address)
        with move_on_after(SOON) as scope:
            await stream.send(data)
        await stream.close()
        while not serving.has_ended:
            await sys_sleep(10_000)
        return scope.cancelled_caught

    assert stack.run(client())
    assert 0 < len(received) < len(data)
    assert data.startswith(received)


def test_accept__cancelled__the_next_connection_goes_to_the_next_accept(stack: Any) -> None:
    async def server() -> bytes:
        with move_on_after(SOON) as scope:
            await stack.acceptor.accept()
        assert scope.cancelled_caught
        stream = await stack.acceptor.accept()
        data: bytes = await stream.recv()
        await stream.close()
        return data

    serving = stack.server_scheduler.spawn(server())

    async def client() -> None:
        await sys_sleep(200_000)
        stream = await stack.connector.connect(stack.address)
        await stream.send(b"hello")
        await stream.recv()
        await stream.close()

    stack.run(client())
    assert serving.inbox == b"hello"


def test_connect__cancelled__nothing_is_left_of_the_connection() -> None:
    stack = Functional()

    async def client() -> bool:
        with move_on_after(SOON) as scope:
            await stack.connector.connect(NOWHERE)
        return scope.cancelled_caught

    assert stack.run(client())
    assert stack.client.loop.connections == 0
    stack.close()


def test_connect__cancelled_on_kernel_sockets__the_socket_is_closed() -> None:
    stack = Kernel()
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    crowd = []
    for _ in range(4):
        guest = socket.socket()
        guest.setblocking(False)
        guest.connect_ex(full.getsockname())
        crowd.append(guest)

    async def client() -> bool:
        with move_on_after(SOON) as scope:
            await stack.connector.connect(full.getsockname())
        return scope.cancelled_caught

    assert stack.run(client())
    stack.close()
    for guest in (*crowd, full):
        guest.close()


def test_epoll_wait_and_pool__cancelled__the_loop_is_free_and_late_results_are_dropped() -> None:
    stack = Kernel()
    here, there = socket.socketpair()

    def slow() -> str:
        there.recv(1)
        return "late"

    async def client() -> list[Any]:
        seen: list[Any] = []
        with move_on_after(SOON) as waited:
            await sys_epoll_wait(here.fileno(), 1)
        with move_on_after(SOON) as pooled:
            await sys_blio(slow)
        here.send(b"x")
        seen.append(await sys_blio(int, "7"))
        there.send(b"y")
        seen.append(await sys_epoll_wait(here.fileno(), 1))
        return [waited.cancelled_caught, pooled.cancelled_caught, *seen]

    assert stack.run(client()) == [True, True, 7, 1]
    stack.close()
    here.close()
    there.close()
