"""Checks on answers: what passes, and what does not."""

import pytest

from gossamer.core.http.client import parse_response
from gossamer.loadtest.checks import failed_check, parse_check

ANSWER = parse_response(b"HTTP/1.1 201 Created\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\n")


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("status=201", True),
        ("status=2xx", True),
        ("status=200,301-304", False),
        ("status=200-204", True),
        ("field:content-type", True),
        ("field:Content-Type=text/html", True),
        ("field:content-type=text", False),
        ("field:content-type~^text/", True),
        ("field:etag", False),
        ("field:etag~.", False),
        ("body=hello", True),
        ("body=hell", False),
        ("body~l+o$", True),
        ("body~^o", False),
        ("body=", False),
    ],
)
def test_check__an_answer__passes_or_not(text: str, passes: bool) -> None:
    check = parse_check(text)
    assert failed_check((check,), ANSWER, b"hello") is (None if passes else check)
