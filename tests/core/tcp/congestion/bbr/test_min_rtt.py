"""How long the path is, and ProbeRTT."""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr import min_rtt
from gossamer.core.tcp.congestion.bbr.memory import AckPhase, Memory, Mode, ShortTerm
from gossamer.core.tcp.constants import CLOCK_GRANULARITY_US

from .paths import BDP, KNOWN, MS, RATE, RTT_US, SECOND, SMSS, START_US, acked, hears, on


def shown(memory: Memory, now_us: int, rtt_us: int) -> Memory:
    """After an ACK that shows this round trip."""
    return min_rtt.measured(memory, replace(acked(now_us), rate=None, r_us=rtt_us - CLOCK_GRANULARITY_US))


def test_least__of_ten_seconds__and_the_recent_one_of_five() -> None:
    memory = shown(KNOWN, START_US + 1, RTT_US - 5)
    assert (memory.min_rtt.least_us, memory.min_rtt.recent_us) == (RTT_US - 5, RTT_US - 5)
    memory = shown(memory, START_US + 5 * SECOND + 2, RTT_US + 5)
    assert memory.min_rtt.is_expired
    assert (memory.min_rtt.least_us, memory.min_rtt.recent_us) == (RTT_US - 5, RTT_US + 5)
    memory = shown(memory, START_US + 10 * SECOND + 2, RTT_US + 9)
    assert memory.min_rtt.least_us == RTT_US + 5


def test_timestamps__in_milliseconds__a_millisecond_more() -> None:
    assert min_rtt.shown_us(replace(acked(r_us=50 * MS), rate=None)) == 51 * MS
    assert min_rtt.shown_us(replace(acked(), rate=None)) == -1


def test_probe_rtt__half_a_product_for_200_ms_and_a_round__then_it_cruises_with_cwnd_as_before() -> None:
    late_us = START_US + 5 * SECOND + 1
    lowered = replace(KNOWN, short_term=ShortTerm(bw=RATE - 1, inflight_bytes=BDP))
    lowered = replace(lowered, probe=replace(KNOWN.probe, cycle_at_us=late_us))
    probing = hears(on(lowered), acked(late_us))
    assert probing.memory.mode is Mode.PROBE_RTT
    assert probing.memory.probe.acks is AckPhase.PROBE_STOPPING
    assert probing.cwnd == BDP // 2 - 1, "of the rate that loss has left"
    assert probing.memory.min_rtt.probe_until_us == 0, "too much is in flight still"
    probing = hears(probing, acked(late_us + 50 * MS, pipe_bytes=BDP // 2 - 1))
    assert probing.memory.min_rtt.probe_until_us == late_us + 250 * MS
    more = {"starts_round": True, "pipe_bytes": BDP // 2, "rate": 10}
    total = probing.memory.rounds.ends_at_bytes + 2 * SMSS
    early = hears(probing, acked(late_us + 240 * MS, delivered_total=total, **more))  # type: ignore[arg-type]
    assert early.memory.mode is Mode.PROBE_RTT
    over = hears(early, acked(late_us + 251 * MS, rate=10, pipe_bytes=BDP // 2))
    assert over.memory.mode is Mode.PROBE_BW_CRUISE
    assert over.cwnd == 2 * BDP + 2 * SMSS, "what was delivered at once is added"
    assert over.memory.short_term.bw > RATE, "5.3.4.4: what loss said in between is forgotten"
    assert over.memory.max_bw == RATE, "what ProbeRTT held back says nothing of the path"
    assert over.memory.min_rtt.recent_at_us == late_us + 251 * MS


def test_probe_rtt__pipe_was_never_full__starts_again() -> None:
    young = replace(KNOWN, bandwidth=replace(KNOWN.bandwidth, is_full_reached=False))
    young = replace(young, mode=Mode.PROBE_RTT)
    young = replace(young, min_rtt=replace(young.min_rtt, probe_until_us=1, is_probe_round_done=True))
    assert hears(on(young), acked()).memory.mode is Mode.STARTUP


def test_after_a_pause__no_probe_rtt() -> None:
    idle = replace(KNOWN, is_restarting=True)
    after = hears(on(idle), acked(START_US + 6 * SECOND))
    assert after.memory.mode is not Mode.PROBE_RTT
    assert not after.memory.is_restarting
