"""Names of files for people: whatever octets they have, what comes out can be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.printable import printable


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"/srv/www", "/srv/www"),
        ("/srv/café".encode(), "/srv/café"),
        ("/srv/café".encode("latin-1"), "/srv/caf\\xe9"),
        (b"\xff\xfe/\xc3", "\\xff\\xfe/\\xc3"),
        (b"back\\slash", "back\\slash"),
    ],
)
def test_octets__utf_8_as_it_is__others_escaped(octets: bytes, shown: str) -> None:
    assert printable(octets.decode(errors="surrogateescape")) == shown


def test_surrogate_that_stands_for_no_octet__escaped_too() -> None:
    assert printable("a\ud800\udce9") == "a\\ud800\\udce9"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text__can_be_written(text: str) -> None:
    assert printable(text).encode().decode() == printable(text)
