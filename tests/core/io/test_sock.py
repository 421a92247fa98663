"""SockIO over real sockets of loopback, with a clock that moves only when nothing happens."""

import errno
import gc
import os
import resource
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.core.clock import SECOND_US, VirtualClock
from gossamer.core.errors import Draining, MisuseError
from gossamer.core.io.sock import SockAcceptor, SockConnector, SockStream, listen
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.draining import LINGER_BYTES_MAX, LINGER_US, STEP_BYTES
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.loop.sock.no_room import ACCEPT_PAUSE_US
from gossamer.core.loop.sock.sending import SENDFILE_BYTES_MAX
from gossamer.core.threads.calls import sys_fork, sys_join, sys_sleep, sys_yield
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.scheduler import Scheduler

FULL_PIPE = 64 << 20
"""More than the kernel's buffers of one connection hold."""


class SteppingWaiter(EpollWaiter):
    """Epoll on real descriptors; when none is ready, virtual time passes instead of real time."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock
        self.watches_total = 0
        self.waits_total = 0
        self.has_event = False

    def watch(self, fd: int, events: int, callback: Callable[[int], None]) -> None:
        self.watches_total += 1

        def noted(ready: int) -> None:
            self.has_event = True
            callback(ready)

        super().watch(fd, events, noted)

    def wait(self, timeout_us: int) -> None:
        self.waits_total += 1
        self.has_event = False
        super().wait(0)
        if timeout_us > 0 and not self.has_event:
            super().wait(1_000)
            if not self.has_event:
                self.clock.advance(min(timeout_us, SECOND_US))


class Rig:
    """A scheduler with the socket loop and a listener on loopback; its peer is a plain socket or a stream."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        self.clock = VirtualClock()
        self.waiter = SteppingWaiter(self.clock)
        self.loop = SockLoop()
        self.scheduler = Scheduler(self.waiter, [SleepLoop(), self.loop], self.clock)
        host = "127.0.0.1" if family == socket.AF_INET else "::1"
        self.acceptor = SockAcceptor(socket.create_server((host, 0), family=family, backlog=64))
        self.address = self.acceptor.local

    def run(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run threads to their end; what each returned, in order. Raises what one of them raised."""
        threads = [self.scheduler.spawn(coroutine) for coroutine in coroutines]
        results: list[Any] = []

        async def join_all() -> None:
            for thread in threads:
                results.append(await sys_join(thread))
            self.scheduler.stop()

        watcher = self.scheduler.spawn(join_all())
        give_up_us = self.clock() + 3600 * SECOND_US
        while not watcher.has_ended and self.clock() < give_up_us:
            self.scheduler.run()
            if watcher.has_ended and len(results) < len(threads):
                raise watcher.inbox.error
        assert len(results) == len(threads), "a thread never ended"
        return results

    async def accept_with(self, client: socket.socket) -> SockStream:
        """Have a plain blocking socket connect, and accept it."""
        client.connect(self.address)
        return await self.acceptor.accept()

    async def pair(self) -> tuple[SockStream, SockStream]:
        """Two streams, each the other's peer."""
        ours = await SockConnector().connect(self.address)
        return ours, await self.acceptor.accept()


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.scheduler.close()
    made.waiter.close()


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket() as plain:
        plain.settimeout(5)
        yield plain


async def read_all(stream: SockStream) -> bytes:
    received = bytearray()
    while data := await stream.recv():
        received += data
    return bytes(received)


async def expect(error: type[BaseException], call: Awaitable[Any]) -> BaseException:
    with pytest.raises(error) as caught:
        await call
    return caught.value


def test_both_ways_at_once__more_than_the_buffers_hold__same_bytes(rig: Rig) -> None:
    there, back = os.urandom(9_000_000), os.urandom(7_000_000)

    async def talk() -> None:
        left, right = await rig.pair()

        async def send(stream: SockStream, data: bytes) -> None:
            await stream.send(data)
            await stream.shutdown()

        sends = [rig.scheduler.spawn(send(left, there)), rig.scheduler.spawn(send(right, back))]
        receive = rig.scheduler.spawn(read_all(left))
        assert await read_all(right) == there
        assert await sys_join(receive) == back
        for thread in sends:
            await sys_join(thread)
        await left.close()
        await right.close()

    rig.run(talk())
    assert rig.loop.statistics() == {
        "accepted_total": 1,
        "accept_pauses_total": 0,
        "connections": 0,
        "lingering": 0,
        "moved_in_total": 0,
        "moved_out_total": 0,
        "moved_lost_total": 0,
    }


def test_ipv6__addresses_of_both_ends() -> None:
    rig = Rig(socket.AF_INET6)

    async def talk() -> None:
        left, right = await rig.pair()
        assert left.peer == right.local == rig.address
        assert left.local == right.peer
        assert right.local[0] == "::1"

    rig.run(talk())
    rig.scheduler.close()


def test_requests_in_a_row__watched_once__timeout_armed_once(
    rig: Rig, client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes = []
    push = DeadlineHeap.push
    monkeypatch.setattr(DeadlineHeap, "push", lambda *args: pushes.append(args) or push(*args))

    async def serve() -> int:
        stream = await rig.accept_with(client)
        before = rig.waiter.watches_total
        client.sendall(b"ping")
        for _ in range(50):
            assert await stream.recv(65536, SECOND_US) == b"ping"
            await stream.send(b"pong", SECOND_US)
            assert client.recv(4) == b"pong"
            rig.clock.advance(1_000)
            await sys_yield()
            rig.scheduler.spawn(ping())
        return rig.waiter.watches_total - before

    async def ping() -> None:
        client.sendall(b"ping")

    (watches,) = rig.run(serve())
    assert watches == 1
    assert len(pushes) == 1


def test_data_and_fin_together__data_then_end(rig: Rig, client: socket.socket) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        assert await stream.recv(4) == b"last"
        assert await stream.recv() == b" words"
        assert await stream.recv() == b""
        assert await stream.recv() == b""
        await stream.send(b"still heard")
        assert client.recv(100) == b"still heard"

    rig.run(serve())


def test_data_and_fin_come_while_nobody_receives__data_then_end(rig: Rig, client: socket.socket) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        await expect(TimeoutError, stream.recv(10, 1_000))
        client.sendall(b"last words")
        client.shutdown(socket.SHUT_WR)
        await sys_sleep(10)
        assert await stream.recv(65536, SECOND_US) == b"last words"
        assert await stream.recv(65536, SECOND_US) == b""

    rig.run(serve())


def test_urgent_data__nothing_is_left_behind(rig: Rig, client: socket.socket) -> None:
    async def serve() -> bytes:
        stream = await rig.accept_with(client)

        async def push() -> None:
            client.send(b"before")
            client.send(b"!", socket.MSG_OOB)
            client.send(b"after")

        rig.scheduler.spawn(push())
        received = b""
        while not received.endswith(b"after"):
            received += await stream.recv(65536, 5 * SECOND_US)
        return received

    assert rig.run(serve()) == [b"beforeafter"]


def test_recv__nothing_comes__timeout__and_the_stream_is_still_usable(
    rig: Rig, client: socket.socket
) -> None:
    async def serve() -> int:
        stream = await rig.accept_with(client)
        started_us = rig.clock()
        await expect(TimeoutError, stream.recv(10, 3 * SECOND_US))
        waited_us = rig.clock() - started_us
        client.send(b"late")
        assert await stream.recv(10, SECOND_US) == b"late"
        return waited_us

    (waited_us,) = rig.run(serve())
    assert 3 * SECOND_US <= waited_us <= 3 * SECOND_US + 2_000


def test_recv__shorter_timeout_after_a_longer__is_kept(rig: Rig, client: socket.socket) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        rig.scheduler.spawn(later())
        assert await stream.recv(10, 1000 * SECOND_US) == b"x"
        for timeout_us in (5 * SECOND_US, SECOND_US, 7 * SECOND_US):
            started_us = rig.clock()
            await expect(TimeoutError, stream.recv(10, timeout_us))
            assert timeout_us <= rig.clock() - started_us <= timeout_us + 2_000

    async def later() -> None:
        client.send(b"x")

    rig.run(serve())


def test_send__peer_does_not_read__timeout(rig: Rig, client: socket.socket) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        await expect(TimeoutError, stream.send(bytes(FULL_PIPE), SECOND_US))
        client.send(b"ok")
        assert await stream.recv() == b"ok"

    rig.run(serve())


def test_recv_and_send_blocked__each_has_its_own_timeout(rig: Rig, client: socket.socket) -> None:
    async def serve() -> tuple[int, int]:
        stream = await rig.accept_with(client)
        started_us = rig.clock()

        async def times(call: Awaitable[Any]) -> int:
            await expect(TimeoutError, call)
            return rig.clock() - started_us

        sender = rig.scheduler.spawn(times(stream.send(bytes(FULL_PIPE), 2 * SECOND_US)))
        recv_us = await times(stream.recv(10, 5 * SECOND_US))
        return await sys_join(sender), recv_us

    ((send_us, recv_us),) = rig.run(serve())
    assert send_us // SECOND_US == 2
    assert recv_us // SECOND_US == 5


def test_close__threads_blocked_on_it__connection_aborted(rig: Rig, client: socket.socket) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        blocked = [
            rig.scheduler.spawn(expect(ConnectionAbortedError, stream.recv(10, SECOND_US))),
            rig.scheduler.spawn(expect(ConnectionAbortedError, stream.send(bytes(FULL_PIPE)))),
        ]
        await sys_sleep(10)
        await stream.close()
        for thread in blocked:
            await sys_join(thread)
        await stream.close()
        await stream.abort()
        for call in (stream.recv(), stream.send(b"x"), stream.shutdown(), stream.send_file(0, 0, 1)):
            await expect(ConnectionAbortedError, call)

    rig.run(serve())
    assert rig.loop.statistics()["connections"] == 0


def test_close__input_unread__what_was_sent_arrives__then_end(rig: Rig, client: socket.socket) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        client.sendall(b"never read" * 10_000)
        await stream.send(b"answer")
        await stream.close()
        assert rig.loop.statistics()["lingering"] == 1
        client.sendall(b"more of it")
        await sys_sleep(10)
        assert client.recv(100) == b"answer"
        assert client.recv(100) == b""
        client.close()
        await sys_sleep(10_000)

    rig.run(serve())
    assert rig.loop.statistics()["lingering"] == 0


def test_close__input_unread__peer_never_ends__closed_after_a_while(rig: Rig, client: socket.socket) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        client.send(b"never read")
        await stream.close()
        assert rig.loop.statistics()["lingering"] == 1
        await sys_sleep(LINGER_US + 10_000)
        assert rig.loop.statistics()["lingering"] == 0

    rig.run(serve())


def test_close__input_without_end__closed_at_the_bound(rig: Rig, client: socket.socket) -> None:
    client.setblocking(False)

    async def serve() -> None:
        client.connect_ex(rig.address)
        stream = await rig.acceptor.accept()
        client.send(bytes(1000))
        await stream.close()
        await expect(ConnectionError, flood())
        assert rig.loop.statistics()["lingering"] == 0

    async def flood() -> None:
        sent = 0
        while sent < 100 * LINGER_BYTES_MAX:
            with suppress(BlockingIOError):
                sent += client.send(bytes(STEP_BYTES))
            await sys_yield()

    rig.run(serve())


def test_peer_aborts__connection_reset_ever_after(rig: Rig) -> None:
    async def talk() -> None:
        left, right = await rig.pair()
        reader = rig.scheduler.spawn(expect(ConnectionResetError, right.recv()))
        await sys_sleep(10)
        await left.abort()
        await sys_join(reader)
        await expect(ConnectionResetError, right.send(b"x"))
        await expect(ConnectionResetError, right.recv())

    rig.run(talk())


def test_send_to_closed_peer__error_reaches_the_blocked_sender(rig: Rig, client: socket.socket) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        sender = rig.scheduler.spawn(expect(ConnectionResetError, stream.send(bytes(FULL_PIPE))))
        await sys_sleep(10)
        client.close()
        await sys_join(sender)

    rig.run(serve())


@pytest.mark.parametrize("side", ["recv", "send"])
def test_second_thread_on_the_same_side__misuse(rig: Rig, client: socket.socket, side: str) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        call = stream.recv() if side == "recv" else stream.send(bytes(FULL_PIPE))
        first = rig.scheduler.spawn(expect(ConnectionAbortedError, call))
        await sys_sleep(10)
        await expect(MisuseError, stream.recv() if side == "recv" else stream.send(b"x"))
        await stream.close()
        await sys_join(first)

    rig.run(serve())


def test_connect__nobody_listens__refused(rig: Rig) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    address = free.getsockname()
    free.close()
    rig.run(expect(ConnectionRefusedError, SockConnector().connect(address)))
    assert rig.loop.statistics()["connections"] == 0


def test_connect__within_this_machine__answered_at_once(rig: Rig) -> None:
    async def connects() -> bool:
        waits = rig.waiter.waits_total
        stream = await SockConnector().connect(rig.address)
        is_at_once = rig.waiter.waits_total == waits and not stream.is_watched
        await stream.send(b"hello")
        await (await rig.acceptor.accept()).send(b"back")
        assert await stream.recv() == b"back"
        return is_at_once

    assert rig.run(connects()) == [True]


def test_connect__no_answer__timeout(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first:
        # One connection fills a queue of length 0; the kernel drops the next SYN.
        first.connect(full.getsockname())
        connect = SockConnector().connect(full.getsockname(), SECOND_US)
        rig.run(expect(TimeoutError, connect))
    assert rig.loop.statistics()["connections"] == 0


@pytest.mark.parametrize(
    "address",
    [
        ("localhost", 80),
        ("", 80),
        ("127.0.0.1", 65536),
        ("127.0.0.1", -1),
        ("127.0.0.01", 80),
        ("127.1", 80),
        ("::g", 80),
        ("1\0", 80),
        ("\udc80", 80),
    ],
)
def test_connect__no_address__refused_before_any_call(address: tuple[str, int]) -> None:
    with pytest.raises(MisuseError, match=r"localhost|''|65536|-1|\.01|127\.1|::g|x00|udc80"):
        SockConnector().connect(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listen__port_of_the_kernel__is_known_and_connections_come(rig: Rig, host: str) -> None:
    async def talk() -> bytes:
        acceptor = listen((host, 0), backlog=3)
        assert acceptor.local[0] == host
        client = await SockConnector().connect(acceptor.local)
        server = await acceptor.accept()
        await server.send_last(b"welcome")
        await server.close()
        await acceptor.close()
        return await read_all(client)

    assert rig.run(talk()) == [b"welcome"]


def test_listen__ipv6_any__takes_ipv4_too(rig: Rig) -> None:
    async def talk() -> str:
        acceptor = listen(("::", 0))
        await SockConnector().connect(("127.0.0.1", acceptor.local[1]))
        return (await acceptor.accept()).peer[0]

    assert rig.run(talk()) == ["127.0.0.1"]


def test_listen__backlog__bounds_what_waits_to_be_accepted() -> None:
    acceptor = listen(("127.0.0.1", 0), backlog=0)
    clients = [socket.socket() for _ in range(3)]
    for client in clients:
        client.setblocking(False)
        client.connect_ex(acceptor.local)
    connected = [
        client for client in clients if client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1
    ]
    assert len(connected) == 1, "a queue of 0 holds one"
    for client in clients:
        client.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listen__port_taken__error_names_the_address(host: str) -> None:
    first = listen((host, 0))
    port = first.local[1]
    for reuse_port in (False, True):
        with pytest.raises(
            OSError, match=f"cannot listen on {host} port {port}: Address already in use"
        ) as caught:
            listen((host, port), reuse_port=reuse_port)
        assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_listen__reuse_port__both_get_connections(rig: Rig, host: str) -> None:
    async def accept_all(acceptor: SockAcceptor, counts: dict[SockAcceptor, int]) -> None:
        with suppress(ConnectionAbortedError):
            while True:
                stream = await acceptor.accept()
                counts[acceptor] = counts.get(acceptor, 0) + 1
                await stream.close()

    async def talk() -> list[int]:
        acceptors = [listen((host, 0), reuse_port=True)]
        acceptors.append(listen(acceptors[0].local, reuse_port=True))
        counts: dict[SockAcceptor, int] = {}
        threads = [await sys_fork(accept_all(acceptor, counts)) for acceptor in acceptors]
        for _ in range(40):  # all at one of them: once in 2**39 runs
            stream = await SockConnector().connect(acceptors[0].local)
            assert await stream.recv() == b""
            await stream.close()
        for acceptor, thread in zip(acceptors, threads, strict=True):
            await acceptor.close()
            await sys_join(thread)
        return list(counts.values())

    (counts,) = rig.run(talk())
    assert len(counts) == 2
    assert sum(counts) == 40


def test_listen__no_such_address__error_names_it() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1 port 0: Cannot assign") as caught:
        listen(("192.0.2.1", 0))
    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize("address", [("localhost", 80), ("127.0.0.1", 65536), ("127.0.0.1", -1)])
def test_listen__no_address__refused(address: tuple[str, int]) -> None:
    with pytest.raises(MisuseError, match=r"localhost|the port of address"):
        listen(address)


def test_accept__listener_closed__connection_aborted(rig: Rig) -> None:
    async def serve() -> None:
        blocked = [rig.scheduler.spawn(expect(ConnectionAbortedError, rig.acceptor.accept())) for _ in "ab"]
        await sys_sleep(10)
        await rig.acceptor.close()
        for thread in blocked:
            await sys_join(thread)
        await expect(ConnectionAbortedError, rig.acceptor.accept())
        await rig.acceptor.close()

    rig.run(serve())


def test_accept__many_waiting_threads__first_come_first_served(rig: Rig) -> None:
    order = []

    async def accepts(name: int) -> None:
        stream = await rig.acceptor.accept()
        order.append((name, await stream.recv()))

    async def connects() -> None:
        await sys_sleep(10)
        for number in range(3):
            stream = await SockConnector().connect(rig.address)
            await stream.send(b"%d" % number)

    rig.run(*(accepts(name) for name in range(3)), connects())
    assert sorted(order) == [(0, b"0"), (1, b"1"), (2, b"2")]


def test_accept__no_descriptor_left__rests_without_spinning__then_accepts(
    rig: Rig, client: socket.socket
) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    # What other tests left to the garbage collector must not give a descriptor back in the middle of it.
    gc.collect()
    client.connect(rig.address)
    late = socket.socket()

    async def serve() -> None:
        acceptance = rig.scheduler.spawn(accepts())
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free_fd(), limits[1]))
        try:
            waits = rig.waiter.waits_total
            await sys_sleep(ACCEPT_PAUSE_US // 2)
            pauses = rig.loop.statistics()["accept_pauses_total"]
            late.connect(rig.address)
            await sys_sleep(ACCEPT_PAUSE_US // 4)
            assert rig.loop.statistics()["accept_pauses_total"] == pauses, "it rests, whoever else comes"
            await sys_sleep(10 * ACCEPT_PAUSE_US)
            assert 5 <= rig.loop.statistics()["accept_pauses_total"] <= 11
            assert rig.waiter.waits_total - waits < 50
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await sys_join(acceptance)

    async def accepts() -> None:
        await sys_sleep(1)
        await rig.acceptor.accept()

    rig.run(serve())
    late.close()
    assert rig.loop.statistics()["accepted_total"] == 1


def lowest_free_fd() -> int:
    fd = os.dup(0)
    os.close(fd)
    return fd


def test_interrupt_receivers__draining_in_blocked_ones__recv_works_again(
    rig: Rig, client: socket.socket
) -> None:
    async def serve() -> None:
        stream = await rig.accept_with(client)
        blocked = rig.scheduler.spawn(expect(Draining, stream.recv(10, SECOND_US)))
        await sys_sleep(10)
        rig.loop.interrupt_receivers()
        await sys_join(blocked)
        client.send(b"the rest")
        assert await stream.recv(100, SECOND_US) == b"the rest"
        await sys_sleep(10 * SECOND_US)

    rig.run(serve())


def test_close_listener_loop__closes_every_socket(client: socket.socket) -> None:
    rig = Rig()
    rig.run(rig.accept_with(client))
    rig.scheduler.close()
    assert client.recv(10) == b""
    assert rig.loop.statistics()["connections"] == 0


@pytest.mark.parametrize("length", [0, 1, 100_000, 12_000_000])
def test_send_file__part_of_a_file__arrives(rig: Rig, length: int) -> None:
    content = os.urandom(length + 20)
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()

        async def talk() -> bytes:
            left, right = await rig.pair()
            reader = rig.scheduler.spawn(read_all(right))
            assert await left.send_file(file.fileno(), 10, length) == length
            await left.close()
            received: bytes = await sys_join(reader)
            return received

        assert rig.run(talk()) == [content[10 : 10 + length]]


def test_send_file__reader_keeps_up__other_threads_run_in_between(
    rig: Rig, client: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_in_a_row, longest = 0, 0
    sendfile = os.sendfile

    def counted(out_fd: int, in_fd: int, offset: int, length: int) -> int:
        nonlocal sent_in_a_row, longest
        sent = sendfile(out_fd, in_fd, offset, length)
        sent_in_a_row += sent
        longest = max(longest, sent_in_a_row)
        return sent

    async def others() -> None:
        nonlocal sent_in_a_row
        while not sender.has_ended:
            sent_in_a_row = 0
            await sys_yield()

    def drain() -> None:
        while client.recv(1 << 20):
            pass

    async def send(stream: SockStream, fd: int) -> int:
        return await stream.send_file(fd, 0, FULL_PIPE)

    monkeypatch.setattr(os, "sendfile", counted)
    with tempfile.TemporaryFile() as file:
        file.truncate(FULL_PIPE)
        reader = threading.Thread(target=drain)
        (stream,) = rig.run(rig.accept_with(client))
        reader.start()
        sender = rig.scheduler.spawn(send(stream, file.fileno()))
        rig.run(others())
        rig.scheduler.close()
        reader.join(5)
    assert sender.inbox == FULL_PIPE
    assert SENDFILE_BYTES_MAX // 2 < longest <= 2 * SENDFILE_BYTES_MAX


def test_send_file__file_has_shrunk__says_how_much_was_sent(rig: Rig) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"short")
        file.flush()

        async def talk() -> int:
            left, _right = await rig.pair()
            return await left.send_file(file.fileno(), 0, 1000)

        assert rig.run(talk()) == [5]


def test_send_file__peer_does_not_read__timeout(rig: Rig) -> None:
    with tempfile.TemporaryFile() as file:
        file.truncate(FULL_PIPE)

        async def talk() -> None:
            left, _right = await rig.pair()
            await expect(TimeoutError, left.send_file(file.fileno(), 0, FULL_PIPE, SECOND_US))

        rig.run(talk())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pieces=st.lists(st.binary(max_size=3000), max_size=12),
    reads=st.lists(st.integers(1, 4000), min_size=1, max_size=5),
)
def test_any_pieces_and_read_sizes__same_bytes(pieces: list[bytes], reads: list[int]) -> None:
    rig = Rig()

    async def talk() -> bytes:
        left, right = await rig.pair()

        async def send() -> None:
            for piece in pieces:
                await left.send(piece)
                await sys_yield()
            await left.close()

        sender = rig.scheduler.spawn(send())
        received, turn = bytearray(), 0
        while data := await right.recv(reads[turn % len(reads)], 5 * SECOND_US):
            assert len(data) <= reads[turn % len(reads)]
            received += data
            turn += 1
        await sys_join(sender)
        return bytes(received)

    assert rig.run(talk()) == [b"".join(pieces)]
    rig.scheduler.close()
    rig.waiter.close()


def test_printed__a_socket_that_is_not_connected__no_error() -> None:
    with socket.socket() as idle:
        assert repr(SockStream(idle)) == "<SockStream 0.0.0.0:0 to nobody>"


def test_with_block__whose_thread_is_closed__awaits_nothing_and_leaves_the_stream() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = SockStream(ours)

        async def holds() -> None:
            async with stream:
                await stream.recv()

        thread = holds()
        thread.send(None)
        thread.close()
        assert not stream.is_closed
