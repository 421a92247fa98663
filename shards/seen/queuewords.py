"""Which queues a worker reads, as its row says it: a bit for each, by the order of their marks. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gossamer.shards.seen.counters import QUEUE_WORDS, Row

WORD_BITS: Final = 64


def queues_in(row: Row, queues: Sequence[int]) -> list[int]:
    """Which of the queues a worker says that it reads."""
    words = [row.get(name) for name in QUEUE_WORDS]
    return [queue for index, queue in enumerate(queues) if words[index // WORD_BITS] >> index % WORD_BITS & 1]


def readers(
    queues: Sequence[int], rows: Iterable[tuple[int, Row]], owners: Mapping[int, int]
) -> dict[int, int]:
    """Who reads each queue: who is known to have it, unless another says so and that one does not. The rows
    are by the numbers of their workers."""
    said: dict[int, set[int]] = {}
    for worker, row in rows:
        for queue in queues_in(row, queues):
            said.setdefault(queue, set()).add(worker)
    found = {queue: min(workers) for queue, workers in said.items() if owners.get(queue) not in workers}
    return {**owners, **found}


def words_of(numbers: Iterable[int], queues: Sequence[int]) -> dict[str, int]:
    """What a worker's row says of the queues that it reads."""
    words = dict.fromkeys(QUEUE_WORDS, 0)
    wanted = set(numbers)
    for index, queue in enumerate(queues):
        if queue in wanted:
            words[QUEUE_WORDS[index // WORD_BITS]] |= 1 << index % WORD_BITS
    return words
