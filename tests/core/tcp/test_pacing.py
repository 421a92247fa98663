"""Pacing: how much leaves at once, when the next may, and that nothing waits for ever."""

import msgspec
import pytest

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.records import replace
from gossamer.core.sim import states
from gossamer.core.sim.scenario import Scenario
from gossamer.core.sim.simulation import Simulation
from gossamer.core.sim.states import NOW_US, from_peer, send, stepped
from gossamer.core.tcp import pacing
from gossamer.core.tcp.actions import Signal
from gossamer.core.tcp.congestion.change import with_control
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.events import Send, Timeout
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.wire.segment import Segment

SMSS = 1_448
MS = 1_000
RATE = 1_448_000
"""A segment each millisecond."""


def paced(rate: int = RATE) -> Tcb:
    tcb = states.established()
    return replace(tcb, congestion=replace(tcb.congestion, pacing_rate=rate))


def sizes(segments: list[Segment]) -> list[int]:
    return [len(segment.payload) for segment in segments]


@pytest.mark.parametrize(
    ("rate", "octets"),
    [
        (1_000, SMSS),
        (149_999, SMSS),
        (150_000, 2 * SMSS),
        (2_000_000, 2 * SMSS),
        (10_000_000, 10_000),
        (1 << 30, 64_000),
    ],
)
def test_quantum__a_segment_or_two_or_a_millisecond(rate: int, octets: int) -> None:
    assert pacing.quantum_bytes(rate, SMSS) == octets


def test_send__more_than_a_quantum__two_segments_leave_and_the_timer_runs() -> None:
    tcb, actions = step(paced(), Send(b"x" * 8 * SMSS, NOW_US))
    assert isinstance(tcb, Tcb)
    assert sizes(states.segments_in(actions)) == [SMSS, SMSS]
    assert actions[-1] is Signal.PACED
    assert tcb.pace_at_us == deadline_us(tcb) == NOW_US + 2 * MS


def test_timer__in_time__the_next_quantum_leaves_and_so_on() -> None:
    tcb, sent = send(paced(), b"x" * 8 * SMSS)
    times = []
    while tcb.snd_nxt - tcb.snd_una & 0xFFFF_FFFF < 8 * SMSS:
        times.append(deadline_us(tcb) - NOW_US)
        tcb, more = stepped(tcb, Timeout(deadline_us(tcb)))
        assert sizes(more) == [SMSS, SMSS]
    assert times == [2 * MS, 4 * MS, 6 * MS]
    tcb, sent = stepped(tcb, Timeout(tcb.pace_at_us))
    assert (sent, tcb.pace_at_us) == ([], NEVER_US), "nothing waits: the next may leave at once"


@pytest.mark.parametrize(("late_us", "segments"), [(0, 2), (10, 3), (1 * MS, 3), (2 * MS, 4), (90 * MS, 4)])
def test_timer__late__made_up_for_by_one_quantum_at_most(late_us: int, segments: int) -> None:
    tcb, _ = send(paced(), b"x" * 10 * SMSS)
    tcb, sent = stepped(tcb, Timeout(tcb.pace_at_us + late_us))
    assert len(sent) == segments


def test_ack__before_its_time__lets_nothing_out() -> None:
    tcb, _ = send(paced(), b"x" * 10 * SMSS)
    tcb, sent = states.segment_arrives(tcb, from_peer(tcb, ack=-SMSS), NOW_US + 1 * MS)
    assert sent == []
    assert tcb.pace_at_us == NOW_US + 2 * MS


def test_writes__many_small__not_faster_than_the_rate() -> None:
    tcb, octets = paced(), 0
    for _ in range(20):
        tcb, sent = send(tcb, b"x" * 700)
        octets += sum(sizes(sent))
    assert octets <= 2 * SMSS + 700


def test_everything_acknowledged__data_waits_for_its_time__no_retransmission_timer_runs() -> None:
    slow = paced(10_000)
    tcb, _ = send(slow, b"x" * 4 * SMSS)
    tcb, sent = states.segment_arrives(tcb, from_peer(tcb), NOW_US + 1 * MS)
    assert (sent, tcb.rtx_at_us) == ([], NEVER_US)
    tcb, sent = stepped(tcb, Timeout(deadline_us(tcb)))
    assert sizes(sent) == [SMSS]
    assert tcb.rtx_at_us != NEVER_US


def test_window_closes_while_data_waits_for_its_time__persist_timer_takes_over() -> None:
    tcb, _ = send(paced(10_000), b"x" * 4 * SMSS)
    tcb, _ = states.segment_arrives(tcb, from_peer(tcb, window=0), NOW_US + 1 * MS)
    tcb, sent = stepped(tcb, Timeout(tcb.pace_at_us))
    assert (sent, tcb.pace_at_us) == ([], NEVER_US)
    assert tcb.rtx_at_us != NEVER_US


def test_change__to_an_algorithm_without_a_rate__what_waited_leaves_at_the_timer() -> None:
    tcb, _ = send(paced(), b"x" * 8 * SMSS)
    tcb, sent = stepped(with_control(tcb, "newreno"), Timeout(deadline_us(tcb)))
    assert sizes(sent) == [SMSS] * 6
    assert tcb.pace_at_us == NEVER_US


def test_timeout__paced__the_lost_segment_goes_at_once() -> None:
    tcb, _ = send(paced(), b"x" * 4 * SMSS)
    tcb, _ = stepped(tcb, Timeout(tcb.pace_at_us))
    tcb, sent = stepped(tcb, Timeout(tcb.rtx_at_us))
    assert sent


def test_window_rate__twice_in_slow_start_and_a_fifth_more_after() -> None:
    """ip-sysctl(7): 200 % and 120 %."""
    assert pacing.rate_of_window(Congestion(10_000), 100 * MS) == 200_000
    assert pacing.rate_of_window(Congestion(10_000, ssthresh=9_000), 100 * MS) == 120_000
    assert pacing.rate_of_window(Congestion(10_000), 0) == 0


@pytest.mark.parametrize(
    ("wanted", "congestion", "is_paced"),
    [
        ("auto", "cubic", False),
        ("on", "cubic", True),
        ("off", "cubic", False),
        ("auto", "bbr", True),
        ("off", "bbr", False),
    ],
)
def test_parameter__auto_on_off(wanted: str, congestion: str, is_paced: bool) -> None:
    parameters = msgspec.convert({"pacing": wanted, "congestion": congestion}, TcpParameters)
    tcb, _ = send(states.established(parameters), b"x" * 100_000, NOW_US + 50 * MS)
    ack = from_peer(tcb, ack=2 * SMSS - 10 * SMSS)
    tcb, _ = states.segment_arrives(
        tcb, replace(ack, ts_ecr=(NOW_US // MS + 50 + (1 << 31)) & 0xFFFF_FFFF), NOW_US + 150 * MS
    )
    assert tcb.round_trip.srtt_us > 0
    assert (tcb.congestion.pacing_rate > 0) is is_paced


def test_whole_transfer__cubic_paced__all_arrives() -> None:
    scenario = Scenario(congestion=("cubic",), transfer_bytes=2 << 20, rate_bps=10_000_000, delay_us=20_000)
    settings = Scenario.settings

    class Paced(Scenario, frozen=True, kw_only=True):
        def settings(self, number, octets):  # type: ignore[no-untyped-def]  # as Scenario's
            client, server = settings(self, number, octets)
            return replace(client, parameters=replace(client.parameters, pacing="on")), server

    report = Simulation(Paced(**msgspec.structs.asdict(scenario))).run()
    assert report.has_finished
    assert report.utilisation is not None
    assert report.utilisation > 0.85
    assert report.ended_us < 10 * SECOND_US
