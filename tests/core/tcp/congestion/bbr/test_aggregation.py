"""How far ACKs come in bursts."""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr.aggregation import Samples, estimated, with_sample

from .paths import KNOWN, MS, RATE, SMSS, START_US, acked, on


def test_filter__keeps_the_maximum_of_ten_rounds() -> None:
    values = [5, 9, 3, 4, 2, 1, 1, 1, 1, 1, 1, 1]
    samples: Samples = ()
    for count, octets in enumerate(values):
        samples = with_sample(samples, count, octets, 10)
        assert len(samples) <= 10
        assert samples[0][1] == max(values[max(0, count - 9) : count + 1])


def test_burst__more_than_the_rate_explains__is_remembered() -> None:
    memory = estimated(KNOWN, on(KNOWN), acked(START_US, delivered_bytes=10 * SMSS))
    assert memory.aggregation.extra_bytes == 10 * SMSS
    memory = estimated(memory, on(memory), acked(START_US + 5 * MS, delivered_bytes=10 * SMSS))
    assert memory.aggregation.extra_bytes == 20 * SMSS - RATE * 5 * MS // 1_000_000
    memory = estimated(memory, on(memory), acked(START_US + 50 * MS, delivered_bytes=SMSS))
    assert memory.aggregation.since_us == START_US + 50 * MS, "the rate has caught up: a new burst"
    assert memory.aggregation.delivered_bytes == SMSS
    assert memory.aggregation.extra_bytes == 15 * SMSS


def test_burst__at_most_cwnd__and_in_startup_of_one_round() -> None:
    memory = estimated(KNOWN, on(KNOWN, 3 * SMSS), acked(delivered_bytes=10 * SMSS))
    assert memory.aggregation.extra_bytes == 3 * SMSS
    young = replace(memory, bandwidth=replace(memory.bandwidth, is_full_reached=False))
    young = replace(young, rounds=replace(young.rounds, count=10))
    assert estimated(young, on(young), acked(START_US + 1000 * MS)).aggregation.extra_bytes == 2 * SMSS
