"""A server that is killed at any moment, and one that goes on: clients see every octet, in its place."""

from collections.abc import Callable
from typing import Any

import pytest

from gossamer.core.checkpoint_rows import memory_bytes, rows_in, write_slot
from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.continuing import Continuing, OpenNamed, Saved, Unsent
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.call import TcpConnect
from gossamer.core.loop.tcp.checkpoints import HALF_OPEN_MAX
from gossamer.core.records import replace
from gossamer.core.sim.device import MemorySink
from gossamer.core.sim.link import PERFECT, Faults
from gossamer.core.sim.network import Host, Network
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.calls import sys_fork, sys_sleep
from gossamer.core.threads.thread import Raise
from gossamer.core.wire.flow import Flow
from gossamer.ffi.packets import OutSegment

SERVER = ("10.0.0.2", 80)
ADDRESS = bytes((10, 0, 0, 2))
PARAMETERS = TcpParameters(syn_cookies="off", park_after_us=5 * SECOND_US)
ROWS = 4


class Killed(Exception):
    """The server's process is no more."""


class Memory(bytearray):
    """A memory whose writer may be killed in the midst of a write."""

    at_write: Callable[[], None] = staticmethod(lambda: None)

    def __setitem__(self, place, octets):  # type: ignore[no-untyped-def]
        half = place.start + len(octets) // 2
        super().__setitem__(slice(place.start, half), octets[: half - place.start])
        self.at_write()
        super().__setitem__(place, octets)


def answer(request: bytes) -> bytes:
    """What the server says to a request: so many octets, which no other request is answered by."""
    size = int(request.split()[0])
    return (b"%d." % size * (size + 1))[:size]


class NarrowSink(MemorySink):
    """A sink whose batches are small: one of `half` packets is half full, one of twice as many is sent."""

    def __init__(self, carry: Callable[[bytes], None], half: int) -> None:
        super().__init__(carry)
        self.half = half
        self.before_sending: Callable[[], None] = lambda: None

    @property
    def is_filling(self) -> bool:  # type: ignore[override]  # of one way it is a constant
        return len(self._batch) >= self.half

    def call_before_sending(self, call: Callable[[], None]) -> None:
        self.before_sending = call

    def emit(self, flow: Flow, segment: OutSegment, options: bytes = b"") -> None:
        if len(self._batch) >= 2 * self.half:
            self.flush()
        super().emit(flow, segment, options)

    def flush(self) -> int:
        self.before_sending()
        return super().flush()


class World(Network):
    """A client, and a server that is killed at one of the points where anything of it can be seen: a packet
    that it sends, a checkpoint that it writes."""

    def __init__(
        self,
        kill_at: int = -1,
        faults: Faults = PERFECT,
        seed: int = 0,
        parameters: TcpParameters = PARAMETERS,
        half: int = 0,
    ) -> None:
        """`half` is that of a `NarrowSink`; without it a batch has room for all of a turn."""
        super().__init__(faults, seed)
        self.half = half
        self.parameters = parameters
        self.points_total = 0
        self.kills_total = 0
        self.saved_total = 0
        self.was_covered = False
        """Whether there was ever a whole checkpoint before it was killed: until then nothing is promised."""
        self.pause_us = 0
        self.poison = b""
        self.kill_at = kill_at
        self.client = self.host(bytes((10, 0, 0, 1)), PARAMETERS)
        self.begin()

    def begin(self, left_behind: bytes = b"") -> None:
        """A new process of the server, with what is left of one that was killed."""
        # Of the secret that its predecessor had.
        self.server: Host = self.host(ADDRESS, self.parameters, self.make_sink)
        self.memory = Memory(memory_bytes(ROWS))
        self.memory.at_write = self.point
        self.idle = Idle(self.serve, 2_000, 60 * SECOND_US)
        loop = self.server.loop
        loop.saving.idle = self.idle
        loop.saving.continuing = Continuing(self.save, self.restore)
        self.acceptor = TcpAcceptor(loop, SERVER, self.parameters)
        self.server.spawn(self.accepts())
        kill_at, self.kill_at = self.kill_at, -1
        loop.keep_checkpoints(self.memory, write_slot)  # type: ignore[arg-type]
        if left_behind:
            loop.restore(memoryview(left_behind), wanted, fails)
        self.kill_at = kill_at if not left_behind else -1

    def make_sink(self, carry: Callable[[bytes], None]) -> MemorySink:
        return NarrowSink(carry, self.half) if self.half else MemorySink(carry)

    async def accepts(self) -> None:
        while True:
            await sys_fork(self.serve(await self.acceptor.accept()))

    def save(self, stream: TcpStream, unsent: Unsent) -> Saved | None:
        """What is left of an answer; nothing goes on in the midst of a request."""
        assert isinstance(unsent, bytes)
        self.saved_total += bool(unsent)
        return Saved(unsent) if stream.recv_thread is None else None

    async def restore(self, stream: TcpStream, state: bytes, _open: OpenNamed) -> None:
        await stream.send(state)
        await self.serve(stream)

    async def serve(self, stream: TcpStream) -> None:
        while data := await stream.recv_idle(self.idle):
            if data == self.poison:
                self.kill_at = self.points_total
                await sys_sleep(SECOND_US)
            while not data.endswith(b"\n"):
                data += await stream.recv(2_000)
            if self.pause_us:
                await sys_sleep(self.pause_us)
            await stream.send(b"".join(map(answer, data.splitlines())))
        await stream.close()

    def carry(self, packet: bytes) -> None:
        if packet[12:16] == ADDRESS:
            self.point()
        super().carry(packet)

    def point(self) -> None:
        self.points_total += 1
        self.was_covered |= any(rows_in(memoryview(self.memory)))
        if self.points_total - 1 == self.kill_at:
            raise Killed

    def play(self, talk: Any) -> Any:
        """Run until the client has said all, the server killed when it is time."""
        thread = self.client.spawn(talk)
        while not thread.has_ended:
            try:
                self.run(thread, for_us=100 * SECOND_US)
                assert thread.has_ended, "the client waits for ever"
            except Killed:
                self.kills_total += 1
                self.begin(bytes(self.memory))
        if isinstance(thread.inbox, Raise):
            raise thread.inbox.error
        return thread.inbox


def wanted(_flow: Flow) -> bool:
    return True


def fails(error: Exception) -> None:
    raise error


async def connect(port: int = 50_001) -> TcpStream:
    stream: Any = await TcpConnect(("10.0.0.1", port), SERVER, NEVER_US, TcpStream)
    assert isinstance(stream, TcpStream)
    return stream


async def ask(stream: TcpStream, *requests: bytes) -> bytes:
    """Send requests together, and have all answers."""
    await stream.send(b"".join(requests))
    wanted_bytes, received = sum(len(answer(each)) for each in requests), b""
    while len(received) < wanted_bytes:
        data = await stream.recv(70_000)
        assert data, "the server has closed"
        received += data
    return received


BURSTS = (
    (b"6\n",),
    (b"3000\n",),
    (b"50\n", b"700\n"),
    (b"20000\n",),
    (b"9 " + b"x" * 2_500 + b"\n",),
    (b"1\n",),
)


async def talk() -> bool:
    """Requests of many kinds, each answered as if nothing had happened."""
    stream = await connect()
    for requests in BURSTS:
        assert await ask(stream, *requests) == b"".join(map(answer, requests))
    await stream.shutdown()
    assert await stream.recv(1) == b""
    return True


def points_of(pause_us: int) -> int:
    world = World()
    world.pause_us = pause_us
    assert world.play(talk()) is True
    points = world.points_total
    world.run(for_us=SECOND_US)
    assert list(rows_in(memoryview(world.memory))) == [], "what is over leaves nothing"
    return points


@pytest.mark.parametrize("pause_us", [0, 3_000, 90_000], ids=["at_once", "soon", "after_an_ack"])
def test_killed_at_every_point__the_client_sees_nothing_of_it(pause_us: int) -> None:
    points = points_of(pause_us)
    covered = 0
    for point in range(points):
        world = World(point)
        world.pause_us = pause_us
        try:
            assert world.play(talk()) is True
        except ConnectionResetError:
            assert not world.was_covered, f"lost, for it was killed at point {point}"
        assert world.kills_total == 1
        covered += world.was_covered
    assert covered > 30


@pytest.mark.parametrize("seed", range(3))
def test_killed_over_a_bad_wire__every_octet_in_its_place(seed: int) -> None:
    faults = Faults(loss=0.05, duplicate=0.05, reorder=0.1, jitter_us=4_000)
    for point in range(8, 60, 9):
        world = World(point, faults, seed)
        world.pause_us = 3_000
        assert world.play(talk()) is True
        assert world.was_covered


async def talk_at_length() -> bool:
    """An answer that finds no room in the send buffer, and a request that comes before it is over."""
    stream = await connect()
    await stream.send(b"18000\n")
    await sys_sleep(7_000)
    await stream.send(b"5\n")
    received = b""
    while len(received) < 18_005:
        data = await stream.recv(70_000)
        assert data
        received += data
    assert received == answer(b"18000\n") + answer(b"5\n")
    return True


NARROW = replace(PARAMETERS, send_buffer_bytes=4_096)


def test_killed_in_the_midst_of_an_answer__the_rest_follows_in_its_place() -> None:
    whole = World(parameters=NARROW)
    assert whole.play(talk_at_length()) is True
    assert whole.saved_total
    for point in range(6, whole.points_total):
        world = World(point, parameters=NARROW)
        assert world.play(talk_at_length()) is True
        assert world.was_covered


async def ask_for_much() -> bool:
    """An answer of many steps, each of more packets than a batch has room for."""
    stream = await connect()
    for request in (b"6\n", b"20000\n", b"5\n"):
        assert await ask(stream, request) == answer(request)
    return True


@pytest.mark.parametrize("half", [1, 2])
def test_killed_in_the_midst_of_a_step__the_rest_follows(half: int) -> None:
    whole = World(parameters=NARROW, half=half)
    assert whole.play(ask_for_much()) is True
    for point in range(10, whole.points_total):
        world = World(point, parameters=NARROW, half=half)
        assert world.play(ask_for_much()) is True, f"killed at point {point}"


async def talk_together() -> bool:
    """Several clients at once: what they are told is more than a batch has room for."""
    streams = [await connect(50_001 + number) for number in range(ROWS)]
    for sizes in ((700, 700, 700, 700), (11_000, 6, 11_000, 5_000), (6, 18_000, 18_000, 11_000)):
        for stream, size in zip(streams, sizes, strict=True):
            await stream.send(b"%d\n" % size)
        for stream, size in zip(streams, sizes, strict=True):
            received = b""
            while len(received) < size:
                data = await stream.recv(70_000)
                assert data
                received += data
            assert received == answer(b"%d\n" % size)
    return True


@pytest.mark.parametrize(
    ("parameters", "half"), [(PARAMETERS, 12), (NARROW, 12), (NARROW, 3)], ids=["at_once", "narrow", "small"]
)
def test_killed_between_batches_of_a_turn__none_is_lost(half: int, parameters: TcpParameters) -> None:
    """A step emits no more than half a batch, as nearly all do."""
    whole = World(parameters=parameters, half=half)
    assert whole.play(talk_together()) is True
    kills = 0
    for point in range(4 * ROWS, whole.points_total):
        world = World(point, parameters=parameters, half=half)
        assert world.play(talk_together()) is True, f"killed at point {point}"
        kills += world.kills_total
    assert kills > 80


def test_what_kills_two__is_not_restored_again() -> None:
    world = World()
    world.poison = b"13\n"

    async def kill() -> None:
        stream = await connect()
        await ask(stream, b"6\n")
        await ask(stream, world.poison)

    with pytest.raises(ConnectionResetError):
        world.play(kill())
    assert world.kills_total == 2


async def two_requests() -> bool:
    stream = await connect()
    await ask(stream, b"6\n")
    await sys_sleep(30 * SECOND_US)
    await ask(stream, b"7\n")
    return True


def test_parked__killed__answers_the_next_request() -> None:
    world = World()
    thread = world.client.spawn(two_requests())
    world.run(thread, for_us=20 * SECOND_US)
    assert world.server.statistics["parked"] == 1
    world.begin(bytes(world.memory))
    assert world.server.statistics["restored_total"] == 1
    world.run(thread, for_us=60 * SECOND_US)
    assert thread.inbox is True


def test_value_too_large__not_covered_and_counted() -> None:
    world = World()

    async def large() -> bool:
        stream = await connect()
        await ask(stream, b"6\n")
        assert world.server.statistics["checkpoints"] == 1
        await ask(stream, b"90000\n")
        assert world.server.statistics["checkpoints_refused_total"] > 0
        await ask(stream, b"7\n")
        assert world.server.statistics["checkpoints"] == 1
        return True

    assert world.play(large()) is True


async def connect_and_ask_at_once() -> bool:
    """The ACK that ends the handshake comes together with the first request, or a moment before it."""
    for pause_us in (0, 30_000):
        stream = await connect()
        await sys_sleep(pause_us)
        await ask(stream, b"6\n")
        await stream.shutdown()
        assert await stream.recv(1) == b""
        await sys_sleep(SECOND_US)
    return True


def test_half_open__killed_as_it_is_answered__goes_on() -> None:
    """From the moment on that its SYN-ACK has left."""
    whole = World()
    assert whole.play(connect_and_ask_at_once()) is True
    covered = 0
    for point in range(whole.points_total):
        world = World(point)
        assert world.play(connect_and_ask_at_once()) is True
        covered += world.was_covered
    assert covered >= whole.points_total - 6, "but for the first write, which was not whole"


class Unheard(World):
    """Nothing that the server says arrives."""

    def carry(self, packet: bytes) -> None:
        if packet[12:16] != ADDRESS:
            super().carry(packet)


def test_half_open__more_than_some__none_is_written() -> None:
    """In a flood of SYNs."""
    world = Unheard()
    for port in range(40_000, 40_000 + 2 * HALF_OPEN_MAX):
        world.client.spawn(connect(port))
    world.run(for_us=10 * SECOND_US)
    statistics = world.server.statistics
    assert statistics["half_open"] == 2 * HALF_OPEN_MAX
    assert statistics["checkpoints"] == ROWS
    assert statistics["checkpoints_refused_total"] == HALF_OPEN_MAX - ROWS, "no more is tried"


def test_half_open_by_a_cookie__killed__goes_on() -> None:
    """Nothing is kept of it, and all who serve know each other's cookies."""
    always = replace(PARAMETERS, syn_cookies="always")
    whole = World(parameters=always)
    assert whole.play(connect_and_ask_at_once()) is True
    for point in range(whole.points_total):
        world = World(point, parameters=always)
        assert world.play(connect_and_ask_at_once()) is True
        assert world.kills_total == 1
