"""Queues that go from one worker to another over a link: what rests moves, what does not is reached there."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from gossamer.core.clock import VirtualClock
from gossamer.core.io.tcpsock import TcpAcceptor, TcpStream
from gossamer.core.loop.continuing import Continuing, NamedFile, OpenNamed, Saved, identity_in
from gossamer.core.loop.fd.loop import FdLoop
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.records import replace
from gossamer.core.sim.crowd import SERVER, CrowdSink, CrowdSource, flow_of, opening
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.parked import unpack
from gossamer.core.threads.calls import sys_fork
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.icmp import V4_UNREACHABLE, IcmpMessage
from gossamer.core.wire.segment import ACK, PSH, Segment
from gossamer.shards.moving.handover import Giver, Taker
from gossamer.shards.moving.link import WorkerLink
from gossamer.shards.moving.mobility import Mobility

from .looking import LookingWaiter

QUEUE = 100
FURTHER, NOWHERE = 104, 105
PARAMETERS = TcpParameters(syn_cookies="off")
TURNS_MAX = 3_000


class Shard:
    """A worker as far as queues move: a loop, what it serves, and one source that all shards have in turn."""

    def __init__(self, clock: VirtualClock, source: CrowdSource) -> None:
        self.idle = Idle(self.serve, 1_000)
        self.seen: list[bytes] = []
        self.is_busy = False
        self.sink = CrowdSink(source, clock, b"?")
        self.loop = TcpLoop(None, self.sink, PARAMETERS, clock)
        waiter = LookingWaiter(clock, {source.fd: source})
        self.scheduler = Scheduler(waiter, [self.loop, SleepLoop(), FdLoop()], clock)
        waiter.stop = self.scheduler.stop
        self.mobility = Mobility(self.loop, lambda _fd: source)
        self.mobility.loop.saving.idle = self.idle
        self.acceptor = TcpAcceptor(self.loop, SERVER, PARAMETERS)
        self.scheduler.spawn(self.accepts())
        self.is_serving = False

    async def accepts(self) -> None:
        while True:
            await sys_fork(self.serve(await self.acceptor.accept()))

    async def serve(self, stream: TcpStream) -> None:
        while True:
            data = await (stream.recv(1_000) if self.is_busy else stream.recv_idle(self.idle))
            self.seen.append(data)
            await stream.send(b"!" + data)

    def reads(self) -> None:
        self.is_serving = True

    def can_be_saved(self) -> None:
        """From now on what its threads are about can go on elsewhere."""
        self.mobility.loop.saving.continuing = Continuing(
            lambda _stream, _unsent: Saved(b"saved"), self.goes_on
        )

    async def goes_on(self, stream: TcpStream, state: bytes, _open_named: OpenNamed) -> None:
        self.seen.append(state)
        await self.serve(stream)


class Workers:
    """Two of them, and the clients of the first."""

    def __init__(self, clients: int, *, is_busy: bool = False) -> None:
        self.clock, self.source = VirtualClock(), CrowdSource()
        self.old, self.new = Shard(self.clock, self.source), Shard(self.clock, self.source)
        self.old.is_busy = is_busy
        self.old.mobility.add(QUEUE, self.spare())
        for number in range(clients):
            self.source.put(flow_of(number, *SERVER), opening(number, self.old.sink.ts_val()))
        self.until(lambda: len(self.old.seen) == clients)
        for _ in range(5):
            self.turn()
        here, there = socket.socketpair()
        self.link, self.far_link = WorkerLink(here), WorkerLink(there)
        self.giver = Giver(self.old.mobility, self.link, (QUEUE,))
        self.taker = Taker(self.new.mobility, self.far_link, {QUEUE: (self.spare(),)})

    @staticmethod
    def spare() -> int:
        """A descriptor for a queue that is closed with it."""
        one, other = socket.socketpair()
        other.close()
        return one.detach()

    def turn(self) -> None:
        self.old.scheduler.run()
        self.new.scheduler.run()

    def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(TURNS_MAX):
            if condition():
                return
            self.turn()
        raise AssertionError("it never comes to that")

    def give(self) -> Thread[bool]:
        for work in (self.link.write(), self.giver.hear()):
            self.old.scheduler.spawn(work)
        return self.old.scheduler.spawn(self.giver.give())

    def take(self) -> None:
        self.new.scheduler.spawn(self.far_link.write())
        self.new.scheduler.spawn(self.taker.take(self.new.reads))

    def ask(self, number: int, shard: Shard) -> None:
        """A client asks again; its packet waits in the queue."""
        self.source.put(flow_of(number, *SERVER), self.question(number, shard))

    def question(self, number: int, shard: Shard) -> Segment:
        """What a client of that shard says when it asks again."""
        flow = flow_of(number, *SERVER)
        parked, connection = shard.loop._demux.parked.get(flow), shard.loop._demux.find(flow)
        if parked is not None:
            tcb = unpack(parked.numbers, parked.records, parked.parameters)
        else:
            assert connection is not None
            assert connection.tcb is not None
            tcb = connection.tcb
        seq, ack = tcb.rcv_nxt, tcb.snd_nxt
        return Segment(seq, ack, ACK | PSH, 500, shard.sink.ts_val(), 0, b"ask")


def test_given__all_that_rests_moves__and_a_packet_that_waited_is_answered_there() -> None:
    workers = Workers(200)
    question = workers.question(7, workers.old)
    given = workers.give()
    workers.turn()
    workers.source.put(flow_of(7, *SERVER), question)
    workers.take()
    workers.until(lambda: given.has_ended)
    assert given.inbox is True
    assert workers.new.is_serving
    assert (workers.old.loop.connections, workers.new.loop.connections) == (0, 200)
    workers.until(lambda: workers.new.seen == [b"ask"])
    assert workers.giver.look() == 0
    assert workers.new.sink.reset_total == workers.old.sink.reset_total == 0


def test_given__before_the_queue_has_come__comes_first_and_then_goes() -> None:
    workers = Workers(2)
    workers.old.mobility.expect((FURTHER,))
    workers.giver = Giver(workers.old.mobility, workers.link, (FURTHER, NOWHERE))
    given = workers.give()
    workers.take()
    workers.turn()
    assert not workers.new.is_serving
    workers.old.mobility.add(FURTHER, workers.spare())
    workers.until(lambda: given.has_ended)
    assert given.inbox is True
    assert (workers.old.mobility.queues, workers.new.is_serving) == ((QUEUE,), True)


def test_busy__stays__is_reached_over_the_link_and_moves_when_it_rests() -> None:
    workers = Workers(2, is_busy=True)
    given = workers.give()
    workers.take()
    workers.until(lambda: given.has_ended)
    assert workers.old.loop.connections == 2
    workers.old.is_busy = False
    workers.ask(0, workers.old)
    workers.until(lambda: workers.old.seen[2:] == [b"ask"])
    assert workers.giver.look() == 1
    workers.until(lambda: workers.new.loop.connections == 1)
    workers.ask(0, workers.new)
    workers.until(lambda: workers.new.seen == [b"ask"])
    assert workers.new.sink.reset_total == workers.old.sink.reset_total == 0


def test_busy__whose_thread_can_be_saved__goes_on_there_at_once() -> None:
    workers = Workers(2, is_busy=True)
    workers.old.can_be_saved()
    workers.new.can_be_saved()
    given = workers.give()
    workers.take()
    workers.until(lambda: given.has_ended)
    workers.until(lambda: workers.new.seen == [b"saved"] * 2)
    assert workers.old.scheduler.statistics()["threads"] == 3  # who accepts, and those of the link
    workers.ask(1, workers.new)
    workers.until(lambda: workers.new.seen[2:] == [b"ask"])
    assert workers.new.sink.reset_total == workers.old.sink.reset_total == 0


def test_busy__saved_and_nobody_knows_how_to_go_on__reset_and_counted() -> None:
    workers = Workers(1, is_busy=True)
    workers.old.can_be_saved()
    given = workers.give()
    workers.take()
    workers.until(lambda: given.has_ended)
    workers.until(lambda: workers.new.loop.statistics()["moved_lost_total"] == 1)
    assert (workers.new.sink.reset_total, workers.new.loop.connections) == (1, 0)


def test_file__comes_once_before_its_connections__and_is_closed_with_the_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    named = NamedFile("/file", identity_in(os.fstat(fd)))
    workers = Workers(3)
    workers.giver._files.announce(named, fd)
    workers.giver._files.announce(named, fd)
    given = workers.give()
    workers.take()
    workers.until(lambda: given.has_ended)
    held = workers.new.mobility.moving.handed._held
    assert os.path.sameopenfile(held[named.identity], fd)
    workers.old.scheduler.spawn(workers.giver.finish())
    workers.until(lambda: not held)
    assert not workers.far_link._fds
    os.close(fd)


def test_nobodys__asked_for_there_and_reset_here() -> None:
    workers = Workers(1, is_busy=True)
    given = workers.give()
    workers.take()
    workers.until(lambda: given.has_ended)
    workers.source.put(flow_of(9, *SERVER), Segment(1, 2, ACK, 500, 1, 0))
    workers.until(lambda: workers.new.sink.reset_total == 1)
    assert workers.old.sink.reset_total == 0


def test_icmp_error__reaches_a_connection_that_stayed__or_is_dropped_once() -> None:
    workers = Workers(1, is_busy=True)
    given = workers.give()
    workers.take()
    workers.until(lambda: given.has_ended)
    workers.old.sink.is_deaf = True
    workers.ask(0, workers.old)
    workers.until(lambda: workers.old.seen[1:] == [b"ask"])
    connection = workers.old.loop._demux.find(flow_of(0, *SERVER))
    assert connection is not None
    assert connection.tcb is not None
    error = IcmpMessage(flow_of(0, *SERVER), V4_UNREACHABLE, 1, connection.tcb.snd_una, 0)
    river = workers.new.loop.river
    river.take_error(error, river.hand_on_error)
    workers.until(lambda: connection.tcb is not None and connection.tcb.soft_error is not None)
    river.take_error(replace(error, flow=flow_of(9, *SERVER)), river.hand_on_error)
    workers.until(lambda: workers.new.loop.statistics()["drop_icmp_ignored"] == 1)
    assert workers.old.loop.statistics()["drop_icmp_ignored"] == 0


def test_taker_dies_before_it_has_taken__all_is_as_it_was() -> None:
    workers = Workers(100)
    given = workers.give()
    workers.new.scheduler.spawn(workers.far_link.close())
    workers.until(lambda: given.has_ended)
    assert given.inbox is False
    assert workers.old.loop.connections == 100
    workers.ask(5, workers.old)
    workers.until(lambda: workers.old.seen[100:] == [b"ask"])


def test_taker_dies__what_was_saved_goes_on_here() -> None:
    workers = Workers(1, is_busy=True)
    workers.old.can_be_saved()
    given = workers.give()
    workers.new.scheduler.spawn(workers.far_link.close())
    workers.until(lambda: given.has_ended)
    workers.ask(0, workers.old)
    workers.until(lambda: workers.old.seen[1:] == [b"saved", b"ask"])


def test_giver_dies__the_queue_is_read_all_the_same() -> None:
    workers = Workers(0)
    workers.old.mobility.leave_alone((QUEUE,))
    workers.take()
    workers.old.scheduler.spawn(workers.link.close())
    workers.until(lambda: workers.new.is_serving)
    workers.source.put(flow_of(1, *SERVER), opening(1, 5))
    workers.until(lambda: workers.new.seen == [b"?"])
    assert workers.new.mobility.predecessors == []
