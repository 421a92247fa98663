"""Many idle connections: draining, and the loop's end, take them a bounded number in a turn."""

import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.errors import Draining
from gossamer.core.io.tcpsock import TcpStream
from gossamer.core.loop.interrupting import INTERRUPTED_MAX
from gossamer.core.loop.streamcall import Idle
from gossamer.core.loop.tcp.connections import CLOSED_MAX
from gossamer.core.sim.crowd import CrowdedServer
from gossamer.core.tcp.parameters import TcpParameters

AFTER_US = 5 * SECOND_US


def parameters(park_after_us: int) -> TcpParameters:
    return TcpParameters(syn_cookies="off", time_wait_max=100, park_after_us=park_after_us)


async def serves(stream: TcpStream) -> None:
    idle = Idle(serves, 1_000, 600 * SECOND_US)
    try:
        while await stream.recv_idle(idle):
            await stream.send(b"!")
    except Draining:
        pass
    await stream.close()


@pytest.mark.parametrize("park_after_us", [NEVER_US, AFTER_US], ids=["awake", "parked"])
def test_drain__many_idle__so_many_in_a_turn__all_closed(park_after_us: int) -> None:
    count = 4_000
    server = CrowdedServer(serves, parameters(park_after_us))
    server.open(count)
    server.rest(2 * AFTER_US)
    assert server.loop.statistics()["parked"] == (0 if park_after_us == NEVER_US else count)
    server.loop.interrupt_receivers()
    closed_before = turns = most_ready = 0
    while server.loop.connections:
        server.turn()
        turns += 1
        assert server.sink.closed_total - closed_before <= 2 * INTERRUPTED_MAX
        closed_before = server.sink.closed_total
        most_ready = max(most_ready, server.scheduler.statistics()["ready"])
        assert turns < count
    assert most_ready <= 2 * INTERRUPTED_MAX
    assert (server.sink.closed_total, server.sink.reset_total) == (count, 0)


@pytest.mark.parametrize("park_after_us", [NEVER_US, AFTER_US], ids=["awake", "parked"])
def test_close__more_than_its_bound__so_many_reset(park_after_us: int) -> None:
    server = CrowdedServer(serves, parameters(park_after_us))
    server.open(CLOSED_MAX + 100)
    server.rest(2 * AFTER_US)
    server.loop.close()
    assert server.sink.reset_total == CLOSED_MAX
