"""The memory in which an engine counts, and the conductor reads.

    row = words of 8 octets: the state, the counters of a tally, the lanes of its histograms

Owns the layout. One process writes a row; a store of an aligned word is atomic, so no row needs a lock. The
histograms are counted there directly; the counters are published from time to time, and at the end.
"""

from array import array
from typing import Final

from gossamer.ffi.shared_memory import create_memory, map_memory
from gossamer.loadtest.histogram import BUCKETS
from gossamer.loadtest.tally import COUNTER_NAMES, HISTOGRAM_NAMES, NotSent, Tally

WORD_BYTES: Final = 8
STOOD: Final = 0
"""One more than the connections that stand, once all have been tried; 0 before."""
ERRORS: Final = 1
COUNTERS_AT: Final = 8
NEVER_SENT_AT: Final = COUNTERS_AT + len(COUNTER_NAMES)
LANES_AT: Final = NEVER_SENT_AT + len(NotSent)
ROW_WORDS: Final = LANES_AT + 2 * len(HISTOGRAM_NAMES) * BUCKETS
BOARD_WORDS: Final = 8
BEGIN_US: Final = 0
"""Of the board: the instant at which the clock starts."""
END: Final = 1
"""Of the board: not 0 once the time is over sooner than it was to be."""


class SharedWords:
    """A memory of words, and its descriptor's mapping."""

    def __init__(self, words: int, name: str) -> None:
        self.words = memoryview(map_memory(create_memory(name, words * WORD_BYTES))).cast("Q")


class SharedBoard(SharedWords):
    """What the conductor says to all engines."""

    def __init__(self) -> None:
        super().__init__(BOARD_WORDS, "gossamer-load-board")


class EngineRow(SharedWords):
    """What an engine counts."""

    def __init__(self) -> None:
        super().__init__(ROW_WORDS, "gossamer-load-engine")

    def tally(self) -> Tally:
        """A tally whose histograms stand in this memory: the engine's."""
        return Tally(self.words[LANES_AT:])

    def publish(self, tally: Tally) -> None:
        """Store the counters of the engine's tally."""
        words = self.words
        for index, name in enumerate(COUNTER_NAMES, COUNTERS_AT):
            words[index] = getattr(tally, name)
        for index, count in enumerate(tally.never_sent.values(), NEVER_SENT_AT):
            words[index] = count
        words[ERRORS] = tally.errors_total

    def copied(self) -> Tally:
        """A tally of what stands here now, apart from this memory: the conductor's.

        The kinds of its errors and its statuses are not known.
        """
        words, tally = self.words, Tally()
        for index, name in enumerate(COUNTER_NAMES, COUNTERS_AT):
            setattr(tally, name, words[index])
        for index, why in enumerate(tally.never_sent, NEVER_SENT_AT):
            tally.never_sent[why] = words[index]
        for name, counted in zip(HISTOGRAM_NAMES, Tally(words[LANES_AT:]).histograms(), strict=True):
            ours = getattr(tally, name)
            ours.counts[:], ours.floors[:] = array("Q", counted.counts), array("Q", counted.floors)
            ours.settle()
        return tally
