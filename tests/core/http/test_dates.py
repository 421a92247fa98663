"""HTTP dates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.dates import format_date, parse_date

SIXTH_OF_NOVEMBER = 784111777
IN_2026 = 1_790_000_000


@pytest.mark.parametrize(
    "text",
    ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"],
)
def test_three_forms__rfc_9110_5_6_7(text: str) -> None:
    assert parse_date(text, IN_2026) == SIXTH_OF_NOVEMBER


def test_format__imf_fixdate() -> None:
    assert format_date(SIXTH_OF_NOVEMBER) == "Sun, 06 Nov 1994 08:49:37 GMT"


@given(st.integers(0, 253402300799))
def test_round_trip(seconds: int) -> None:
    assert parse_date(format_date(seconds)) == seconds


@pytest.mark.parametrize(("year", "expected"), [("94", 1994), ("26", 2026), ("75", 2075), ("77", 1977)])
def test_two_digit_year__never_more_than_fifty_years_ahead(year: str, expected: int) -> None:
    seconds = parse_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT", IN_2026)
    assert seconds is not None
    assert format_date(seconds)[12:16] == str(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "Sun, 31 Feb 1994 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "1994-11-06T08:49:37Z",
    ],
)
def test_no_date__none(text: str) -> None:
    assert parse_date(text) is None


@given(st.text(max_size=60))
def test_any_text__a_number_or_none(text: str) -> None:
    assert parse_date(text) is None or isinstance(parse_date(text), int)
