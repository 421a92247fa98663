"""The field section by our own grammar: it holds with any version of the parser beside it."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.section import HeadError, judge_lines, split_section


@pytest.mark.parametrize(
    "line",
    [
        b"Space : x",
        b"Tab\t: x",
        b": empty",
        b":",
        b":: two",
        b"",
        b"NoColon",
        b" Folded: x",
        b"\tfolded",
        b"A(b): x",
        b"A[b]: x",
        b"\xc3\xa9: x",
        b"A\x00: x",
        b"A: nul\x00",
        b"A: del\x7f",
        b"A: bare\rcr",
        b"A: bare\nB: lf",
    ],
)
def test_judge_lines__no_token_before_the_colon_or_no_text_behind__400(line: bytes) -> None:
    with pytest.raises(HeadError) as caught:
        judge_lines(b"Host: a\r\n" + line + b"\r\nB: c\r\n\r\n")
    assert (caught.value.status, caught.value.reason) == (400, "bad header field")


@pytest.mark.parametrize(
    "section", [b"\r\n", b"A:\r\n\r\n", b"A:b\r\n\r\n", b"!#$%&'*+-.^_`|~09Az:\t \x80\xff:\t\r\nB: c\r\n\r\n"]
)
def test_judge_lines__tokens_and_any_text__pass(section: bytes) -> None:
    judge_lines(section)


def is_taken(judge: Callable[[], object]) -> bool:
    try:
        judge()
    except HeadError:
        return False
    return True


@given(
    st.sampled_from([b"%c: xy", b"A%c: xy", b"%cA: xy", b"A: x%cy", b"A:%c", b"A: x%c"]), st.integers(0, 255)
)
def test_both_judges__any_octet_anywhere__agree(line: bytes, octet: int) -> None:
    section = line % octet + b"\r\n\r\n"
    if octet != 0x0A:  # A bare LF is refused before either is asked.
        assert is_taken(lambda: judge_lines(section)) == is_taken(lambda: split_section(section, 1))
