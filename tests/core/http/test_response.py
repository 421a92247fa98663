"""Response heads."""

import pytest

from gossamer.core.http.response import response_head


def test_head() -> None:
    assert response_head(404, [("A", "b"), ("C", "d")]) == b"HTTP/1.1 404 Not Found\r\nA: b\r\nC: d\r\n\r\n"


def test_value_that_splits__assertion() -> None:
    with pytest.raises(AssertionError):
        response_head(301, [("Location", "/\r\nSet-Cookie: x")])
