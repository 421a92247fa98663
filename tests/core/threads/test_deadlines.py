"""Deadlines come out in order, never early, at most one tick late."""

import heapq

from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import NEVER_US
from gossamer.core.threads.deadlines import EMPTY_MAX, RESOLUTION_US, DeadlineHeap


def test_empty__next_is_never() -> None:
    heap: DeadlineHeap[str] = DeadlineHeap()
    assert heap.next_at_us == NEVER_US
    assert heap.pop_due(NEVER_US - 1, 10) == []


def test_one__not_early__at_most_one_tick_late() -> None:
    heap: DeadlineHeap[str] = DeadlineHeap()
    heap.push(5_001, "a")
    assert heap.pop_due(5_000, 10) == []
    assert 5_001 <= heap.next_at_us <= 5_001 + RESOLUTION_US
    assert heap.pop_due(heap.next_at_us, 10) == ["a"]
    assert heap.next_at_us == NEVER_US


def test_limit__the_rest_stays_due_at_once() -> None:
    heap: DeadlineHeap[int] = DeadlineHeap(resolution_us=1)
    for owner in range(5):
        heap.push(10, owner)
    assert heap.pop_due(10, 2) == [0, 1]
    assert heap.next_at_us <= 10
    assert heap.pop_due(10, 100) == [2, 3, 4]


def test_due_rest__comes_before_later_ticks() -> None:
    heap: DeadlineHeap[str] = DeadlineHeap(resolution_us=1)
    heap.push(10, "a")
    heap.push(10, "b")
    heap.push(11, "c")
    assert heap.pop_due(11, 1) == ["a"]
    assert heap.pop_due(11, 5) == ["b", "c"]


def test_discard__takes_out_that_owner_only() -> None:
    heap: DeadlineHeap[str] = DeadlineHeap(resolution_us=1)
    heap.push(10, "a")
    heap.push(10, "b")
    heap.discard(10, "a")
    heap.discard(10, "never pushed")
    heap.discard(99, "b")
    assert len(heap) == 1
    assert heap.pop_due(10, 5) == ["b"]


def test_clear__forgets_all() -> None:
    heap: DeadlineHeap[str] = DeadlineHeap()
    heap.push(10, "a")
    heap.clear()
    assert (len(heap), heap.next_at_us) == (0, NEVER_US)


def test_million_in_one_tick__popped_in_pieces__linear() -> None:
    heap: DeadlineHeap[int] = DeadlineHeap()
    for owner in range(100_000):
        heap.push(1, owner)
    popped = 0
    while batch := heap.pop_due(RESOLUTION_US, 256):
        assert batch[0] == popped
        popped += len(batch)
    assert popped == 100_000


@given(
    pushes=st.lists(st.integers(0, 200)),
    steps=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=40),
)
def test_any_pushes__same_as_a_sorted_list(pushes: list[int], steps: list[tuple[int, int]]) -> None:
    heap: DeadlineHeap[tuple[int, int]] = DeadlineHeap(resolution_us=1)
    model: list[tuple[int, int]] = []
    for order, at_us in enumerate(pushes):
        heap.push(at_us, (at_us, order))
        heapq.heappush(model, (at_us, order))
    now_us = 0
    for forward_us, limit in steps:
        now_us += forward_us
        expected = []
        while model and model[0][0] <= now_us and len(expected) < limit:
            expected.append(heapq.heappop(model))
        assert heap.pop_due(now_us, limit) == expected
        assert len(heap) == len(model)


def test_discard__due_but_not_handed_out_yet__is_not_handed_out() -> None:
    heap: DeadlineHeap[int] = DeadlineHeap(resolution_us=1)
    for owner in range(4):
        heap.push(10, owner)
    assert heap.pop_due(10, 2) == [0, 1]
    heap.discard(10, 3)
    assert heap.pop_due(10, 9) == [2]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("push"), st.integers(1, 50), st.integers(0, 5)),
            st.tuples(st.just("pop"), st.integers(0, 60), st.integers(1, 3)),
            st.tuples(st.just("discard"), st.integers(1, 50), st.integers(0, 5)),
        ),
        max_size=40,
    )
)
def test_next_at_us__never_later_than_what_is_handed_out(steps: list[tuple[str, int, int]]) -> None:
    heap: DeadlineHeap[int] = DeadlineHeap(resolution_us=1)
    now_us = 0
    standing: dict[int, int] = {}
    for verb, at_us, number in steps:
        if verb == "pop":
            now_us = max(now_us, at_us)  # a clock never goes back
            for owner in heap.pop_due(now_us, number):
                assert standing.pop(owner) <= now_us
        elif verb == "discard" and number in standing:
            heap.discard(standing.pop(number), number)
        elif number not in standing:
            heap.push(at_us, number)
            standing[number] = at_us
        assert heap.next_at_us <= min(standing.values(), default=NEVER_US)


def ticks_held(heap: DeadlineHeap[int]) -> int:
    return len(heap._ticks) + len(heap._heap) + len(heap._emptied)


def test_discard__each_in_a_tick_of_its_own__nothing_is_kept_until_it_would_be_due() -> None:
    heap: DeadlineHeap[int] = DeadlineHeap()
    heap.push(10 * RESOLUTION_US, -1)
    for number in range(10_000):
        at_us = (1_000_000 + number) * RESOLUTION_US
        heap.push(at_us, number)
        heap.discard(at_us, number)
        assert ticks_held(heap) <= 3 * (EMPTY_MAX + 2)
    assert heap.next_at_us == 10 * RESOLUTION_US
    assert heap.pop_due(heap.next_at_us, 5) == [-1]


def test_discard__among_many_that_stay__empty_ticks_never_outnumber_them() -> None:
    heap: DeadlineHeap[int] = DeadlineHeap(resolution_us=1)
    for number in range(1_000):
        heap.push(2 * number, number)
    for number in range(10_000):
        heap.push(2 * number + 1, -number)
        heap.discard(2 * number + 1, -number)
        assert ticks_held(heap) <= 3 * (2 * 1_000 + EMPTY_MAX)
    assert heap.pop_due(5_000, 2_000) == list(range(1_000))


def test_discard_and_push_again_in_one_tick__its_place_is_kept() -> None:
    heap: DeadlineHeap[int] = DeadlineHeap(resolution_us=1)
    for _ in range(10 * EMPTY_MAX):
        heap.push(7, 1)
        heap.discard(7, 1)
        assert ticks_held(heap) <= 3
    heap.push(7, 1)
    assert heap.pop_due(7, 5) == [1]


class Counted:
    """An owner whose comparisons are counted."""

    compared = 0

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return self is other

    def __hash__(self) -> int:
        return id(self)


def test_discard__many_due_that_are_not_handed_out_yet__without_a_search() -> None:
    heap: DeadlineHeap[Counted] = DeadlineHeap(resolution_us=1)
    owners = [Counted() for _ in range(1_000)]
    for owner in owners:
        heap.push(10, owner)
    assert heap.pop_due(10, 1) == owners[:1]
    Counted.compared = 0
    for owner in owners[1:999]:
        heap.discard(10, owner)
    assert Counted.compared < 10 * len(owners)
    assert heap.pop_due(10, 5) == owners[999:]
