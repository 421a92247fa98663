"""The shared counters."""

import mmap
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.wire.drop import DropReason
from gossamer.shards.counters import (
    COLUMNS,
    LINE_BYTES,
    ROW_WORDS,
    WORD_BYTES,
    CounterTable,
    add_totals,
    create_counters,
    drops_of,
)


@pytest.fixture
def table() -> CounterTable:
    fd = create_counters(4)
    found = CounterTable(fd)
    os.close(fd)
    return found


def test_columns__every_reason_for_a_drop_has_one_and_no_name_twice() -> None:
    reasons = {f"drop_{reason.name.lower()}" for reason in (*DropReason, *SegmentDrop)}
    assert reasons <= set(COLUMNS)
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_rows__each_begins_a_cache_line_and_holds_all_columns() -> None:
    assert ROW_WORDS * WORD_BYTES % LINE_BYTES == 0
    assert len(COLUMNS) <= ROW_WORDS


def test_row__written__seen_by_another_mapping_and_in_no_other_row(table: CounterTable) -> None:
    table.row(1).set("requests_total", 7)
    assert [table.row(index).get("requests_total") for index in range(4)] == [0, 7, 0, 0]


def test_row__written_by_another_process__seen(table: CounterTable) -> None:
    pid = os.fork()
    if pid == 0:
        table.row(2).publish({"connections": 5, "of no column": 9, "state": 2})
        os._exit(0)
    os.waitpid(pid, 0)
    assert (table.row(2).get("connections"), table.row(2).get("state")) == (5, 2)


def test_row__cleared__zero_again(table: CounterTable) -> None:
    table.row(3).publish(dict.fromkeys(COLUMNS, 3))
    table.row(3).clear()
    assert set(table.row(3).read().values()) == {0}


def test_row__beyond_the_last__refused(table: CounterTable) -> None:
    for index in (-1, 4):
        with pytest.raises(IndexError):
            table.row(index)


@given(st.integers(-(2**70), 2**70))
def test_row__any_integer__stored_modulo_2_to_64(value: int) -> None:
    fd = create_counters(1)
    row = CounterTable(fd).row(0)
    os.close(fd)
    row.set("accepted_total", value)
    assert row.get("accepted_total") == value % 2**64


def test_memory__can_neither_shrink_nor_grow() -> None:
    fd = create_counters(1)
    for size in (0, 1 << 20):
        with pytest.raises(PermissionError):
            os.ftruncate(fd, size)
    assert len(mmap.mmap(fd, 0)) == ROW_WORDS * WORD_BYTES
    os.close(fd)


def test_add_totals__gauges_end_with_their_process() -> None:
    one = {"accepted_total": 2, "connections": 5, "drop_land": 1}
    both = add_totals(one, {"accepted_total": 3, "connections": 7})
    assert (both["accepted_total"], both["drop_land"]) == (5, 1)
    assert "connections" not in both


def test_drops_of__only_what_was_counted() -> None:
    assert drops_of({"drop_land": 2, "drop_paws": 0, "requests_total": 9}) == {"land": 2}
