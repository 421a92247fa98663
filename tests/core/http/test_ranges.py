"""Byte ranges, checked against their plain meaning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.ranges import (
    WHOLE,
    ByteRange,
    closing_delimiter,
    content_range,
    part_head,
    satisfiable_ranges,
    unsatisfied_range,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=0-1000", [(0, 100)]),
        ("bytes=0-9223372036854775807", [(0, 100)]),
        ("bytes=0-18446744073709551616", [(0, 100)]),
        ("bytes=000000000000000000000000-00000000000000000000000000009", [(0, 10)]),
        ("bytes=-99999999999999999999999", [(0, 100)]),
        ("bytes=0-0,", [(0, 1)]),
        ("bytes=, ,0-0,,5-6", [(0, 1), (5, 7)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("BYTES=0-0", [(0, 1)]),
        ("bytes= 0 - 0 , 5 - 6", [(0, 1), (5, 7)]),
        ("bytes=5-6,0-0", [(5, 7), (0, 1)]),
        ("bytes=0-0,200-300", [(0, 1)]),
        ("bytes=0-0,9-5,-0", [(0, 1)]),
    ],
)
def test_satisfiable(text: str, expected: list[tuple[int, int]]) -> None:
    assert satisfiable_ranges(text, 100) == tuple(ByteRange(start, end) for start, end in expected)


@pytest.mark.parametrize(
    "text",
    [
        "bytes=100-",
        "bytes=100-200",
        "bytes=-0",
        "bytes=9-5",
        "bytes=a-b",
        "bytes=-",
        "bytes=0",
        "bytes=0-0,x",
        "bytes=0-0-0",
        "bytes=+1-2",
    ],
)
def test_unsatisfiable_or_no_range__416(text: str) -> None:
    assert satisfiable_ranges(text, 100) is None


@pytest.mark.parametrize(
    "text",
    [
        "lines=0-1",
        "0-1",
        "bytes=",
        "",
        "bytes=" + ",".join(["0-0"] * 65),
        "bytes=" + ",".join(["0-"] * 20),
        "bytes=0-99,0-0",
        "bytes=0-0" + " " * 5000,
    ],
)
def test_bombs_and_unknown_units__the_whole(text: str) -> None:
    assert satisfiable_ranges(text, 100) == WHOLE


def test_empty_file__the_whole() -> None:
    assert satisfiable_ranges("bytes=0-0", 0) == WHOLE
    assert satisfiable_ranges("bytes=-5", 0) == WHOLE
    assert satisfiable_ranges("bytes=1-", 0) is None


@given(st.integers(0, 200), st.integers(0, 200), st.integers(1, 150))
def test_one_range__is_what_slicing_gives(first: int, last: int, length: int) -> None:
    content = bytes(range(length))
    ranges = satisfiable_ranges(f"bytes={first}-{last}", length)
    wanted = content[first : last + 1]
    assert [content[one.start : one.end] for one in ranges or ()] == ([wanted] if wanted else [])


@given(st.text("bytes=0123456789-, ", max_size=60), st.integers(0, 1000))
def test_any_text__inside_the_file_and_never_more_than_it(text: str, length: int) -> None:
    ranges = satisfiable_ranges("bytes=" + text, length)
    assert sum(one.length for one in ranges or ()) <= length
    assert all(0 <= one.start < one.end <= length for one in ranges or ())


def test_texts() -> None:
    assert content_range(ByteRange(0, 5), 10) == "bytes 0-4/10"
    assert unsatisfied_range(10) == "bytes */10"
    assert part_head(ByteRange(0, 5), 10, "text/plain", "B") == (
        b"\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-4/10\r\n\r\n"
    )
    assert closing_delimiter("B") == b"\r\n--B--\r\n"
