"""Parked connections: what ends their rest finds them as they were, and no timer is lost over it."""

import errno
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.errors import Draining
from gossamer.core.io.tcpsock import TcpStream
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.parking import RESOLUTION_US
from gossamer.core.sim.crowd import SERVER, CrowdedServer, flow_of
from gossamer.core.tcp.events import IcmpError, Report
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import State
from gossamer.core.threads.calls import sys_fork, sys_join, sys_park
from gossamer.core.threads.cancel import CancelScope
from gossamer.core.wire.segment import ACK, FIN, PSH, RST, Segment

AFTER_US = 5 * SECOND_US
KEEP_ALIVE_US = 60 * SECOND_US
PARAMETERS = TcpParameters(syn_cookies="off", park_after_us=AFTER_US)
FLOW = flow_of(0, *SERVER)


class Site:
    """What serves: by threads that may be dismissed, or by others."""

    def __init__(self, *, is_idle: bool) -> None:
        self.idle = Idle(self.serve, 1_000, KEEP_ALIVE_US)
        self.is_idle = is_idle
        self.seen: list[object] = []
        self.streams: list[TcpStream] = []

    async def serve(self, stream: TcpStream) -> None:
        self.streams.append(stream)
        try:
            while True:
                wait = stream.recv_idle(self.idle) if self.is_idle else stream.recv(1_000, KEEP_ALIVE_US)
                data = await wait
                self.seen.append(data)
                if not data:
                    break
                await stream.send(b"!" + data)
        except (OSError, Draining) as error:
            self.seen.append(type(error))
        await stream.close()


class World:
    """A server with one client, at rest."""

    def __init__(self, serve: Callable[[TcpStream], Coroutine[Any, Any, None]], **changed: Any) -> None:
        parameters = TcpParameters(syn_cookies="off", **{"park_after_us": AFTER_US, **changed})
        self.server = CrowdedServer(serve, parameters)
        self.server.open(1)
        tcb = self.tcb
        self.seq, self.ack = tcb.rcv_nxt, tcb.snd_nxt
        self.server.rest(2 * AFTER_US)

    @property
    def tcb(self) -> Any:
        connection = self.server.loop._demux.connections.get(FLOW)
        return connection.tcb if connection is not None else None

    @property
    def parked(self) -> int:
        return self.server.loop.statistics()["parked"]

    @property
    def threads(self) -> int:
        return self.server.scheduler.statistics()["threads"] - 1  # but for who accepts

    def says(self, payload: bytes = b"", flags: int = ACK | PSH, *, seq: int = 0) -> None:
        server = self.server
        server.source.put(
            FLOW, Segment(self.seq + seq, self.ack, flags, 500, server.sink.ts_val(), 0, payload)
        )
        self.seq += len(payload)
        server.settle()

    def asks(self, payload: bytes) -> None:
        before = self.server.sink.answered_total
        self.says(payload)
        assert self.server.sink.answered_total == before + 1
        self.ack += 1 + len(payload)

    def does(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        thread = self.server.scheduler.spawn(coroutine)
        self.server.settle()
        assert thread.has_ended
        return thread.inbox


@pytest.fixture(params=[True, False], ids=["dismissed", "asleep"])
def site(request: pytest.FixtureRequest) -> Site:
    return Site(is_idle=request.param)


def test_idle__parked__a_thread_only_where_it_was_not_dismissed(site: Site) -> None:
    world = World(site.serve)
    assert (world.parked, world.server.loop.connections, world.tcb) == (1, 1, None)
    assert world.threads == (0 if site.is_idle else 1)


def test_parked__request__answered_and_parked_again(site: Site) -> None:
    world = World(site.serve)
    for number in range(3):
        world.asks(b"ask %d" % number)
        assert (world.parked, world.threads) == (0, 1)
        world.server.rest(2 * AFTER_US)
        assert world.parked == 1
    assert site.seen == [b"?", b"ask 0", b"ask 1", b"ask 2"]
    assert len(site.streams) == (4 if site.is_idle else 1)
    assert world.server.loop.statistics()["parked_total"] == 4


def test_busy__never_parked(site: Site) -> None:
    world = World(site.serve, park_after_us=3 * AFTER_US)
    for number in range(20):
        world.asks(b"ask %d" % number)
        world.server.rest(AFTER_US // 2)
    assert world.server.loop.statistics()["parked_total"] == 0


def test_parked__keepalive_probe_of_the_peer__answered__rests_on_till_its_time(site: Site) -> None:
    world = World(site.serve)
    for _ in range(8):
        sent = world.server.loop.statistics()["packets_out_total"]
        world.says(flags=ACK, seq=-1)  # RFC 9293 3.8.4: SEG.SEQ = SND.NXT-1
        world.server.rest(AFTER_US)
        assert world.server.loop.statistics()["packets_out_total"] == sent + 1
        assert world.threads == (0 if site.is_idle else 1)
    world.server.rest(KEEP_ALIVE_US - 10 * AFTER_US + RESOLUTION_US)
    assert world.server.sink.closed_total == 1


def test_parked__time_over__closed_in_time(site: Site) -> None:
    world = World(site.serve)
    world.server.rest(KEEP_ALIVE_US - 2 * AFTER_US - SECOND_US)
    assert world.server.sink.closed_total == 0
    world.server.rest(SECOND_US + RESOLUTION_US)
    assert world.server.sink.closed_total == 1
    assert world.server.loop.connections == 0
    assert site.seen == [b"?", TimeoutError]
    assert world.threads == 0


def test_parked__reset__gone(site: Site) -> None:
    world = World(site.serve)
    world.says(flags=RST)
    assert world.server.loop.connections == 0
    assert site.seen == ([b"?"] if site.is_idle else [b"?", ConnectionResetError])
    assert world.threads == 0


def test_parked__peer_closes__end_of_stream_is_read(site: Site) -> None:
    world = World(site.serve)
    world.says(flags=ACK | FIN)
    assert site.seen == [b"?", b""]
    assert (world.server.loop.connections, world.threads) == (0, 0)


def test_parked__out_of_order__the_thread_waits_again(site: Site) -> None:
    world = World(site.serve)
    world.says(b"b", seq=1)
    assert (world.parked, world.threads) == (0, 1)
    world.seq -= 1
    world.says(b"a")
    assert b"".join(each for each in site.seen[1:] if isinstance(each, bytes)) == b"ab"


def test_parked__syn__challenged_and_rests_on(site: Site) -> None:
    world = World(site.serve)
    sent = world.server.loop.statistics()["packets_out_total"]
    world.server.source.put(FLOW, Segment(1, 0, 2, 500, world.server.sink.ts_val()))
    world.server.settle()
    assert world.server.loop.statistics()["packets_out_total"] == sent + 1
    assert world.server.loop.connections == 1


def test_parked__drain__closed(site: Site) -> None:
    world = World(site.serve)
    world.server.loop.interrupt_receivers()
    world.server.settle()
    assert (world.server.loop.connections, world.threads) == (0, 0)
    assert site.seen == [b"?", Draining]


def test_parked__counts_against_the_bound(site: Site) -> None:
    world = World(site.serve, connections_max=1)
    world.server.open(1, first=1)
    assert world.server.loop.statistics()["drop_connections_full"] == 1


def test_parked__probes_of_ours__sent_in_their_time__dead_peer_found(site: Site) -> None:
    world = World(
        site.serve, keepalive_idle_us=20 * SECOND_US, keepalive_interval_us=SECOND_US, keepalive_probes=2
    )
    assert world.parked == 1
    # The crowd answers no probe: it says nothing to an ACK without text.
    world.server.rest(30 * SECOND_US)
    assert (world.server.loop.connections, world.threads) == (0, 0)


def test_parked__icmp_error__does_not_end_it(site: Site) -> None:
    world = World(site.serve)
    error = IcmpError(int(world.ack), Report.SOFT, world.server.clock())
    world.server.loop._parking.happens(FLOW, error)
    world.asks(b"more")
    assert site.seen == [b"?", b"more"]


# Calls of other threads on one whose thread is asleep.


async def calls_options(stream: TcpStream) -> object:
    return await stream.options()


async def calls_info(stream: TcpStream) -> object:
    return (await stream.info()).tcpi_state


async def calls_send(stream: TcpStream) -> object:
    return await stream.send(b"news")


async def calls_send_file(stream: TcpStream) -> object:
    with open(__file__, "rb") as file:
        return await stream.send_file(file.fileno(), 0, 500)


async def calls_shutdown(stream: TcpStream) -> object:
    return await stream.shutdown()


async def calls_abort(stream: TcpStream) -> object:
    return await stream.abort()


async def calls_close(stream: TcpStream) -> object:
    return await stream.close()


@pytest.mark.parametrize(
    "call", [calls_options, calls_info, calls_send, calls_send_file, calls_shutdown, calls_abort, calls_close]
)
def test_asleep__call_of_another_thread__as_on_one_awake(
    call: Callable[[TcpStream], Coroutine[Any, Any, object]],
) -> None:
    found = []
    for after_us in (AFTER_US, 1_000 * SECOND_US):
        site = Site(is_idle=False)
        world = World(site.serve, park_after_us=after_us)
        assert world.parked == (after_us == AFTER_US)
        answer = world.does(call(site.streams[0]))
        sink = world.server.sink
        found.append((answer, site.seen, sink.answered_total, sink.closed_total, sink.reset_total))
        assert world.parked == 0
    assert repr(found[0]) == repr(found[1])


def test_asleep__cancelled__wakes_and_receives_again() -> None:
    seen: list[object] = []
    scopes: list[CancelScope] = []

    async def serve(stream: TcpStream) -> None:
        await stream.recv(10)
        await stream.send(b"!")
        with CancelScope() as scope:
            scopes.append(scope)
            await stream.recv(10)
        seen.append(scope.cancelled_caught)
        seen.append(await stream.recv(10))
        await stream.send(b"!!")

    world = World(serve)
    assert world.parked == 1

    async def cancels() -> None:
        scopes[0].cancel()

    world.does(cancels())
    assert seen == [True]
    assert world.tcb.state is State.ESTABLISHED
    world.ack = int(world.tcb.snd_nxt)
    world.says(b"x")
    assert seen == [True, b"x"]


async def _in_a_scope(serve: Coroutine[Any, Any, None]) -> None:
    with CancelScope():
        await serve


async def _joined(serve: Coroutine[Any, Any, None]) -> None:
    await sys_join(await sys_fork(serve))


async def _with_variables(serve: Coroutine[Any, Any, None]) -> None:
    await sys_fork(serve, context=copy_context())


@pytest.mark.parametrize("around", [_in_a_scope, _joined, _with_variables])
def test_idle__somebody_needs_the_thread__it_stays(around: Any) -> None:
    site = Site(is_idle=True)
    world = World(lambda stream: around(site.serve(stream)))
    assert world.parked == 1
    assert world.threads >= 1
    world.asks(b"more")
    assert len(site.streams) == 1


def test_dismissed__stream_that_somebody_kept__is_over() -> None:
    site = Site(is_idle=True)
    world = World(site.serve)
    raised = world.does(calls_send(site.streams[0]))
    assert raised.error.errno == errno.EPIPE
    assert (world.parked, world.server.loop.connections) == (1, 1)


def test_dismissed__thread_that_blocks_in_its_end__logged_and_the_connection_rests(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def serve(stream: TcpStream) -> None:
        try:
            while await stream.recv_idle(Idle(serve, 10)):
                await stream.send(b"!")
        finally:
            await sys_park([])  # type: ignore[arg-type]

    world = World(serve)
    assert (world.parked, world.threads) == (1, 0)
    assert "was ended by an error" in caplog.text


def test_blocked_in_send__not_parked() -> None:
    async def serve(stream: TcpStream) -> None:
        await stream.recv(10)
        await sys_fork(receives(stream))
        await stream.send(b"x" * 500_000)

    async def receives(stream: TcpStream) -> None:
        await stream.recv(10)

    server = CrowdedServer(serve, TcpParameters(park_after_us=AFTER_US, send_buffer_bytes=4096))
    server.sink.is_deaf = True
    server.open(1)
    server.rest(4 * AFTER_US)
    assert server.loop.statistics()["parked"] == 0


def test_idle__after_a_retransmission__parked() -> None:
    site = Site(is_idle=True)
    server = CrowdedServer(site.serve, PARAMETERS)
    server.sink.is_deaf = True
    server.open(1)
    server.rest(2 * SECOND_US)
    server.sink.is_deaf = False
    server.rest(4 * AFTER_US)
    assert server.loop.statistics()["retransmits_total"] > 0
    assert server.loop.statistics()["parked"] == 1
