"""What a TARGET that names a native application looks like."""

import pytest

from gossamer.shards.web.application_name import is_application_name


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("a:b", True),
        ("a.b:c.d", True),
        ("www", False),
        ("./a:b", False),
        ("a:", False),
        (":b", False),
        ("C:/x", False),
    ],
)
def test_is_application_name(target: str, expected: bool) -> None:
    assert is_application_name(target) is expected
