"""Connections that move from one loop to another: there they are what they were, whatever they were doing."""

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.core.errors import Draining
from gossamer.core.io.tcpsock import TcpStream
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.moved import MovedConnection, Standing
from gossamer.core.sim.crowd import SERVER, CrowdedServer, flow_of, opening
from gossamer.core.tcp.events import SetBuffers
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.segment import ACK, PSH, Segment

FLOW = flow_of(0, *SERVER)
KEEP_ALIVE_US = 60 * SECOND_US
PARAMETERS = TcpParameters(syn_cookies="off", park_after_us=5 * SECOND_US)


class EchoSite:
    """Answers each request; its idle threads may be dismissed."""

    def __init__(self) -> None:
        self.idle = Idle(self.serve, 1_000, KEEP_ALIVE_US)
        self.seen: list[object] = []
        self.peers: list[object] = []
        self.announced = b""
        self.holds = False

    async def serve(self, stream: TcpStream) -> None:
        if self.announced:
            stream.announce(self.announced)
            self.announced = b""
        try:
            while True:
                self.peers.append(stream.peer)
                data = await (stream.recv(1_000) if self.holds else stream.recv_idle(self.idle))
                self.seen.append(data)
                if not data:
                    break
                await stream.send(b"!" + data)
        except (OSError, Draining) as error:
            self.seen.append(type(error))
        await stream.close()


class Move:
    """Two servers of one port, one client, and what it knows of its connection."""

    def __init__(self) -> None:
        self.sites = (EchoSite(), EchoSite())
        self.old = CrowdedServer(self.sites[0].serve, PARAMETERS)
        self.new = CrowdedServer(self.sites[1].serve, PARAMETERS, clock=self.old.clock)
        for server, site in zip((self.old, self.new), self.sites, strict=True):
            server.loop.saving.idle = site.idle
            server.settle()  # Who accepts has begun, whether anybody comes or not.

    def open(self) -> None:
        self.old.open(1)
        self.note()

    def note(self) -> None:
        tcb = self.old.loop._demux.connections[FLOW].tcb
        assert tcb is not None
        self.seq, self.ack = tcb.rcv_nxt, tcb.snd_nxt

    def move(self) -> MovedConnection:
        moved = self.old.loop.moving.leave(FLOW)
        assert moved is not None
        assert not self.old.loop.moving.has(FLOW)
        self.new.loop.moving.adopt(moved)
        self.new.settle()
        return moved

    def says(self, server: CrowdedServer, payload: bytes, flags: int = ACK | PSH) -> None:
        times = (server.sink.ts_val(), 0)
        server.source.put(FLOW, Segment(self.seq, self.ack, flags, 500, *times, payload))
        self.seq += len(payload)
        server.settle()


@pytest.fixture
def world() -> Move:
    return Move()


@pytest.mark.parametrize("rest_us", [0, SECOND_US, 20 * SECOND_US], ids=["at_once", "awake", "parked"])
def test_resting__moved__the_next_request_is_answered_there(world: Move, rest_us: int) -> None:
    world.open()
    world.old.rest(rest_us)
    moved = world.move()
    assert moved.place is Standing.RESTING
    assert world.old.scheduler.statistics()["threads"] == 1  # who accepts
    assert world.new.scheduler.statistics()["threads"] == 1  # nobody waits for it
    world.says(world.new, b"ask")
    assert (world.sites[0].seen, world.sites[1].seen) == ([b"?"], [b"ask"])
    assert world.new.sink.answered_total == 1
    assert world.old.loop.connections == 0
    assert world.new.loop.connections == 1


@pytest.mark.parametrize("rest_us", [0, 20 * SECOND_US], ids=["awake", "parked"])
def test_announced__its_peer_is_whom_the_proxy_named__parked_and_moved_too(world: Move, rest_us: int) -> None:
    named = ("192.0.2.7", 4711)
    world.sites[0].announced = pack_flow(("198.51.100.1", 443), named)
    world.open()
    world.old.rest(rest_us)
    world.says(world.old, b"ask")
    world.old.rest(rest_us)
    moved = world.move()
    assert moved.announced == pack_flow(("198.51.100.1", 443), named)
    world.says(world.new, b"ask")
    world.new.rest(rest_us)
    world.says(world.new, b"ask")
    assert (world.sites[0].seen, world.sites[1].seen) == ([b"?", b"ask"], [b"ask", b"ask"])
    assert {*world.sites[0].peers, *world.sites[1].peers} == {named}


def test_resting__what_is_not_acknowledged_moves_too_and_is_sent_again(world: Move) -> None:
    world.open()
    world.old.sink.is_deaf = True
    world.says(world.old, b"ask")
    world.move()
    assert world.new.scheduler.statistics()["threads"] == 2  # one waits for the next request
    world.new.rest(5 * SECOND_US)
    assert world.new.sink.answered_total == 1
    assert world.new.loop.moving.leave(FLOW) is not None


def test_resting__its_time_ends_when_it_would_have(world: Move) -> None:
    world.open()
    world.old.rest(20 * SECOND_US)
    world.move()
    world.new.rest(KEEP_ALIVE_US - 22 * SECOND_US)
    assert world.new.loop.connections == 1
    world.new.rest(3 * SECOND_US)
    assert (world.sites[1].seen, world.new.loop.connections) == ([TimeoutError], 0)


def test_resting__its_buffers_were_small_for_want_of_memory__as_configured_there(world: Move) -> None:
    world.open()
    world.old.loop._connections.step(
        world.old.loop._demux.connections[FLOW], SetBuffers(1 << 14, 1 << 14, world.old.clock())
    )
    world.move()
    connection = world.new.loop._demux.connections[FLOW]
    assert connection.tcb is not None
    parameters = connection.tcb.agreed.parameters
    assert parameters.send_buffer_bytes == PARAMETERS.send_buffer_bytes
    assert parameters.receive_buffer_bytes == PARAMETERS.receive_buffer_bytes
    world.says(world.new, b"ask")
    assert world.sites[1].seen == [b"ask"]


def test_busy__stays_until_it_rests(world: Move) -> None:
    world.sites[0].holds = True
    world.open()
    assert world.old.loop.moving.leave(FLOW) is None
    world.sites[0].holds = False
    world.says(world.old, b"ask")
    world.move()


def test_half_open__moved__its_handshake_ends_there(world: Move) -> None:
    world.old.sink.source = world.new.source
    world.old.source.put(FLOW, opening(0, world.old.sink.ts_val()))
    world.old.settle()
    assert world.old.loop.statistics()["half_open"] == 1
    assert world.move().place is Standing.HALF_OPEN
    world.new.settle()
    assert world.sites[1].seen == [b"?"]


def test_time_wait__moved__still_there(world: Move) -> None:
    world.sites[0].idle = Idle(world.sites[0].serve, 1_000, SECOND_US)
    world.open()
    world.old.rest(2 * SECOND_US)
    assert world.old.loop.statistics()["time_wait"] == 1
    assert world.move().place is Standing.TIME_WAIT
    assert world.new.loop.statistics()["time_wait"] == 1


def test_closed__moved__its_end_is_answered_there(world: Move) -> None:
    world.sites[0].idle = Idle(world.sites[0].serve, 1_000, SECOND_US)
    world.open()
    world.old.sink.is_deaf = True
    assert world.old.loop.connections == 1
    world.old.clock.advance(2 * SECOND_US)
    world.old.turn()
    while world.old.scheduler.statistics()["ready"]:
        world.old.turn()
    assert world.sites[0].seen == [b"?", TimeoutError]
    assert world.old.loop.has_in_flight()
    assert world.move().place is Standing.CLOSED
    assert world.new.loop.has_in_flight()
    assert world.old.sink.closed_total == 1


def everything(server: CrowdedServer) -> list[MovedConnection]:
    found = (server.loop.moving.leave(flow) for flow in tuple(server.loop.moving.flows()))
    return [moved for moved in found if moved is not None]


def test_many__all_move_and_share_their_parameters(world: Move) -> None:
    world.old.open(200)
    for moved in everything(world.old):
        world.new.loop.moving.adopt(moved)
    assert (world.old.loop.connections, world.new.loop.connections) == (0, 200)
    assert world.new.loop.statistics()["moved_in_total"] == 200
    parked = world.new.loop._demux.parked.values()
    assert len({id(each.parameters) for each in parked}) == 1


def test_adopted__beyond_the_bound__reset(world: Move) -> None:
    world.old.open(3)
    world.new.loop._demux.connections_max = 2
    for moved in everything(world.old):
        world.new.loop.moving.adopt(moved)
    world.new.settle()
    assert (world.new.loop.connections, world.new.sink.reset_total) == (2, 1)


def test_stray__handed_on_but_for_what_opens(world: Move) -> None:
    handed: list[bytes] = []

    def hand_on(flow: bytes, _segment: Segment) -> None:
        handed.append(flow)

    world.open()
    world.new.loop.river.hand_on = hand_on
    world.says(world.new, b"ask")
    assert (handed, world.new.sink.reset_total) == ([FLOW], 0)
    world.new.open(1, first=1)
    assert (handed, world.new.loop.connections) == ([FLOW], 1)


def test_stray__that_comes_back__is_reset_as_ever(world: Move) -> None:
    world.open()
    world.new.loop.river.hand_on = lambda flow, segment: world.new.loop.river.take(flow, segment)
    world.says(world.new, b"ask")
    assert world.new.sink.reset_total == 1
