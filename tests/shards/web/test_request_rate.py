"""Token buckets, one for each address."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import SECOND_US
from gossamer.shards.web import request_rate
from gossamer.shards.web.request_rate import RequestRates, bucket_of


@given(
    st.integers(1, 50),
    st.integers(1, 20),
    st.lists(st.integers(0, SECOND_US), min_size=1, max_size=200),
)
def test_wait_us__any_course__never_more_than_burst_and_rate_allow(
    rate: int, burst: int, gaps: list[int]
) -> None:
    rates, now_us, taken_at = RequestRates(rate, burst), 0, []
    interval_us = SECOND_US // rate
    for gap_us in gaps:
        now_us += gap_us
        wait_us = rates.wait_us("192.0.2.1", now_us)
        if not wait_us:
            taken_at.append(now_us)
            continue
        assert rates.wait_us("192.0.2.1", now_us + wait_us - 1), "there is a token sooner than it says"
        now_us += wait_us
        assert not rates.wait_us("192.0.2.1", now_us), "there is none when it says"
        taken_at.append(now_us)
    for first in range(0, len(taken_at), 7):
        for last in range(first, len(taken_at), 5):
            span_us = taken_at[last] - taken_at[first]
            assert last - first + 1 <= burst + span_us // interval_us


def test_wait_us__another_address__has_its_own() -> None:
    rates = RequestRates(1, 1)
    assert [rates.wait_us(host, 0) > 0 for host in ("192.0.2.1", "192.0.2.1", "192.0.2.2")] == [
        False,
        True,
        False,
    ]
    assert rates.refused_total == 1


def test_bucket_of__ipv6__a_network_of_64_bits() -> None:
    assert bucket_of("2001:db8::1") == bucket_of("2001:db8::ffff:1")
    assert bucket_of("2001:db8::1") != bucket_of("2001:db8:0:1::1")
    assert bucket_of("fe80::1%eth0") == bucket_of("fe80::2%eth1")


def test_buckets__more_addresses_than_are_kept__bounded() -> None:
    rates = RequestRates(1, 1)
    for number in range(request_rate.ADDRESSES_MAX + 100):
        rates.wait_us(str(number), 0)
    assert len(rates._full_at_us) == request_rate.ADDRESSES_MAX
