"""Has queues go from worker to worker: the thin doer of `shards.plan.steering.shared`.

    a worker joins   <- its share from each of the others
    one leaves       -> its queues to the others, and it ends
    one has died     -> its queues to the others, as nobody's, with the connections that it left behind

Owns the letters that say so, and what is taken for true of who has which queue: what a worker's row says it
reads.
"""

import logging
import socket
from collections.abc import Iterable, Mapping
from typing import Final

from gossamer.shards.letters.letters import GiveLetter, TakeLetter
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR
from gossamer.shards.plan.steering import shared
from gossamer.shards.seen.counters import Row
from gossamer.shards.seen.queuewords import queues_in
from gossamer.shards.supervisor.launch import WorkerProcess
from gossamer.shards.supervisor.startup import ServerRun

log = logging.getLogger("gossamer.supervisor")

AT_ONCE: Final = 64
"""Queues of one letter, of two sockets each: it bears at most DESCRIPTORS_MAX of `shards.letters.rights`."""


def hand_over(
    run: ServerRun,
    numbers: tuple[int, ...],
    giver: WorkerProcess | None,
    taker: WorkerProcess,
    *,
    is_all: bool,
    left_behind: int = NO_DESCRIPTOR,
) -> bool:
    """Have queues go from one worker to another, or from nobody; whether both were told. `left_behind` is the
    memory of one that was killed, whose they were.

    Whoever was told alone finds its link at its end: a giver takes back, a taker takes what it has.
    """
    parts = [numbers[begin : begin + AT_ONCE] for begin in range(0, len(numbers), AT_ONCE)] or [()]
    if giver is None:
        return all(_hand_out(run, part, taker, left_behind) for part in parts)
    return all(_hand_over(run, part, giver, taker, is_all and part is parts[-1]) for part in parts)


def _hand_out(run: ServerRun, numbers: tuple[int, ...], taker: WorkerProcess, left_behind: int) -> bool:
    sockets, sockets_of = _sockets(run, numbers)
    has_checkpoints = left_behind != NO_DESCRIPTOR
    letter = TakeLetter(numbers, False, sockets_of, has_checkpoints)
    return taker.send_letter(letter, [*sockets, left_behind] if has_checkpoints else sockets)


def _sockets(run: ServerRun, numbers: tuple[int, ...]) -> tuple[list[int], tuple[int, ...]]:
    """The descriptors of queues, and how many of them belong to each."""
    each = [run.opened.queues[number] for number in numbers]
    return [fd for fds in each for fd in fds], tuple(map(len, each))


def _hand_over(
    run: ServerRun, numbers: tuple[int, ...], giver: WorkerProcess, taker: WorkerProcess, is_all: bool
) -> bool:
    sockets, sockets_of = _sockets(run, numbers)
    here, there = socket.socketpair()
    with here, there:
        if not giver.send_letter(GiveLetter(numbers, is_all), [here.fileno()]):
            return False
        return taker.send_letter(TakeLetter(numbers, True, sockets_of), [there.fileno(), *sockets])


def share(run: ServerRun, workers: Mapping[int, WorkerProcess], leaving: int | None = None) -> None:
    """Have all queues shared evenly by these workers; the one that is `leaving` is left without any."""
    staying = [worker for worker in workers if worker != leaving]
    after = shared(run.plan.queues, run.owners, staying)
    moves: dict[tuple[int, int], list[int]] = {}
    for queue, taker in after.items():
        if run.owners[queue] != taker:
            moves.setdefault((run.owners[queue], taker), []).append(queue)
    for index, ((giver, taker), numbers) in enumerate(moves.items(), 1):
        is_last = giver == leaving and index == len(moves)
        if not hand_over(run, tuple(numbers), workers.get(giver), workers[taker], is_all=is_last):
            log.error("worker %d takes no letter: queues %s stay where they are", taker, numbers)
            after |= dict.fromkeys(numbers, giver)
        elif giver in workers:
            run.givers |= dict.fromkeys(numbers, giver)
    run.owners = after


def inherit(
    run: ServerRun,
    dead: int,
    living: Mapping[int, WorkerProcess],
    rows: Iterable[tuple[int, Row]],
    left_behind: int = NO_DESCRIPTOR,
) -> None:
    """Give the queues of a dead worker to the living at once: all but those that one of them still reads, of
    whom it was to have them. With a queue go the connections of it that are `left_behind`.

    A worker that says that it reads what it never had is not believed: the queue would be nobody's.
    """
    reading = {
        queue: worker
        for worker, row in rows
        for queue in queues_in(row, run.plan.queues)
        if run.givers.get(queue) == worker
    }
    orphaned = {queue for queue, owner in run.owners.items() if owner == dead}
    run.owners |= {queue: reading[queue] for queue in orphaned & reading.keys()}
    orphaned -= reading.keys()
    kept = {queue: owner for queue, owner in run.owners.items() if queue not in orphaned}
    after = shared(run.plan.queues, kept, list(living))
    takers: dict[int, list[int]] = {}
    for queue in sorted(orphaned):
        takers.setdefault(after[queue], []).append(queue)
        run.owners[queue] = after[queue]
    for taker, numbers in takers.items():
        hand_over(run, tuple(numbers), None, living[taker], is_all=False, left_behind=left_behind)


def unread(run: ServerRun, rows: Iterable[tuple[int, Row]]) -> frozenset[int]:
    """The queues that neither who is to have them says that it reads, nor who was told to give them: while
    one goes over its giver says so, until it is taken. The rows are by the numbers of their workers."""
    read = set()
    for worker, row in rows:
        for queue in queues_in(row, run.plan.queues):
            if run.owners[queue] == worker:
                run.givers.pop(queue, None)
                read.add(queue)
            elif run.givers.get(queue) == worker:
                read.add(queue)
    return frozenset(run.plan.queues) - read


def take_unread(run: ServerRun, queues: Iterable[int], workers: Mapping[int, WorkerProcess]) -> None:
    """Have queues read by those who are to have them: a taker may have died with its last word unread."""
    for queue in queues:
        owner = workers.get(run.owners[queue])
        if owner is not None:
            log.warning("queue %d is read by nobody: worker %d takes it", queue, owner.shard)
            hand_over(run, (queue,), None, owner, is_all=False)
