"""The shared counters."""

import mmap
import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.wire.drop import DropReason
from gossamer.shards.seen.counters import (
    COLUMNS,
    LINE_BYTES,
    ROW_WORDS,
    WORD_BYTES,
    WorkerState,
    add_totals,
    create_row,
    drops_of,
    map_row,
    private_row,
    state_of,
)


@pytest.fixture
def memory() -> Iterator[int]:
    fd = create_row()
    yield fd
    os.close(fd)


def test_columns__every_reason_for_a_drop_has_one_and_no_name_twice() -> None:
    reasons = {f"drop_{reason.name.lower()}" for reason in (*DropReason, *SegmentDrop)}
    assert reasons <= set(COLUMNS)
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_rows__each_begins_a_cache_line_and_holds_all_columns() -> None:
    assert ROW_WORDS * WORD_BYTES % LINE_BYTES == 0
    assert len(COLUMNS) <= ROW_WORDS


def test_row__written__seen_by_another_mapping_and_in_no_other_row(memory: int) -> None:
    map_row(memory).set("requests_total", 7)
    assert map_row(memory).get("requests_total") == 7
    other = create_row()
    assert map_row(other).get("requests_total") == private_row().get("requests_total") == 0
    os.close(other)


def test_row__written_by_another_process__seen(memory: int) -> None:
    row = map_row(memory)
    pid = os.fork()
    if pid == 0:
        row.publish({"connections": 5, "of no column": 9, "state": 2})
        os._exit(0)
    os.waitpid(pid, 0)
    assert (row.get("connections"), row.get("state")) == (5, 2)


@given(st.integers(-(2**70), 2**70))
def test_row__any_integer__stored_modulo_2_to_64(value: int) -> None:
    row = private_row()
    row.set("accepted_total", value)
    assert row.get("accepted_total") == value % 2**64


def test_memory__one_row_that_can_neither_shrink_nor_grow(memory: int) -> None:
    for size in (0, 1 << 20):
        with pytest.raises(PermissionError):
            os.ftruncate(memory, size)
    assert len(mmap.mmap(memory, 0)) == ROW_WORDS * WORD_BYTES


@given(st.integers(0, 2**64 - 1))
def test_state_of__any_word__a_state_or_unsound(word: int) -> None:
    assert state_of(word) is (WorkerState(word) if word < 4 else WorkerState.UNSOUND)


def test_add_totals__sums_beyond_64_bits__still_fit_a_word() -> None:
    most = dict.fromkeys(COLUMNS, 2**64 - 1)
    assert set(add_totals(most, most).values()) == {2**64 - 2}


def test_add_totals__gauges_end_with_their_process() -> None:
    one = {"accepted_total": 2, "connections": 5, "drop_land": 1}
    both = add_totals(one, {"accepted_total": 3, "connections": 7})
    assert (both["accepted_total"], both["drop_land"]) == (5, 1)
    assert "connections" not in both


def test_drops_of__only_what_was_counted() -> None:
    assert drops_of({"drop_land": 2, "drop_paws": 0, "requests_total": 9}) == {"land": 2}


def test_row__laid_out_by_another_version__read_by_its_names() -> None:
    fd = create_row()
    columns = ("of_a_version_to_come", "state", "requests_total", "heartbeat_us")
    other = map_row(fd, columns)
    for name, value in (("state", 2), ("requests_total", 7), ("of_a_version_to_come", 9)):
        other.set(name, value)
    again = map_row(fd, columns)
    os.close(fd)
    assert (again.get("state"), again.get("accepted_total")) == (2, 0)
    found = again.read()
    assert tuple(found) == COLUMNS
    assert (found["requests_total"], found["state"], sum(found.values())) == (7, 2, 9)
