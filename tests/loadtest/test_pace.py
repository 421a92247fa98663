"""The pace of requests, as a table of moments."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.arrivals import EvenArrivals
from gossamer.loadtest.pace import SendSlot, Shape, awake_before_us, due_at_us, due_total, next_slot

START = 5 * SECOND_US
CLOSED = Shape(START, START + SECOND_US, requests_max=100)
OPEN = Shape(START, START + SECOND_US, requests_max=100, arrivals=EvenArrivals(10.0))
DRAINED = Shape(
    START, START + SECOND_US, requests_max=100, arrivals=EvenArrivals(10.0), final_us=START + 3 * SECOND_US
)
CLOSED_DRAINED = Shape(START, START + SECOND_US, requests_max=100, final_us=START + 3 * SECOND_US)


@pytest.mark.parametrize(
    ("rule", "shape", "number", "count_max", "now_us", "expected"),
    [
        ("closed loop is due at once", CLOSED, 3, 1, START + 7, SendSlot(3, 1, START + 7)),
        ("a pipeline takes what it may", CLOSED, 3, 8, START, SendSlot(3, 8, START)),
        ("the count bounds the batch", CLOSED, 98, 8, START, SendSlot(98, 2, START)),
        ("the count ends the run", CLOSED, 100, 1, START, None),
        ("the time ends the run", CLOSED, 0, 1, START + SECOND_US, None),
        ("open loop: due by number", OPEN, 3, 1, START, SendSlot(3, 1, START + 300_000)),
        ("open loop: late is still due then", OPEN, 3, 1, START + 900_000, SendSlot(3, 1, START + 300_000)),
        ("open loop: nothing early in a batch", OPEN, 3, 8, START, SendSlot(3, 1, START + 300_000)),
        ("open loop: all that is late", OPEN, 3, 8, START + 500_000, SendSlot(3, 3, START + 300_000)),
        ("open loop: due after the end", OPEN, 10, 1, START, None),
        (
            "open loop: what was due may leave later",
            DRAINED,
            9,
            1,
            START + SECOND_US,
            SendSlot(9, 1, START + 900_000),
        ),
        ("open loop: until the drain is over", DRAINED, 9, 1, START + 3 * SECOND_US, None),
        ("closed loop: nothing is due in the drain", CLOSED_DRAINED, 9, 1, START + SECOND_US, None),
    ],
)
def test_next_slot(
    rule: str, shape: Shape, number: int, count_max: int, now_us: int, expected: SendSlot | None
) -> None:
    assert next_slot(shape, number, count_max, now_us) == expected, rule


@given(st.floats(1.0, 1e6), st.integers(0, 10**6), st.integers(1, 64), st.integers(0, 2 * SECOND_US))
def test_next_slot__any_rate__a_batch_holds_only_what_is_due(
    rate: float, number: int, count_max: int, late_us: int
) -> None:
    shape = Shape(0, 10**12, requests_max=10**9, arrivals=EvenArrivals(rate))
    due_us = int(number * SECOND_US / rate)
    slot = next_slot(shape, number, count_max, due_us + late_us)
    assert slot is not None
    assert 1 <= slot.count <= count_max
    assert slot.due_us == due_us
    assert int((number + slot.count - 1) * SECOND_US / rate) <= due_us + late_us


@given(
    st.floats(0.1, 1e6), st.integers(1, 3 * SECOND_US), st.integers(1, 1_000), st.integers(-5, 4 * SECOND_US)
)
def test_due_total__any_rate_and_time__counts_what_is_due(
    rate: float, time_us: int, requests_max: int, now_us: int
) -> None:
    shape = Shape(START, START + time_us, requests_max, EvenArrivals(rate))
    until_us = min(START + now_us, START + time_us - 1)
    expected = 0
    while expected < requests_max and due_at_us(shape, expected) <= until_us:
        expected += 1
    assert due_total(shape, START + now_us) == expected


@pytest.mark.parametrize(("gap_us", "expected_us"), [(0, 0), (4_000, 0), (4_001, 200), (10_000, 200)])
def test_who_sends_to_a_machine_at_rest_is_awake_before(gap_us: int, expected_us: int) -> None:
    assert awake_before_us(gap_us, 200) == expected_us
