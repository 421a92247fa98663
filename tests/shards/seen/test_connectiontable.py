"""The table of connections: which rows come first, how many, and what is said of the rest."""

import msgspec
import pytest

from gossamer.shards.seen.connectiontable import (
    PAGE_BYTES_MAX,
    PAGE_ROWS,
    ConnectionPage,
    ConnectionRow,
    ConnectionsWanted,
    Order,
    Picked,
    pages_of,
    together,
)


def row(number: int, **fields: int) -> ConnectionRow:
    return ConnectionRow(f"192.0.2.1:{number}", "192.0.2.2:80", "ESTABLISHED", **fields)


ROWS = [
    row(1, bytes_in=5, bytes_out=1, age_us=30, idle_us=1),
    row(2, bytes_out=9, age_us=10, idle_us=2),
    row(3, bytes_in=1, age_us=20, idle_us=3),
    row(4),
]


@pytest.mark.parametrize(
    ("order", "first"), [("bytes", [2, 1, 3, 4]), ("age", [1, 3, 2, 4]), ("idle", [3, 2, 1, 4])]
)
@pytest.mark.parametrize("rows_max", [1, 3, 4, 9])
def test_picked__the_first_in_order__what_is_not_known_last(
    order: Order, first: list[int], rows_max: int
) -> None:
    for rows in (ROWS, ROWS[::-1]):
        picked = Picked(ConnectionsWanted(order, rows_max))
        for each in rows:
            picked.add(each)
        assert [int(each.peer.rpartition(":")[2]) for each in picked.rows()] == first[:rows_max]
        assert picked.total == 4


def test_wanted__as_words__the_same_again() -> None:
    for wanted in (ConnectionsWanted(), ConnectionsWanted("age", 7, "2001:db8::1")):
        assert ConnectionsWanted.decode(wanted.encode().split(" ")) == wanted
    with pytest.raises(ValueError, match="size"):
        ConnectionsWanted.decode(["size", "1"])


def test_pages__of_two_workers__one_table() -> None:
    wanted = ConnectionsWanted("bytes", 3)
    pages: list[ConnectionPage] = []
    for worker in (0, 1):
        picked = Picked(wanted)
        for each in ROWS[worker * 2 : worker * 2 + 2]:
            picked.add(each)
        pages += pages_of(worker, picked, is_whole=True)
    table = together(pages, wanted, [0, 1])
    assert [(each.worker, each.peer[-1]) for each in table.rows] == [(0, "2"), (0, "1"), (1, "3")]
    assert (table.total, table.left_out, table.is_whole, table.silent_workers) == (4, 1, True, ())
    silent = together(pages[:-1], wanted, [0, 1])
    assert (silent.total, silent.is_whole, silent.silent_workers) == (4, False, (1,))
    partly = pages_of(1, Picked(wanted), is_whole=False)
    assert not together([*pages[:2], *partly], wanted, [0, 1]).is_whole


def test_pages__of_the_longest_rows__fit_their_message() -> None:
    address = f"[{'ffff:' * 7}ffff]:65535"
    numbers = dict.fromkeys(("cwnd_bytes", "bytes_out", "bytes_in", "age_us", "idle_us"), (1 << 64) - 1)
    long = ConnectionRow(address, address, "ESTABLISHED", address, srtt_us=1 << 40, worker=4095, **numbers)
    page = ConnectionPage(4095, (long,) * PAGE_ROWS)
    assert len(msgspec.msgpack.encode(page)) < PAGE_BYTES_MAX // 2
