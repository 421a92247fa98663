"""When removed rules are installed again."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.firewall.repairs import (
    AT_ONCE_MAX,
    DELAY_MAX_US,
    PERIOD_US,
    Repairs,
    repair_delay_us,
    with_repair,
)


def test_repair_delay__first_ones__at_once() -> None:
    history = Repairs()
    for now_us in range(AT_ONCE_MAX):
        assert repair_delay_us(history, now_us) == 0
        history = with_repair(history, now_us)
    assert repair_delay_us(history, AT_ONCE_MAX) > 0


def test_repair_delay__removed_for_ever__ever_later_and_never_not_at_all() -> None:
    history, now_us, delays = Repairs(), 0, []
    while now_us < 20 * PERIOD_US:
        delay_us = repair_delay_us(history, now_us)
        delays.append(delay_us)
        now_us += delay_us + 10_000
        history = with_repair(history, now_us)
    assert max(delays) <= DELAY_MAX_US
    # Several a minute at most, instead of a hundred a second.
    assert len(delays) < 20 * 10
    assert len(history.at_us) < 20


def test_repair_delay__peace_for_a_period__at_once_again() -> None:
    assert repair_delay_us(Repairs(tuple(range(10))), PERIOD_US + 10) == 0


@given(st.lists(st.integers(0, 10 * PERIOD_US), max_size=40), st.integers(0, 10 * PERIOD_US))
def test_repair_delay__any_history__bounded(steps: list[int], wait_us: int) -> None:
    now_us, history = 0, Repairs()
    for step_us in steps:
        now_us += step_us
        history = with_repair(history, now_us)
    assert 0 <= repair_delay_us(history, now_us + wait_us) <= DELAY_MAX_US
