"""Durations and sizes as people write them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.clock import NEVER_US
from gossamer.shards.units import format_duration, format_size, parse_duration_us, parse_size_bytes


@pytest.mark.parametrize(
    ("text", "us"),
    [("30s", 30_000_000), ("250ms", 250_000), ("5", 5_000_000), ("1.5 s", 1_500_000), ("2m", 120_000_000)],
)
def test_parse_duration__text__microseconds(text: str, us: int) -> None:
    assert parse_duration_us(text) == us


def test_parse_duration__never__is_the_far_end_of_time() -> None:
    assert parse_duration_us("never") == NEVER_US
    assert format_duration(NEVER_US) == "never"


@pytest.mark.parametrize(
    ("text", "size"), [("64KiB", 65536), ("1MB", 1_000_000), ("12", 12), ("0.5 MiB", 524288)]
)
def test_parse_size__text__bytes(text: str, size: int) -> None:
    assert parse_size_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", "abc", "-1s", "1 parsec", "1s 2s", "1e9s", "٣s", "1" * 40, "s", "1.s", "nan"]
)
def test_parse_duration__no_duration__refused(text: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(text) + "$"):
        parse_duration_us(text)


@given(st.integers(0, 10**15))
def test_format_duration__read_back__the_same(us: int) -> None:
    assert parse_duration_us(format_duration(us)) == us


@given(st.integers(0, 10**14))
def test_format_size__read_back__the_same(size: int) -> None:
    assert parse_size_bytes(format_size(size)) == size
