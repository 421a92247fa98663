"""Credentials of Basic authentication."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.basic import CREDENTIALS_BYTES_MAX, credentials_of


def basic(text: str, scheme: str = "Basic") -> str:
    return f"{scheme} {b64encode(text.encode()).decode()}"


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC "])
def test_credentials__the_password_after_the_first_colon(scheme: str) -> None:
    assert credentials_of(basic("ada:a:ü b", scheme)) == ("ada", "a:ü b")
    assert credentials_of(basic(":", scheme)) == ("", "")


@pytest.mark.parametrize(
    "field",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Bearer abc",
        "Basic YWRh",  # no colon
        "Basic YWRhOmE",  # no padding
        "Basic YWRhOmE=!",
        "Basic /w==",  # no UTF-8
        basic("a\0:b"),
        basic("a:b\n"),
        basic("a:" + "b" * CREDENTIALS_BYTES_MAX),
        "Basic YWRhOmE=, Basic YWRhOmE=",
    ],
)
def test_credentials__anything_else__none(field: str | None) -> None:
    assert credentials_of(field) is None


@given(st.text(max_size=50))
def test_credentials__any_text__never_an_error(text: str) -> None:
    credentials_of(text)
    credentials_of("Basic " + text)
