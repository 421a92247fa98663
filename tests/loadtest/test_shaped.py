"""The rates of a Locust shape, read before anything is sent."""

from typing import Any

import pytest

from gossamer.loadtest.shaped import phases_of, rates_of


class Steps:
    """Ten a second for two seconds, then thirty for one, as a `LoadTestShape` says it."""

    def get_run_time(self) -> float:
        raise AssertionError("the clock is not asked")

    def tick(self) -> Any:
        second = self.get_run_time()
        if second >= 3:
            return None
        return (10, 1) if second < 2 else (30, 1, [])


def test_shape__its_ticks__phases() -> None:
    assert phases_of(rates_of(Steps())) == "10:2s,30:1s"


class Bad(Steps):
    def __init__(self, users: int) -> None:
        self.users = users

    def tick(self) -> Any:
        return (self.users, 1) if self.get_run_time() < 3 else None


@pytest.mark.parametrize("users", [-1, 10**9])
def test_shape__rate_that_none_is__one_line(users: int) -> None:
    with pytest.raises(ValueError, match="allowed: 0 to 1e"):
        rates_of(Bad(users))


def test_shape__asks_for_nothing__one_line() -> None:
    with pytest.raises(ValueError, match="no second with a request"):
        rates_of(Bad(0))


def test_phases__more_steps_than_a_run_has__one_line() -> None:
    with pytest.raises(ValueError, match="1,001 steps"):
        phases_of([1.0 + second % 2 for second in range(1_001)])
