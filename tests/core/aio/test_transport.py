"""The contract of asyncio's transports: the same over kernel sockets and over the functional TCP, asyncio's
own transports and ours."""

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .rigs import RIGS, FunctionalRig, KernelRig

BIG = os.urandom(1 << 22)
"""More than the buffers of both ends hold."""

Rig = KernelRig | FunctionalRig


@pytest.fixture(params=RIGS, ids=lambda kind: kind.__name__)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    made: Rig = request.param()
    yield made
    made.close()


class Recorder(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.data = bytearray()
        self.transport: Any = None
        self.error: BaseException | None = None
        self.loop = asyncio.get_running_loop()
        self.lost = self.loop.create_future()
        self.changed = asyncio.Event()

    def note(self, what: str) -> None:
        self.said.append(what)
        self.changed.set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.note("data")

    def eof_received(self) -> bool | None:
        self.note("eof")
        return None

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.error = exc
        self.note("lost")
        if not self.lost.done():
            self.lost.set_result(exc)

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something that it is told makes it so."""
        while not holds():
            self.changed.clear()
            await self.changed.wait()


class Echo(Recorder):
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(data)


class Deaf(Recorder):
    """Reads nothing until it is told to."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.pause_reading()
        self.loop.call_later(0.05, transport.resume_reading)


class Made:
    """A factory that knows what it made."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make
        self.all: list[Any] = []

    def __call__(self) -> Any:
        made = self.make()
        self.all.append(made)
        return made

    async def first(self) -> Any:
        """The first one, once it has its connection."""
        while not self.all or self.all[0].transport is None:
            await asyncio.sleep(0.001)
        return self.all[0]


def test_echo__order_of_calls(rig: Rig) -> None:
    server = Made(Echo)

    async def client(loop: Any, address: Any) -> list[str]:
        transport, mine = await loop.create_connection(Recorder, *address)
        transport.write(b"hel")
        transport.writelines([b"lo", bytearray(b", "), memoryview(b"you")])
        await mine.until(lambda: mine.data == b"hello, you")
        assert not transport.is_closing()
        transport.close()
        assert transport.is_closing()
        transport.close()
        assert await mine.lost is None
        theirs = await server.first()
        await theirs.until(lambda: "lost" in theirs.said)
        assert list(dict.fromkeys(theirs.said)) == ["made", "data", "eof", "lost"]
        return list(dict.fromkeys(mine.said))

    assert rig.run(server, client) == ["made", "data", "lost"]


def test_get_extra_info__names_of_both_ends(rig: Rig) -> None:
    server = Made(Recorder)

    async def client(loop: Any, address: Any) -> None:
        transport, _ = await loop.create_connection(Recorder, *address)
        theirs = (await server.first()).transport
        assert transport.get_extra_info("peername") == address == theirs.get_extra_info("sockname")
        assert transport.get_extra_info("sockname") == theirs.get_extra_info("peername")
        sock = transport.get_extra_info("socket")
        assert sock.getsockname() == transport.get_extra_info("sockname")
        assert sock.getpeername() == address
        assert transport.get_extra_info("nothing", 7) == 7
        transport.close()

    rig.run(server, client)


def test_write_eof__half_close_and_the_answer_still_comes(rig: Rig) -> None:
    class AnswersAtEof(Recorder):
        def eof_received(self) -> bool:
            self.note("eof")
            self.transport.write(bytes(reversed(self.data)))
            self.loop.call_later(0.001, self.transport.close)
            return True

    async def client(loop: Any, address: Any) -> bytes:
        transport, mine = await loop.create_connection(Recorder, *address)
        assert transport.can_write_eof()
        transport.write(b"abc")
        transport.write_eof()
        transport.write_eof()
        with pytest.raises(RuntimeError, match=r"write_eof\(\)"):
            transport.write(b"more")
        await mine.lost
        return bytes(mine.data)

    assert rig.run(AnswersAtEof, client) == b"cba"


def test_water_marks__paused_above_the_high_resumed_below_the_low(rig: Rig) -> None:
    server = Made(Deaf)

    async def client(loop: Any, address: Any) -> list[str]:
        transport, mine = await loop.create_connection(Recorder, *address)
        transport.set_write_buffer_limits(high=100_000)
        assert transport.get_write_buffer_limits() == (25_000, 100_000)
        with pytest.raises(ValueError, match="high"):
            transport.set_write_buffer_limits(high=1, low=2)
        assert transport.get_write_buffer_size() == 0
        transport.write(BIG)
        transport.write(BIG)
        assert transport.get_write_buffer_size() > 100_000
        await mine.until(lambda: "resume" in mine.said)
        assert transport.get_write_buffer_size() <= 25_000
        transport.close()
        await mine.lost
        theirs = await server.first()
        await theirs.until(lambda: "lost" in theirs.said)
        assert theirs.data == BIG + BIG
        return list(mine.said)

    assert rig.run(server, client) == ["made", "pause", "resume", "lost"]


def test_close__what_is_buffered_is_delivered_first(rig: Rig) -> None:
    server = Made(Deaf)

    async def client(loop: Any, address: Any) -> None:
        transport, mine = await loop.create_connection(Recorder, *address)
        transport.write(BIG)
        transport.close()
        transport.write_eof()
        assert await mine.lost is None
        theirs = await server.first()
        await theirs.until(lambda: "lost" in theirs.said)
        assert theirs.data == BIG

    rig.run(server, client)


def test_abort__at_once_and_what_is_buffered_is_lost(rig: Rig) -> None:
    server = Made(Deaf)

    async def client(loop: Any, address: Any) -> None:
        transport, mine = await loop.create_connection(Recorder, *address)
        transport.write(BIG)
        transport.abort()
        assert transport.is_closing()
        assert transport.get_write_buffer_size() == 0
        transport.write(b"to nobody")
        assert await mine.lost is None
        theirs = await server.first()
        await theirs.until(lambda: "lost" in theirs.said)
        assert len(theirs.data) < len(BIG)

    rig.run(server, client)


@pytest.mark.parametrize("ends", ["close", "abort"])
def test_ended_within_resume_writing__connection_lost_once(rig: Rig, ends: str) -> None:
    class Ends(Recorder):
        def resume_writing(self) -> None:
            super().resume_writing()
            getattr(self.transport, ends)()

    async def client(loop: Any, address: Any) -> list[str]:
        transport, mine = await loop.create_connection(Ends, *address)
        transport.write(BIG)
        await mine.lost
        await asyncio.sleep(0.01)
        return list(mine.said)

    assert rig.run(Deaf, client) == ["made", "pause", "resume", "lost"]


def test_buffered_protocol_that_pauses_amid__nothing_is_lost_or_exchanged(rig: Rig) -> None:
    class Sips(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(5000)
            self.data = bytearray()
            self.transport: Any = None
            self.is_lost = False
            self.loop = asyncio.get_running_loop()

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def get_buffer(self, _sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.data += self.buffer[:nbytes]
            self.transport.pause_reading()
            self.loop.call_soon(self.transport.resume_reading)

        def connection_lost(self, exc: BaseException | None) -> None:
            self.is_lost = exc is None

    server = Made(Sips)

    async def client(loop: Any, address: Any) -> None:
        transport, _ = await loop.create_connection(Recorder, *address)
        transport.write(BIG[:1_000_000])
        transport.close()
        theirs = await server.first()
        while not theirs.is_lost:
            await asyncio.sleep(0.001)
        assert theirs.data == BIG[:1_000_000]

    rig.run(server, client)


def test_pause_reading__nothing_is_told_until_resumed(rig: Rig) -> None:
    server = Made(Recorder)

    async def client(loop: Any, address: Any) -> None:
        transport, _ = await loop.create_connection(Recorder, *address)
        theirs = await server.first()
        assert theirs.transport.is_reading()
        theirs.transport.pause_reading()
        theirs.transport.pause_reading()
        assert not theirs.transport.is_reading()
        transport.write(b"patience")
        transport.write_eof()
        await asyncio.sleep(0.01)
        assert theirs.said == ["made"]
        theirs.transport.resume_reading()
        await theirs.until(lambda: "lost" in theirs.said)
        assert theirs.data == b"patience"

    rig.run(server, client)


def test_pause_reading_within_data_received__the_rest_waits(rig: Rig) -> None:
    class Sips(Recorder):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()
            self.loop.call_later(0.0005, self.transport.resume_reading)

    server = Made(Sips)

    async def client(loop: Any, address: Any) -> None:
        transport, mine = await loop.create_connection(Recorder, *address)
        transport.write(BIG)
        transport.write_eof()
        await mine.lost
        theirs = await server.first()
        assert theirs.data == BIG

    rig.run(server, client)


def test_buffered_protocol__fills_its_own_buffer(rig: Rig) -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(1000)
            self.data = bytearray()
            self.transport: Any = None
            self.is_lost = False

        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def get_buffer(self, _sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            assert 0 < nbytes <= 1000
            self.data += self.buffer[:nbytes]

        def connection_lost(self, exc: BaseException | None) -> None:
            self.is_lost = exc is None

    server = Made(Buffered)

    async def client(loop: Any, address: Any) -> None:
        transport, _ = await loop.create_connection(Recorder, *address)
        transport.write(BIG[:100_000])
        transport.close()
        theirs = await server.first()
        while not theirs.is_lost:
            await asyncio.sleep(0.001)
        assert theirs.data == BIG[:100_000]

    rig.run(server, client)


@pytest.mark.parametrize("where", ["data_received", "eof_received"])
def test_protocol_raises__connection_lost_with_it_and_told(rig: Rig, where: str) -> None:
    def fails(_self: Any, *_arguments: Any) -> None:
        raise LookupError(where)

    server = Made(type("Fails", (Recorder,), {where: fails}))
    told: list[Any] = []

    async def client(loop: Any, address: Any) -> None:
        transport, mine = await loop.create_connection(Recorder, *address)
        theirs = await server.first()
        theirs.loop.set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        transport.write(b"x")
        transport.write_eof()
        await theirs.until(lambda: "lost" in theirs.said)
        assert isinstance(theirs.error, LookupError)
        await mine.lost

    rig.run(server, client)
    assert [str(error) for error in told] == [where]


def test_reset_by_peer__connection_lost_with_it(rig: Rig) -> None:
    server = Made(Recorder)

    async def client(loop: Any, address: Any) -> None:
        transport, mine = await loop.create_connection(Recorder, *address)
        theirs = await server.first()
        if rig.is_ours:
            theirs.transport.abort()
        else:
            # asyncio's own abort lets the kernel send a FIN.
            theirs.transport.get_extra_info("socket").setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
            theirs.transport.abort()
        error = await mine.lost
        assert isinstance(error, ConnectionResetError)
        assert transport.is_closing()

    rig.run(server, client)


def test_wrong_data__type_error(rig: Rig) -> None:
    async def client(loop: Any, address: Any) -> None:
        transport, _ = await loop.create_connection(Recorder, *address)
        with pytest.raises(TypeError, match="bytes-like"):
            transport.write("text")
        transport.write(b"")
        transport.close()

    rig.run(Recorder, client)


def test_set_protocol__the_next_is_told(rig: Rig) -> None:
    async def client(loop: Any, address: Any) -> None:
        transport, first = await loop.create_connection(Recorder, *address)
        second = Recorder()
        assert transport.get_protocol() is first
        transport.set_protocol(second)
        assert transport.get_protocol() is second
        transport.write(b"to the second")
        await second.until(lambda: second.data == b"to the second")
        assert not first.data
        transport.close()
        await second.lost

    rig.run(Echo, client)


def test_streams__readers_and_writers_with_drain(rig: Rig) -> None:
    async def client(loop: Any, address: Any) -> None:
        reader = asyncio.StreamReader(loop=loop)
        transport, protocol = await loop.create_connection(
            lambda: asyncio.StreamReaderProtocol(reader), *address
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)

        async def send() -> None:
            for at in range(0, len(BIG), 100_000):
                writer.write(BIG[at : at + 100_000])
                await writer.drain()

        _, received = await asyncio.gather(send(), reader.readexactly(len(BIG)))
        assert received == BIG
        writer.close()
        await writer.wait_closed()

    rig.run(Echo, client)


@pytest.mark.parametrize("fallback", [True, False])
def test_sendfile__a_part_of_a_file(rig: Rig, tmp_path: Path, fallback: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(BIG)
    server = Made(Recorder)

    async def client(loop: Any, address: Any) -> None:
        transport, mine = await loop.create_connection(Recorder, *address)
        transport.write(b"head")
        with path.open("rb") as file:
            sent = await loop.sendfile(transport, file, 1000, 2_000_000, fallback=fallback)
            assert sent == 2_000_000
            assert file.tell() == 2_001_000
        transport.write(b"tail")
        transport.close()
        await mine.lost
        theirs = await server.first()
        await theirs.until(lambda: "lost" in theirs.said)
        assert theirs.data == b"head" + BIG[1000:2_001_000] + b"tail"

    rig.run(server, client)


def test_connection_refused__os_error(rig: Rig) -> None:
    async def client(loop: Any, address: Any) -> None:
        host, port = address
        elsewhere = host, port + 1 if rig.is_ours and isinstance(rig, FunctionalRig) else 1
        if isinstance(rig, FunctionalRig):
            with loop.on_stack(rig.stacks[0], {elsewhere}), pytest.raises(ConnectionRefusedError):
                await loop.create_connection(Recorder, *elsewhere)
        else:
            with pytest.raises(ConnectionRefusedError):
                await loop.create_connection(Recorder, *elsewhere)

    rig.run(Recorder, client)


def test_server__closed__refuses_and_waits(rig: Rig) -> None:
    server = Made(Echo)

    async def client(loop: Any, address: Any) -> None:
        transport, mine = await loop.create_connection(Recorder, *address)
        theirs = await server.first()
        attached = theirs.transport._server
        assert attached.is_serving()
        attached.close()
        assert attached.sockets == ()
        transport.write(b"still there")
        await mine.until(lambda: mine.data == b"still there")
        transport.close()
        await theirs.until(lambda: "lost" in theirs.said)
        if not isinstance(rig, FunctionalRig):  # whose server waits in another loop
            await attached.wait_closed()

    rig.run(server, client)


def test_drain_of_the_worker__an_idle_connection_stays(rig: Rig) -> None:
    async def client(loop: Any, address: Any) -> None:
        transport, mine = await loop.create_connection(Recorder, *address)
        await asyncio.sleep(0.01)
        rig.drain()
        await asyncio.sleep(0.01)
        transport.write(b"still there")
        await mine.until(lambda: mine.data == b"still there")
        transport.close()
        await mine.lost

    rig.run(Echo, client)


@pytest.mark.parametrize("begins", ["tls", "start_tls"])
def test_tls__over_the_transport(rig: Rig, certificate: Path, begins: str) -> None:
    contexts = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(cafile=certificate),
    )
    contexts[0].load_cert_chain(certificate)

    class Upgrades(Echo):
        """Says that it will, then goes on over TLS."""

        is_upgraded = False

        def data_received(self, data: bytes) -> None:
            if data == b"STARTTLS" and self.transport.get_extra_info("ssl_object") is None:
                self.transport.write(b"OK")
                self.task = self.loop.create_task(self.upgrade())
            else:
                super().data_received(data)

        async def upgrade(self) -> None:
            self.transport = await self.loop.start_tls(self.transport, self, contexts[0], server_side=True)
            self.is_upgraded = True

    server = Made(Upgrades)

    async def client(loop: Any, address: Any) -> None:
        if begins == "tls":
            transport, mine = await loop.create_connection(
                Recorder, *address, ssl=contexts[1], server_hostname="localhost"
            )
        else:
            transport, mine = await loop.create_connection(Recorder, *address)
            transport.write(b"STARTTLS")
            await mine.until(lambda: mine.data == b"OK")
            mine.data.clear()
            transport = await loop.start_tls(transport, mine, contexts[1], server_hostname="localhost")
            theirs = await server.first()
            while not theirs.is_upgraded:
                await asyncio.sleep(0.001)
        assert transport.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert transport.get_extra_info("peername") == address
        transport.write(BIG[:300_000])
        await mine.until(lambda: len(mine.data) == 300_000)
        assert mine.data == BIG[:300_000]
        transport.close()
        await mine.lost

    if begins == "tls":
        rig.run(Echo, client, ssl=contexts[0])
    else:
        rig.run(server, client)
