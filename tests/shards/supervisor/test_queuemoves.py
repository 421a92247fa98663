"""Who is told what when queues move."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from gossamer.shards.letters.letters import GiveLetter, Letter, TakeLetter
from gossamer.shards.letters.rights import DESCRIPTORS_MAX
from gossamer.shards.plan.steering import shared
from gossamer.shards.seen.counters import Row, private_row
from gossamer.shards.seen.queuewords import words_of
from gossamer.shards.supervisor.queuemoves import AT_ONCE, hand_over, inherit, share, take_unread, unread

QUEUES = tuple(range(100, 108))


class ToldWorker:
    """As much of a worker's process as is told anything."""

    shard = 1

    def __init__(self, *, reads: bool = True) -> None:
        self.reads = reads
        self.letters: list[Letter] = []
        self.descriptors: list[int] = []

    def send_letter(self, letter: Letter, descriptors: Sequence[int]) -> bool:
        if self.reads:
            self.letters.append(letter)
            self.descriptors += [fd for fd in descriptors if fd >= 1_000]
        return self.reads


def run_of(workers: int) -> Any:
    """A run whose sockets are numbers that no descriptor has."""
    return SimpleNamespace(
        plan=SimpleNamespace(queues=QUEUES),
        owners=shared(QUEUES, {}, range(workers)),
        givers={},
        opened=SimpleNamespace(queues={queue: (queue + 900, queue + 1_900) for queue in QUEUES}),
    )


def crew(*numbers: int) -> Any:
    return {number: ToldWorker() for number in numbers}


def test_share__one_joins__gets_its_share_from_each_of_the_others() -> None:
    run, workers = run_of(2), crew(0, 1, 2)
    share(run, workers)
    taken = [letter for letter in workers[2].letters if isinstance(letter, TakeLetter)]
    numbers = [number for letter in taken for number in letter.queues]
    assert [run.owners[number] for number in numbers] == [2, 2]
    assert all(letter.has_link for letter in taken)
    assert workers[2].descriptors == [fd for number in numbers for fd in (number + 900, number + 1_900)], (
        "where its SYNs come to goes with each"
    )
    assert all(letter.sockets_of == (2,) * len(letter.queues) for letter in taken)
    for number in (0, 1):
        (given,) = workers[number].letters
        assert isinstance(given, GiveLetter)
        assert not given.is_all
    share(run, workers)
    assert len(workers[2].letters) == len(taken), "nothing is left to be moved"


def test_share__one_leaves__its_last_letter_says_so() -> None:
    run, workers = run_of(3), crew(0, 1, 2)
    share(run, workers, leaving=2)
    assert [letter.is_all for letter in workers[2].letters] == [False, True]
    assert 2 not in run.owners.values()


def test_share__a_worker_takes_no_letter__the_queues_stay_where_they_are() -> None:
    run, workers = run_of(2), crew(0, 1)
    before = dict(run.owners)
    workers[2] = ToldWorker(reads=False)
    share(run, workers)
    assert run.owners == before


def test_inherit__a_dead_one__its_queues_alone_go_to_the_living_as_nobodys() -> None:
    run, workers = run_of(3), crew(0, 1)
    before = dict(run.owners)
    inherit(run, 2, workers, [])
    assert all(run.owners[queue] == owner for queue, owner in before.items() if owner != 2)
    assert 2 not in run.owners.values()
    letters = [letter for worker in workers.values() for letter in worker.letters]
    assert all(isinstance(letter, TakeLetter) and not letter.has_link for letter in letters)
    assert sorted(number for letter in letters for number in letter.queues) == [
        queue for queue, owner in before.items() if owner == 2
    ]


def test_inherit__with_what_it_has_left_behind__each_taker_has_that_too() -> None:
    run, workers = run_of(3), crew(0, 1)
    inherit(run, 2, workers, [], 5_000)
    for worker in workers.values():
        (letter,) = worker.letters
        assert isinstance(letter, TakeLetter)
        assert letter.has_checkpoints
        assert worker.descriptors[-1] == 5_000
        assert len(worker.descriptors) == sum(letter.sockets_of) + 1


def row_of(*queues: int) -> Row:
    row = private_row()
    row.publish(words_of(queues, QUEUES))
    return row


def test_inherit__died_before_it_had_taken__who_still_reads_keeps_it() -> None:
    run, workers = run_of(2), crew(0, 1, 2)
    share(run, workers)
    its = [queue for queue, owner in run.owners.items() if owner == 2]
    rows = [(number, row_of(*(queue for queue in its if run.givers[queue] == number))) for number in (0, 1)]
    left = crew(0, 1)
    inherit(run, 2, left, rows)
    assert {run.owners[queue] for queue in its} == {0, 1}
    assert not any(worker.letters for worker in left.values())


def test_inherit__one_lies_that_it_reads_them_all__they_are_given_out_all_the_same() -> None:
    run, workers = run_of(3), crew(0, 1)
    its = [queue for queue, owner in run.owners.items() if owner == 2]
    inherit(run, 2, workers, [(0, row_of(*QUEUES)), (1, row_of())])
    letters = [letter for worker in workers.values() for letter in worker.letters]
    assert sorted(queue for letter in letters for queue in letter.queues) == its


def test_unread__nobody_says_so__who_is_to_have_it_takes_it() -> None:
    run, workers = run_of(2), crew(0, 1)
    rows = [(number, row_of(*(q for q in QUEUES[:-1] if run.owners[q] == number))) for number in (0, 1)]
    assert unread(run, rows) == {QUEUES[-1]}
    take_unread(run, unread(run, rows), workers)
    owner = run.owners[QUEUES[-1]]
    assert workers[owner].letters == [TakeLetter((QUEUES[-1],), False, (2,))]
    assert not workers[1 - owner].letters


def test_unread__another_lies_that_it_reads_it__is_not_believed() -> None:
    run = run_of(2)
    its = [queue for queue in QUEUES if run.owners[queue] == 1]
    assert unread(run, [(0, row_of(*QUEUES)), (1, row_of(*its[1:]))]) == {its[0]}


def test_unread__while_it_goes_over__its_giver_is_believed_and_no_longer() -> None:
    run, workers = run_of(1), crew(0, 1)
    share(run, workers)
    moved = [queue for queue in QUEUES if run.owners[queue] == 1]
    assert not unread(run, [(0, row_of(*QUEUES)), (1, row_of())])
    assert not unread(run, [(0, row_of(*QUEUES)), (1, row_of(*moved))])
    assert unread(run, [(0, row_of(*QUEUES)), (1, row_of())]) == set(moved)


def test_hand_over__more_than_a_letter_bears__several_and_the_last_is_all() -> None:
    numbers = tuple(range(AT_ONCE + 5))
    sockets = {number: (number + 1_000, number + 2_000) for number in numbers}
    run: Any = SimpleNamespace(opened=SimpleNamespace(queues=sockets))
    giver: Any = ToldWorker()
    taker: Any = ToldWorker()
    assert hand_over(run, numbers, giver, taker, is_all=True)
    assert [(len(letter.queues), letter.is_all) for letter in giver.letters] == [(AT_ONCE, False), (5, True)]
    assert taker.descriptors == [fd for number in numbers for fd in sockets[number]]
    assert 2 * AT_ONCE + 1 <= DESCRIPTORS_MAX
