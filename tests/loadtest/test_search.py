"""The search for a rate: what it finds of servers whose limit is known, in a bounded number of steps."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.loadtest.search import PRECISION, STEPS_MAX, Search, next_rate, shown


def searched(holds: Callable[[float], bool], first: float = 100.0, most: float = 1e6) -> Search:
    search = Search(first, most)
    while (rate := next_rate(search)) is not None:
        search = shown(search, rate, holds(rate))
    return search


@given(st.floats(1.0, 900_000.0), st.sampled_from([1.0, 100.0, 50_000.0]))
def test_limit__of_any_server__found_within_the_precision(limit: float, first: float) -> None:
    search = searched(lambda rate: rate <= limit, first)
    assert limit / PRECISION <= search.found <= limit
    assert len(search.steps) < STEPS_MAX


def test_noise__one_step_in_ten_fails_for_nothing__still_found() -> None:
    random = Random(1)
    found = [searched(lambda rate: rate <= 1_000 and random.random() > 0.1).found for _ in range(50)]
    assert sum(950 <= each <= 1_000 for each in found) > 40
    assert max(found) <= 1_000


def test_nothing_holds__zero() -> None:
    assert searched(lambda _: False).found == 0


def test_all_holds__the_most_that_is_tried() -> None:
    search = searched(lambda _: True)
    assert (search.found, search.failed) == (1e6, None)


AGAIN = [([False], True), ([False, True], True), ([False, False], False)]


@pytest.mark.parametrize(("shows", "again"), AGAIN)
def test_failed__repeated__until_two_agree(shows: list[bool], again: bool) -> None:
    search = Search(100, 1e6)
    for holds in shows:
        search = shown(search, 100, holds)
    assert (next_rate(search) == 100) is again
