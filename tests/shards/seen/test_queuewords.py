"""What a worker's row says of the queues that it reads."""

from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.seen.counters import private_row
from gossamer.shards.seen.queuewords import queues_in, readers, words_of

QUEUES = tuple(range(100, 356))


@given(st.sets(st.sampled_from(QUEUES)))
def test_words__any_queues__read_back(numbers: set[int]) -> None:
    row = private_row()
    row.publish(words_of(numbers, QUEUES))
    assert set(queues_in(row, QUEUES)) == numbers


def test_words__what_is_none_of_them__not_there() -> None:
    row = private_row()
    row.publish(words_of([7, 101], QUEUES[:4]))
    assert queues_in(row, QUEUES[:4]) == [101]


def test_readers__who_is_known_to_have_it__unless_that_one_does_not_say_so() -> None:
    queues, rows = QUEUES[:3], []
    for worker, its in ((0, queues), (1, queues[1:2])):
        row = private_row()
        row.publish(words_of(its, queues))
        rows.append((worker, row))
    assert readers(queues, rows, {100: 1, 101: 1, 102: 2}) == {100: 0, 101: 1, 102: 0}
    assert readers(queues, [], {100: 1}) == {100: 1}
