"""A queue out of whose middle one leaves without a search."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.threads.waiters import SEARCHED_MAX, Waiters

MANY = 4 * SEARCHED_MAX


class Counted:
    """Somebody who waits; comparisons and hashes are counted."""

    looks = 0

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return self is other

    def __hash__(self) -> int:
        Counted.looks += 1
        return self.number


def looks_of_leaving(count: int, order: slice) -> int:
    waiters: Waiters[Counted] = Waiters()
    waiting = [Counted(number) for number in range(count)]
    waiters.extend(waiting)
    before = Counted.looks
    for waiter in waiting[order]:
        waiters.remove(waiter)
    assert not waiters
    return Counted.looks - before


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)], ids=["first_first", "last_first"])
def test_all_leave__each_looks_at_a_few_however_many_wait(order: slice) -> None:
    searched = SEARCHED_MAX**2
    assert looks_of_leaving(8 * MANY, order) < searched + 20 * 8 * MANY


def test_leave_and_served_by_turns__the_rest_is_not_walked_over_again() -> None:
    waiters: Waiters[Counted] = Waiters()
    waiting = [Counted(number) for number in range(8 * MANY)]
    waiters.extend(waiting)
    before = Counted.looks
    while len(waiters) > SEARCHED_MAX:
        waiters.remove(waiting[-len(waiters) + 1])  # the second in it
        waiters.popleft()
    assert Counted.looks - before < 20 * len(waiting)


def test_nobody_has_left__it_is_a_deque_in_all_that_it_does() -> None:
    for name in ("__len__", "append", "popleft", "__iter__"):
        assert getattr(Waiters, name) is getattr(deque, name)


def test_gaps_are_closed_or_passed__it_is_that_again() -> None:
    for served in (0, 1):
        waiters = Waiters(range(MANY))
        waiters.remove(1)
        assert type(waiters) is not Waiters
        for number in [number for number in range(2, MANY) if not served or number > 2]:
            if type(waiters) is Waiters:
                break
            if served:
                waiters.popleft()
            else:
                waiters.remove(number)
        assert type(waiters) is Waiters


def test_not_in_a_short_one__value_error() -> None:
    with pytest.raises(ValueError, match="not in"):
        Waiters([1]).remove(2)


def test_clear__forgets_who_left() -> None:
    waiters = Waiters(range(MANY))
    waiters.remove(50)
    waiters.clear()
    waiters.append(50)
    assert (len(waiters), list(waiters), waiters.popleft()) == (1, [50], 50)


@given(
    st.integers(0, 2 * MANY),
    st.lists(st.tuples(st.sampled_from("aaprr"), st.integers(0, 1000)), max_size=60),
)
def test_any_steps__as_a_deque_in_which_leaving_is_a_search(count: int, steps: list[tuple[str, int]]) -> None:
    waiters, model = Waiters(range(count)), list(range(count))
    gone: list[Any] = []
    for verb, number in steps:
        if verb == "a":
            who = gone.pop() if gone else 10_000 + number
            if who in model:
                continue
            waiters.append(who)
            model.append(who)
        elif model and verb == "p":
            assert waiters.popleft() == model.pop(0)
        elif model:
            who = model.pop(number % len(model))
            waiters.remove(who)
            gone.append(who)
        assert len(waiters) == len(model)
        assert bool(waiters) == bool(model)
    assert list(waiters) == model
    assert [waiters.popleft() for _ in model] == model
