"""The queues that a worker has: read, left alone, read again, given up."""

import os

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.io.tcpsock import TcpAcceptor
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.sim.crowd import SERVER, CrowdSink, CrowdSource, flow_of
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.wire.segment import SYN, Segment, SynOptions
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
