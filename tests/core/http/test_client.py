"""The client half; and both halves together, every message through one and back through the other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.client import (
    CHUNKED,
    UNTIL_CLOSE,
    Response,
    ResponseError,
    ResponseReader,
    build_request,
    parse_response,
    response_parser,
)
from gossamer.core.http.request import Request, parse_request
from gossamer.core.http.response import response_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def read(data: bytes, step: int = 1000, method: str = "GET", closes: bool = False) -> list[tuple[int, bytes]]:
    reader = ResponseReader()
    found: list[tuple[int, bytes]] = []
    response: Response | None = None
    body = b""
    pieces = [data[at : at + step] for at in range(0, len(data), step)] + ([b""] if closes else [])
    for piece in pieces:
        reader.receive(piece)
        while True:
            if response is None:
                response, body = (reader.next_response(method) if reader.has_input else None), b""
                if response is None:
                    break
            part = reader.next_body()
            if part is None:
                break
            body += part
            if part == b"":
                found.append((response.status, body))
                response = None
    return found


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_bodies__by_length_chunks_and_close(step: int) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    assert read(OK + chunked + OK, step) == [(200, b"hello")] * 3
    assert read(b"HTTP/1.0 200 OK\r\n\r\nhello", step, closes=True) == [(200, b"hello")]


def test_no_body__head_204_304() -> None:
    assert read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" * 2, method="HEAD") == [(200, b"")] * 2
    assert read(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + OK) == [
        (304, b""),
        (200, b"hello"),
    ]
    assert read(b"HTTP/1.1 204\r\n\r\n" + OK) == [(204, b""), (200, b"hello")]


def test_interim_responses__skipped() -> None:
    assert read(b"HTTP/1.1 100 Continue\r\n\r\n" + OK) == [(200, b"hello")]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"x" * 40000,
    ],
)
def test_breach__response_error(data: bytes) -> None:
    with pytest.raises(ResponseError):
        read(data)


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 200 OK\r\nConte", OK[:-1], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nh"],
)
def test_closed_too_early__response_error(data: bytes) -> None:
    with pytest.raises(ResponseError, match="closed"):
        read(data, closes=True)


def test_parse_response__record() -> None:
    response = parse_response(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nX:  y \r\n\r\n")
    assert (response.status, response.reason, response.minor, response.keep_alive) == (
        404,
        "Not Found",
        1,
        False,
    )
    assert (response.body_bytes, response.field("x")) == (UNTIL_CLOSE, "y")
    assert parse_response(b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n").body_bytes == CHUNKED
    parse = response_parser()
    assert parse(OK[:-5]) is parse(OK[:-5])


def test_build_request__refuses_what_would_split_it() -> None:
    for target, value in (("/ HTTP/1.1\r\nX: y", "a"), ("/", "a\r\nX: y"), ("/", "a\0")):
        with pytest.raises(ValueError, match="line break"):
            build_request("GET", target, "a", [("A", value)])


TOKENS = st.text("abcXYZ-_!", min_size=1, max_size=10).filter(lambda name: name.lower() not in ("host", "te"))
VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)


@given(
    st.sampled_from(["GET", "PUT", "POST"]),
    st.lists(st.tuples(TOKENS, VALUES), max_size=5),
    st.binary(max_size=40),
)
def test_request__through_both_halves(method: str, fields: list[tuple[str, str]], body: bytes) -> None:
    data = build_request(method, "/x?y", "a.example", fields, body, keep_alive=not body)
    request = parse_request(data.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert isinstance(request, Request)
    assert (request.method, request.target, request.host, request.body_bytes) == (
        method,
        "/x?y",
        "a.example",
        len(body),
    )
    assert request.keep_alive is (not body)
    assert list(request.fields[1 : 1 + len(fields)]) == [(name.lower(), value) for name, value in fields]


@given(
    st.sampled_from([200, 206, 404, 500]),
    st.lists(st.tuples(TOKENS, VALUES), max_size=5),
    st.binary(max_size=40),
)
def test_response__through_both_halves(status: int, fields: list[tuple[str, str]], body: bytes) -> None:
    data = response_head(status, [*fields, ("Content-Length", str(len(body)))]) + body
    assert read(data, 7) == [(status, body)]
