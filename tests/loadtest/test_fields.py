"""Header fields of a user: taken, or refused in one line."""

import pytest

from gossamer.loadtest.fields import parse_fields
from gossamer.loadtest.request_set import RequestTemplate, request_bytes
from gossamer.shards.exitcode import ConfigError


def test_fields__some__stand_in_the_request_in_their_order() -> None:
    fields = parse_fields(["Accept: text/html", "X-Empty:", "host: other.example", "Accept:\ta"])
    template = RequestTemplate("GET", "/p", "a:1", fields)
    assert request_bytes(template, keep_alive=True, minor=1) == (
        b"GET /p HTTP/1.1\r\nHost: other.example\r\nAccept: text/html\r\nX-Empty: \r\nAccept: a\r\n\r\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no colon",
        "Bad Name: x",
        ": x",
        "X: a\r\nY: b",
        "X: \x00",
        "X: \u20ac",
        "Content-Length: 5",
        "EXPECT: x",
    ],
)
def test_fields__what_would_break_the_request__one_line(line: str) -> None:
    with pytest.raises(ConfigError, match="--header: found") as caught:
        parse_fields([line])
    assert "\n" not in str(caught.value)
