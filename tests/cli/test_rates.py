"""Two statuses make rates."""

import msgspec
import pytest

from gossamer.cli.rates import HISTORY_MAX, RateHistory, ServerRates, WorkerRates, rates_between, sparkline

from ..shards.admin.sample import sample_status, sample_worker


def two_looks() -> ServerRates:
    """Two seconds apart; worker 1 had another process meanwhile."""
    before = sample_status(sample_worker(0), sample_worker(1))
    first = sample_worker(
        0, requests_total=207, packets_in_total=30, packets_out_total=10, retransmits_total=5
    )
    second = sample_worker(1, accept_queue=4, drop_tcp_bad_checksum=8)
    after = sample_status(
        msgspec.structs.replace(first, cpu_us=3_500_000), msgspec.structs.replace(second, cpu_us=1000)
    )
    return rates_between(before, msgspec.structs.replace(after, uptime_us=before.uptime_us + 2_000_000))


def test_rates__a_second__of_each_and_of_all() -> None:
    rates = two_looks()
    one, other = rates.workers
    assert (one.requests_per_second, one.packets_per_second, one.retransmits_per_second) == (100, 20, 2.5)
    assert (one.cpu_percent, other.cpu_percent) == (50, 0)
    assert (other.drops_per_second, other.queue_depth) == (4, 7)
    assert (rates.total.requests_per_second, rates.total.queue_depth, rates.total.id) == (100, 10, None)


def test_rates__of_a_worker_that_was_not_there_before__none_yet() -> None:
    found = rates_between(sample_status(sample_worker(0)), sample_status(sample_worker(0), sample_worker(1)))
    assert [worker.requests_per_second for worker in found.workers] == [0, 0]


def answered(count: int, fast: int, slow: int) -> dict[str, int]:
    """A row in which so many responses took 5 us and so many 127."""
    return {
        "requests_total": count,
        "responses_in_5_us_total": fast,
        "responses_in_127_us_total": slow,
        "response_us_total": 5 * fast + 127 * slow,
    }


def test_response_times__between_two_looks__of_each_and_of_all_together() -> None:
    before = sample_status(sample_worker(0, **answered(10, 1, 9)), sample_worker(1))
    after = sample_status(sample_worker(0, **answered(20, 11, 9)), sample_worker(1, **answered(30, 0, 30)))
    rates = rates_between(before, after)
    one, other = (worker.response_times for worker in rates.workers)
    assert (one.count, one.p50_us, one.p99_us, one.sum_us) == (10, 5, 5, 50)
    assert (other.count, other.p50_us, other.buckets) == (30, 127, ((127, 30),))
    together = rates.total.response_times
    assert (together.count, together.p50_us, together.p90_us) == (40, 127, 127)
    assert together.buckets == ((5, 10), (127, 30))
    again = rates_between(after, before)
    assert again.total.response_times.count == 0


def test_rates__as_json__read_back() -> None:
    rates = two_looks()
    assert msgspec.json.decode(msgspec.json.encode(rates), type=ServerRates) == rates
    assert set(WorkerRates.__struct_fields__) >= {"requests_per_second", "cpu_percent", "rss_bytes"}


@pytest.mark.parametrize(
    ("values", "bars"), [([], ""), ([0, 0], "▁▁"), ([0, 4, 8], "▁▅█"), ([1e9], "█"), ([7, 8, 1], "██▂")]
)
def test_sparkline__the_highest_is_a_line_high(values: list[float], bars: str) -> None:
    assert sparkline(values) == bars


def test_history__bounded_and_no_longer_than_asked() -> None:
    history = RateHistory()
    for _ in range(HISTORY_MAX + 5):
        history.add(two_looks())
    assert {len(line) for line in history.lines(1000).values()} == {HISTORY_MAX}
    assert set(history.lines(8)) == {0, 1, None}
    assert {len(line) for line in history.lines(8).values()} == {8}
