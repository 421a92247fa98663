"""The shared counters: one row for each writer, in a memory of its own that it and the supervisor map.

    row = 64-byte-aligned words of 8 bytes, one a name of COLUMNS; one process writes it, the supervisor reads

Owns the columns and the layout. A store of an aligned word is atomic, so no row needs a lock; a reader may
see one counter a moment before another. A worker has fewer rights than who reads its row, and no worker has
the row of another: whatever stands in a row is some word of 64 bits, and no more is believed of it. Knows no
process and no statistics but by name.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.wire.drop import DropReason
from gossamer.ffi.shared_memory import create_memory, map_memory
from gossamer.shards.web.response_times import COUNTS, SUM

WORD_BYTES: Final = 8
LINE_BYTES: Final = 64
MASK: Final = (1 << 64) - 1


class WorkerState(IntEnum):
    """How far a worker has come; it stands in its row."""

    UNSOUND = -1
    """What stands there is no state: its writer is not to be trusted any more."""
    STARTING = 0
    WAITING = 1
    """Ready, and waiting until its predecessor has let go of the queue."""
    SERVING = 2
    DRAINING = 3


STATES: Final = frozenset(state.value for state in WorkerState if state is not WorkerState.UNSOUND)

KERNEL_DROPS: Final = ("kernel_queue_full", "kernel_handshakes_full", "kernel_socket_full")
"""Packets that the kernel dropped before a worker saw them: the NFQUEUE was full, that of SYNs was, or the
netlink socket."""

DROPS: Final = (
    *(reason.name.lower() for reason in DropReason),
    *(reason.name.lower() for reason in SegmentDrop),
    *KERNEL_DROPS,
)

GAUGES: Final = (
    "connections",
    "threads",
    "ready",
    "cache_bytes",
    "cache_entries",
    "half_open",
    "parked",
    "accept_queue",
    "time_wait",
    "disk_engine",
    "disk_waiting",
    "queue_waiting",
    "buffered_bytes",
    "buffered_bytes_max",
    "memory_pressure",
    "checkpoints",
    "tasks",
    "spent",
)
"""They say what is now, and end with their process; the others are totals and go on over restarts."""

TOTALS: Final = (
    "accepted_total",
    "connections_refused_total",
    "requests_total",
    "responses_4xx_total",
    "responses_5xx_total",
    "cache_hits_total",
    "proxy_headers_refused_total",
    "tls_handshakes_total",
    "tls_resumed_total",
    "tls_failed_total",
    "tls_plain_total",
    "packets_in_total",
    "packets_out_total",
    "frames_out_total",
    "retransmits_total",
    "delivery_problems_total",
    "syn_cookies_sent_total",
    "syn_cookies_taken_total",
    "fast_opens_total",
    "fast_open_lost_total",
    "parked_total",
    "moved_in_total",
    "moved_out_total",
    "moved_lost_total",
    "memory_pressed_total",
    "restored_total",
    "checkpoints_total",
    "checkpoints_refused_total",
    "turns_total",
    "disk_operations_total",
    "thread_errors_total",
    "application_errors_total",
    "application_hung_total",
    "log_lines_dropped_total",
)

RESPONSE_TIMES: Final = (*COUNTS, SUM)
"""How many responses took how long, and how long all of them did; totals too."""

QUEUE_WORDS: Final = ("queues_0", "queues_1", "queues_2", "queues_3")
"""A bit for each queue that the worker reads (`shards.supervisor.queuemoves`)."""

COLUMNS: Final = (
    "heartbeat_us",
    "state",
    *QUEUE_WORDS,
    *GAUGES,
    *TOTALS,
    *(f"drop_{reason}" for reason in DROPS),
    *RESPONSE_TIMES,
)

SUMMED: Final = (*TOTALS, *(f"drop_{reason}" for reason in DROPS), *RESPONSE_TIMES)
"""What goes on over restarts."""

INDEX: Final[Mapping[str, int]] = {name: index for index, name in enumerate(COLUMNS)}

ROW_WORDS: Final = -(-len(COLUMNS) * WORD_BYTES // LINE_BYTES) * LINE_BYTES // WORD_BYTES


class Row:
    """One row; the caller is its one writer, or only reads."""

    __slots__ = ("_index", "_words")

    def __init__(self, words: memoryview, index: Mapping[str, int] = INDEX) -> None:
        """`index` says where each name stands."""
        self._words = words
        self._index = index

    def set(self, name: str, value: int) -> None:
        """Store one counter."""
        self._words[self._index[name]] = value & MASK

    def get(self, name: str) -> int:
        """Read one counter."""
        index = self._index.get(name)
        return 0 if index is None else self._words[index]

    def publish(self, statistics: Mapping[str, int]) -> None:
        """Store the statistics that have a column; what has none is its owner's alone."""
        words, names = self._words, self._index
        for name, value in statistics.items():
            index = names.get(name)
            if index is not None:
                words[index] = value & MASK

    def read(self) -> dict[str, int]:
        """All counters by name; 0 of one that the row does not have."""
        if self._index is INDEX:
            return dict(zip(COLUMNS, self._words, strict=False))
        return {name: self.get(name) for name in COLUMNS}


def create_row() -> int:
    """The descriptor of a memory with one zeroed row, to be given to its writer."""
    return create_memory("gossamer-counters", ROW_WORDS * WORD_BYTES)


def map_row(fd: int, columns: Sequence[str] = COLUMNS) -> Row:
    """The row in that memory, which a writer of another version may have laid out otherwise."""
    index = INDEX if columns == COLUMNS else {name: place for place, name in enumerate(columns)}
    return Row(memoryview(map_memory(fd)).cast("Q"), index)


def private_row() -> Row:
    """A zeroed row that no other process has."""
    return Row(memoryview(bytearray(ROW_WORDS * WORD_BYTES)).cast("Q"))


def state_of(word: int) -> WorkerState:
    """The state that a word of a row stands for."""
    return WorkerState(word) if word in STATES else WorkerState.UNSOUND


def add_totals(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """The totals and drops of two rows together, as 64 bits; what the dead have counted goes on counting."""
    return {name: (one.get(name, 0) + other.get(name, 0)) & MASK for name in SUMMED}


def drops_of(row: Mapping[str, int]) -> dict[str, int]:
    """The reasons that have been counted at all."""
    return {reason: row[f"drop_{reason}"] for reason in DROPS if row.get(f"drop_{reason}", 0)}
