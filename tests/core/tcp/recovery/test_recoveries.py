"""Whole recoveries over a wire that loses exactly what the test names: what each costs, in round trips of 50
ms."""

from collections.abc import Callable

import pytest

from gossamer.core.records import replace
from gossamer.core.sim import oracle
from gossamer.core.sim.end import User
from gossamer.core.sim.link import Faults, ScriptedLink
from gossamer.core.sim.pair import EndSetting, Pair
from gossamer.core.tcp.constants import SSTHRESH_INITIAL
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.tcb import Tcb

ONE_WAY_US = 25_000
RTT_US = 2 * ONE_WAY_US
SEGMENTS = 60
OCTETS = bytes(SEGMENTS * 1_448)
DATA_BYTES = 1_000

Fate = Callable[[int, int], int | None]
"""Of the n-th data segment, counted from 1, which leaves so long after the begin: how many microseconds late
it comes, None when it is lost."""
PARAMETERS = TcpParameters(congestion="newreno", initial_window_segments=40)


def transferred(
    fate: Fate, octets: bytes = OCTETS, parameters: TcpParameters = PARAMETERS
) -> tuple[int, Pair]:
    """How long the peer waits for all octets, sent in one window; every step is checked."""
    faults = Faults(delay_us=ONE_WAY_US)
    client = EndSetting(User(sends=octets, closes=False), parameters, faults=faults)
    count = 0

    def arrivals_us(now_us: int, size_bytes: int, _is_ack: bool) -> tuple[int, ...]:
        nonlocal count
        if size_bytes < DATA_BYTES:
            return (now_us + ONE_WAY_US,)
        count += 1
        late_us = fate(count, now_us - began_us)
        return () if late_us is None else (now_us + ONE_WAY_US + late_us,)

    pair = Pair(
        client,
        EndSetting(User(closes=False), parameters, faults=faults),
        0,
        oracle.check,
        wire=ScriptedLink(arrivals_us),
    )
    began_us = until_us = pair.now_us
    while pair.server is None or len(pair.server.received) < len(octets):
        until_us += 1_000
        assert until_us < began_us + 20_000_000, "it never comes"
        pair.run(until_us)
    return until_us - began_us, pair


def connection_of(pair: Pair) -> Tcb:
    assert isinstance(pair.client.connection, Tcb)
    return pair.client.connection


@pytest.fixture(scope="module")
def unharmed_us() -> int:
    return transferred(lambda *_: 0)[0]


@pytest.mark.parametrize("burst", [1, 3, 8, 15])
def test_burst_of_losses__about_two_round_trips(burst: int, unharmed_us: int) -> None:
    """PRR sends what was lost over one round trip; the next brings it."""
    took_us, pair = transferred(lambda n, _: None if 5 <= n < 5 + burst else 0)
    assert pair.client.retransmitted_total == burst
    assert took_us - unharmed_us < 2.5 * RTT_US


def test_retransmission_lost__no_timeout(unharmed_us: int) -> None:
    """RACK sees it by what was sent after it; RFC 6675 waits 200 ms and more, and sends all again."""
    took_us, pair = transferred(lambda n, _: None if n in (5, 41) else 0)
    assert pair.client.retransmitted_total >= 2
    assert took_us - unharmed_us < 3.5 * RTT_US


@pytest.mark.parametrize(
    ("lost", "delayed_us", "bound"),
    [(1, 0, 4.1), (2, 0, 3.5), (3, 40_000, 3.5), (4, 0, 4.1)],
)
def test_tail_lost__pto_and_a_trip(lost: int, delayed_us: int, bound: float, unharmed_us: int) -> None:
    """RFC 8985 7.2: 2 * SRTT after the last was sent one goes again, what it shows to be lost a round trip
    later: 3 round trips later than if all had come. One alone may be a delayed ACK's, so that the timeout is
    waited for, 4 of these round trips; where an odd number arrives, its ACK is in fact delayed. Four need
    one trip more: three went again of which two are let out at once."""
    took_us, pair = transferred(lambda n, _: None if SEGMENTS - lost < n <= SEGMENTS else 0)
    assert took_us - unharmed_us - delayed_us < bound * RTT_US
    assert pair.client.timeouts_total == 0


def test_reordering__nothing_is_reduced(unharmed_us: int) -> None:
    """Each seventh segment comes 5 ms late: a tenth of the round trip."""
    took_us, pair = transferred(lambda n, _: 5_000 if n % 7 == 0 else 0)
    assert connection_of(pair).congestion.cwnd >= 40 * 1_448, "not reduced, or undone"
    assert took_us - unharmed_us < RTT_US


def test_delay_spike__probe_meets_it_first__all_go_again__undone() -> None:
    """20 segments are held back for 400 ms, and what is sent for the probe's answer overtakes them: they come
    too late even for PAWS. Their D-SACKs show that nothing was lost (RFC 3708, RFC 4015)."""
    _, pair = transferred(lambda n, _: 400_000 if 41 <= n <= 60 else 0)
    assert pair.client.retransmitted_total == 20
    assert connection_of(pair).congestion.cwnd < 20 * 1_448, "they have not come yet"
    pair.run(pair.now_us + 1_000_000)
    connection = connection_of(pair)
    assert connection.congestion.cwnd >= 40 * 1_448
    assert connection.congestion.ssthresh == SSTHRESH_INITIAL
    assert connection.rack is not None
    assert connection.rack.reo_wnd_mult == 2, "one round with D-SACKs, however many"


NO_HELP = {"timestamps": False, "dsack": False}
"""Neither Eifel nor D-SACK."""


@pytest.mark.parametrize(
    ("changes", "retransmitted", "is_undone"),
    [
        ({"forward_rto": False}, 1, True),
        (NO_HELP, 1, True),
        ({**NO_HELP, "sack": False}, 1, True),
        ({"timestamps": False, "forward_rto": False}, 80, True),
        ({**NO_HELP, "forward_rto": False}, 80, False),
    ],
    ids=["eifel", "frto", "frto-without-sack", "dsack", "nothing"],
)
def test_spurious_timeout__probe_off__undone(
    changes: dict[str, bool], retransmitted: int, is_undone: bool
) -> None:
    """Nothing moves on the wire for 300 ms, longer than the timeout, with 80 segments on it. F-RTO finds it
    out by the second ACK and sends one of them in vain; without it and timestamps all go again (RFC 5682
    1)."""
    parameters = replace(PARAMETERS, tail_loss_probe=False, **changes)
    until_us = ONE_WAY_US + 350_000
    octets = bytes(300 * 1_460)
    _, pair = transferred(
        lambda _, at_us: max(until_us - at_us, 0) if at_us > 90_000 else 0, octets, parameters
    )
    pair.run(pair.now_us + 1_000_000)
    congestion = connection_of(pair).congestion
    assert pair.client.timeouts_total == 1
    assert (congestion.ssthresh == SSTHRESH_INITIAL) is is_undone
    assert abs(pair.client.retransmitted_total - retransmitted) <= 2


@pytest.mark.parametrize("losses", [1, 2, 4, 8])
def test_losses_in_a_window__rack_and_counting_take_two_trips__newreno_one_for_each(
    losses: int, unharmed_us: int
) -> None:
    """Each second segment from the fifth on: with SACK what is lost is known at once (RFC 8985, RFC 6675);
    without, one of them a round trip (RFC 6582 1)."""
    lost = range(5, 5 + 2 * losses, 2)
    took_us = {}
    for name, changes in (
        ("rack", {}),
        ("counting", {"rack": False}),
        ("newreno", {"sack": False}),
    ):
        parameters = replace(PARAMETERS, **changes)
        took_us[name], pair = transferred(lambda n, _: None if n in lost else 0, parameters=parameters)
        assert pair.client.retransmitted_total == losses
        assert pair.client.timeouts_total == 0
    assert took_us["rack"] - unharmed_us <= 2.2 * RTT_US
    assert took_us["counting"] - unharmed_us <= 2.2 * RTT_US
    assert (losses - 1) * RTT_US <= took_us["newreno"] - unharmed_us <= (losses + 1.2) * RTT_US
