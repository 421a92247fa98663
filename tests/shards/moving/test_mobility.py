"""The queues that a worker has: read, left alone, read again, given up."""

import os

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.io.tcpsock import TcpAcceptor
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.sim.crowd import SERVER, CrowdSink, CrowdSource, flow_of
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.wire.segment import ACK, SYN, Segment, SynOptions
from gossamer.shards.moving.link import HandedOn, WorkerLink, packet_of
from gossamer.shards.moving.mobility import Mobility

from .looking import LookingWaiter

QUEUE = 100
PARAMETERS = TcpParameters(syn_cookies="off")


def test_queue__with_another_for_its_syns__both_rest_are_read_again_and_are_closed() -> None:
    clock, fds = VirtualClock(), [os.open("/dev/null", os.O_RDONLY) for _ in range(2)]
    sources = {fd: CrowdSource() for fd in fds}
    for fd, source in sources.items():
        source.fd = fd
    loop = TcpLoop(None, CrowdSink(CrowdSource(), clock, b"?"), PARAMETERS, clock)
    waiter = LookingWaiter(clock, dict(sources))
    Scheduler(waiter, [loop], clock)
    TcpAcceptor(loop, SERVER, PARAMETERS)
    mobility = Mobility(loop, sources.__getitem__)
    mobility.add(QUEUE, *fds)
    packets, handshakes = sources.values()
    number, syn = 0, Segment(1, 0, SYN, 1_000, 5, syn_options=SynOptions(1460, 7, True))

    def opened() -> int:
        nonlocal number
        number += 1
        handshakes.put(flow_of(number, *SERVER), syn)
        before = loop.statistics()["half_open"]
        waiter.wait(0)
        loop.turn(clock())
        return loop.statistics()["half_open"] - before

    assert opened() == 1
    mobility.leave_alone((QUEUE,))
    assert opened() == 0
    mobility.read_again((QUEUE,))
    assert opened() == 2
    assert not len(packets)
    mobility.give_up((QUEUE,))
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


class Link(WorkerLink):
    """A link of which only what is posted is looked at."""

    def __init__(self) -> None:
        self.posted: list[object] = []
        self.waiting_bytes = 0

    def post(self, message: object) -> None:
        self.posted.append(message)


class Chain:
    """A worker in the midst of a chain, without a connection."""

    def __init__(self) -> None:
        clock = VirtualClock()
        self.sink = CrowdSink(CrowdSource(), clock, b"?")
        self.loop = TcpLoop(None, self.sink, PARAMETERS, clock)
        Scheduler(LookingWaiter(clock, {}), [self.loop], clock)
        self.mobility = Mobility(self.loop, lambda _fd: CrowdSource())
        self.below, self.beside, self.above, self.elsewhere = (Link() for _ in range(4))
        self.mobility.join_predecessor(self.below)
        self.mobility.join_predecessor(self.beside)
        self.packet: HandedOn = packet_of(flow_of(1, *SERVER), Segment(1, 2, ACK, 500, 1, 0))

    def resets(self) -> int:
        self.loop.turn(0)
        return self.sink.reset_total


def test_route__nobody_below_has_it__goes_up_to_who_has_its_queue() -> None:
    """What it is for may have passed it on its way up: a RST would end that."""
    chain = Chain()
    mobility, packet = chain.mobility, chain.packet
    mobility.successors[chain.elsewhere] = lambda _flow: False
    mobility.successors[chain.above] = lambda flow: flow == packet.flow
    mobility.route(packet, chain.above)
    assert chain.below.posted == [packet]
    mobility.route(packet, chain.below)
    assert (chain.beside.posted, chain.above.posted) == ([packet], [])
    mobility.route(packet, chain.beside)
    assert (chain.above.posted, chain.elsewhere.posted, chain.resets()) == ([packet], [], 0)


def test_route__nobody_at_all_has_it__refused() -> None:
    chain = Chain()
    chain.mobility.route(chain.packet, chain.beside)
    assert (chain.below.posted, chain.resets()) == ([], 1)
