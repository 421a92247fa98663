"""Whole recoveries over a wire that loses exactly what it is told to: what each costs, in round trips of 50
ms."""

from collections.abc import Callable

import pytest
from gossamer.core.sim import oracle
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults
from gossamer.core.sim.pair import Pair, Setting
from gossamer.core.tcp.parameters import TcpParameters

ONE_WAY_US = 25_000
RTT_US = 2 * ONE_WAY_US
SEGMENTS = 60
OCTETS = bytes(SEGMENTS * 1_448)
DATA_BYTES = 1_000

Fate = Callable[[int], int | None]
"""Of the n-th data segment, counted from 1: how many microseconds late it comes, None when it is lost."""


def transferred(fate: Fate, octets: bytes = OCTETS) -> tuple[int, Pair]:
    """How long the peer waits for all octets, sent in one window; every step is checked."""
    parameters = TcpParameters(congestion="newreno", initial_window_segments=40)
    faults = Faults(delay_us=ONE_WAY_US)
    client = Setting(User(sends=octets, closes=False), parameters, faults=faults)
    pair = Pair(client, Setting(User(closes=False), parameters, faults=faults), 0, oracle.check)
    count = 0

    def arrivals_us(now_us: int, size_bytes: int = 0, _is_ack: bool = False) -> tuple[int, ...]:
        nonlocal count
        if size_bytes < DATA_BYTES:
            return (now_us + ONE_WAY_US,)
        count += 1
        late_us = fate(count)
        return () if late_us is None else (now_us + ONE_WAY_US + late_us,)

    pair.links[0].arrivals_us = arrivals_us  # the wire of this test
    began_us = until_us = pair.now_us
    while pair.server is None or len(pair.server.received) < len(octets):
        until_us += 1_000
        assert until_us < began_us + 20_000_000, "it never comes"
        pair.run(until_us)
    return until_us - began_us, pair


@pytest.fixture(scope="module")
def unharmed_us() -> int:
    return transferred(lambda _: 0)[0]


@pytest.mark.parametrize("burst", [1, 3, 8, 15])
def test_burst_of_losses__about_two_round_trips(burst: int, unharmed_us: int) -> None:
    """PRR sends what was lost over one round trip; the next brings it."""
    took_us, pair = transferred(lambda n: None if 5 <= n < 5 + burst else 0)
    assert pair.client.retransmitted_total == burst
    assert took_us - unharmed_us < 2.5 * RTT_US


def test_retransmission_lost__no_timeout(unharmed_us: int) -> None:
    """RACK sees it by what was sent after it; RFC 6675 waits 200 ms and more, and sends all again."""
    took_us, pair = transferred(lambda n: None if n in (5, 41) else 0)
    assert pair.client.retransmitted_total >= 2
    assert took_us - unharmed_us < 3.5 * RTT_US


def test_tail_lost__two_round_trips_and_not_the_timeout(unharmed_us: int) -> None:
    took_us, _ = transferred(lambda n: None if SEGMENTS - 2 <= n <= SEGMENTS else 0)
    assert took_us - unharmed_us < 6.5 * RTT_US, "a delayed ACK, PTO, and two trips"


def test_reordering__nothing_is_reduced(unharmed_us: int) -> None:
    """Each seventh segment comes 5 ms late: a tenth of the round trip."""
    took_us, pair = transferred(lambda n: 5_000 if n % 7 == 0 else 0)
    connection = pair.client.connection
    assert connection is not None
    assert connection.congestion.cwnd >= 40 * 1_448, "not reduced, or undone"
    assert took_us - unharmed_us < RTT_US
