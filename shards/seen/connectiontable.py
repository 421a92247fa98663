"""The table of connections that somebody asks for: what a row says, and which rows there are. Pure.

    rows of a worker -> the first of them in the wanted order -> pages -> one table of all workers

Owns the record of a row, the order, and how many rows there are at most. What is left out is counted.
"""

import heapq
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

Order = Literal["bytes", "age", "idle"]
"""What comes first: those that have moved the most, the oldest, or those on which nothing has happened for
longest."""

ROWS_DEFAULT: Final = 50
ROWS_MAX: Final = 1000
PAGE_ROWS: Final = 32
PAGE_BYTES_MAX: Final = 1 << 16


class ConnectionRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One connection; None is what its stack does not know of it."""

    peer: str
    """Address and port of its other end."""
    local: str
    state: str
    """By the names of RFC 9293."""
    client: str = ""
    """Whom a proxy has announced (PROXY protocol)."""
    cwnd_bytes: int | None = None
    srtt_us: int | None = None
    bytes_out: int | None = None
    """What the peer has acknowledged; of the functional TCP modulo 2^32, as all its counters."""
    bytes_in: int | None = None
    unsent_bytes: int | None = None
    """What stands in the send buffer and has not been sent yet."""
    retransmits: int | None = None
    idle_us: int | None = None
    """Since anything came, or something new was sent."""
    age_us: int | None = None
    """On kernel sockets since it was accepted; on the functional TCP since its SYN, as its initial sequence
    number tells: modulo 4 h 46 min, and of no meaning where that was a SYN cookie."""
    worker: int = 0


class ConnectionsWanted(msgspec.Struct, frozen=True):
    """What is asked of a worker."""

    order: Order = "bytes"
    rows_max: int = ROWS_DEFAULT
    peer: str = ""
    """The address alone whose connections are wanted; "" is every one."""

    def encode(self) -> str:
        """As words."""
        return f"{self.order} {self.rows_max} {self.peer}".rstrip()

    @classmethod
    def decode(cls, words: list[str]) -> "ConnectionsWanted":
        """The same again."""
        order, rows_max, *peer = words
        try:
            found = msgspec.convert(order, Order)
        except msgspec.ValidationError as error:  # of an old msgspec it is no ValueError
            raise ValueError(str(error)) from error
        return cls(found, int(rows_max), "".join(peer))


class ConnectionPage(msgspec.Struct, frozen=True):
    """A part of what a worker says; its last part has the counts."""

    worker: int
    rows: tuple[ConnectionRow, ...]
    is_last: bool = False
    total: int = 0
    """Connections that were asked for."""
    is_whole: bool = True
    """Whether all were looked at."""


class ConnectionTable(msgspec.Struct, frozen=True):
    """What somebody sees."""

    order: Order
    rows: list[ConnectionRow]
    total: int
    left_out: int
    """How many of them stand in no row."""
    is_whole: bool
    """Whether every worker has answered, and looked at all of its connections."""
    silent_workers: tuple[int, ...] = ()
    """Those that have not answered in time."""


def place_of(row: ConnectionRow, order: Order) -> int:
    """The larger, the earlier it comes."""
    match order:
        case "bytes":
            return (row.bytes_in or 0) + (row.bytes_out or 0)
        case "age":
            return row.age_us or 0
        case "idle":
            return row.idle_us or 0


class Picked:
    """The first of many rows. Bounds: `rows_max`."""

    def __init__(self, wanted: ConnectionsWanted) -> None:
        self._wanted = wanted
        self._heap: list[tuple[int, int, ConnectionRow]] = []
        self.total = 0

    def add(self, row: ConnectionRow) -> None:
        """Look at one more."""
        self.total += 1
        entry = (place_of(row, self._wanted.order), -self.total, row)
        if len(self._heap) < self._wanted.rows_max:
            heapq.heappush(self._heap, entry)
        else:
            heapq.heappushpop(self._heap, entry)

    def rows(self) -> list[ConnectionRow]:
        """In order."""
        return [row for _, _, row in sorted(self._heap, reverse=True)]


def pages_of(worker: int, picked: Picked, *, is_whole: bool) -> Iterator[ConnectionPage]:
    """What a worker says."""
    rows = picked.rows()
    for start in range(0, len(rows), PAGE_ROWS):
        yield ConnectionPage(worker, tuple(rows[start : start + PAGE_ROWS]))
    yield ConnectionPage(worker, (), True, picked.total, is_whole)


def together(
    pages: Iterable[ConnectionPage], wanted: ConnectionsWanted, workers: Iterable[int]
) -> ConnectionTable:
    """One table of what these workers were asked for."""
    picked, total, is_whole = Picked(wanted), 0, True
    silent = dict.fromkeys(workers)
    for page in pages:
        for row in page.rows:
            picked.add(msgspec.structs.replace(row, worker=page.worker))
        if page.is_last:
            total += page.total
            is_whole = is_whole and page.is_whole
            silent.pop(page.worker, None)
    rows = picked.rows()
    total = max(total, picked.total)
    return ConnectionTable(
        wanted.order, rows, total, total - len(rows), is_whole and not silent, tuple(silent)
    )
