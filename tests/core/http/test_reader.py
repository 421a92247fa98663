"""The request reader: where messages end, whatever pieces they come in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.limits import MessageLimits
from gossamer.core.http.reader import RequestReader, is_one_head
from gossamer.core.http.request import HeadParser, Refusal, RequestParser, parse_request

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
PUT = b"PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED_PUT = (
    b"PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
)

LIMITS = MessageLimits(request_line_bytes_max=100, head_bytes_max=300)


def read_all(data: bytes, step: int, parse: HeadParser = parse_request) -> list[tuple[str, bytes] | int]:
    """Every request with its body, or the status of a refusal, when `data` comes in pieces."""
    reader = RequestReader(parse)
    found: list[tuple[str, bytes] | int] = []
    target, body, in_body = "", b"", False
    for at in range(0, len(data), step):
        reader.receive(data[at : at + step])
        while True:
            if in_body:
                piece = reader.next_body()
                if piece is None:
                    break
                if isinstance(piece, Refusal):
                    return [*found, piece.status]
                body += piece
                if piece == b"":
                    found.append((target, body))
                    in_body = False
                continue
            request = reader.next_request()
            if request is None:
                break
            if isinstance(request, Refusal):
                return [*found, request.status]
            target, body, in_body = request.target, b"", True
    return found


@given(st.lists(st.sampled_from([GET % 1, GET % 2, PUT, CHUNKED_PUT]), max_size=6), st.integers(1, 200))
def test_pipelined__same_requests_whatever_the_pieces(messages: list[bytes], step: int) -> None:
    expected = {
        GET % 1: ("/1", b""),
        GET % 2: ("/2", b""),
        PUT: ("/p", b"hello"),
        CHUNKED_PUT: ("/c", b"hello"),
    }
    assert read_all(b"".join(messages), step) == [expected[message] for message in messages]


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes__same_outcome_whatever_the_pieces(noise: bytes, step: int) -> None:
    data = GET % 1 + noise
    assert outcome(data, step) == outcome(data, len(data))


def outcome(data: bytes, step: int) -> list[object]:
    """What is read; which status refuses the rest may depend on how much of it was there."""
    return [found if isinstance(found, tuple) else "refused" for found in read_all(data, step)]


def test_body_is_not_a_request__smuggling() -> None:
    inner = b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n"
    message = b"PUT /p HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s" % (len(inner), inner)
    assert read_all(message, 10) == [("/p", inner)]


@pytest.mark.parametrize("line", [b"Space : x", b"Tab\t: x", b": empty", b":: x", b"A(b): x", b"\xc3\xa9: x"])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_field_name__no_token__400_by_the_whole_way_and_the_plain_one(line: bytes, step: int) -> None:
    parse = RequestParser()
    good = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
    bad = good[:-2] + line + b"\r\n\r\n"
    assert read_all(good + bad + good, step, parse) == [("/a", b""), 400]
    plain = parse.plain_get(good)
    assert plain is not None
    assert (plain[0], parse.plain_get(bad)) == ("a", None)


def test_refused__nothing_after_it_is_read() -> None:
    both = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert read_all(both + GET % 1, 1000) == [400]


@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_empty_lines_before_a_request__ignored(step: int) -> None:
    data = b"\r\n" + GET % 1 + b"\r\n\r\n\r\n" + GET % 2
    assert read_all(data, step) == [("/1", b""), ("/2", b"")]
    assert read_all(b"\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", step) == [400]


def test_head_limit_below_the_line_limit__still_431() -> None:
    reader = RequestReader(parse_request, MessageLimits(request_line_bytes_max=1000, head_bytes_max=50))
    reader.receive(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 10 + b"\r\n")
    assert reader.next_request() == Refusal(431, "header fields too large")


def refusal_of(data: bytes) -> int:
    reader = RequestReader(parse_request, LIMITS)
    reader.receive(data)
    refusal = reader.next_request()
    assert isinstance(refusal, Refusal)
    return refusal.status


def test_unfinished_heads__refused_before_their_end() -> None:
    assert refusal_of(b"GET /" + b"a" * 100) == 414
    assert refusal_of(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 60) == 431
    assert refusal_of(b"GET / HTTP/1.1\n") == 400
    assert refusal_of(b"GET / HTTP/1.1\r\nHost: a\n\r\n") == 400
    assert refusal_of(b"\x16\x03\x01\x02\x00") == 400


def test_bare_lf__found_across_pieces() -> None:
    reader = RequestReader(parse_request)
    for piece in (b"GET / HTTP/1.1\r", b"\nHost: a", b"\n"):
        assert reader.next_request() is None
        reader.receive(piece)
    assert isinstance(reader.next_request(), Refusal)


def test_buffer__holds_one_head_at_most() -> None:
    reader = RequestReader(parse_request, LIMITS)
    for _ in range(1000):
        reader.receive(b"A")
        if isinstance(reader.next_request(), Refusal):
            break
    assert len(reader.buffer) <= LIMITS.head_bytes_max


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (GET % 1, True),
        (GET % 1 + GET % 2, False),
        (GET % 1 + b"\r", False),
        (b"\r\n" + GET % 1, False),
        ((GET % 1)[:-1], False),
        (b"\r\n\r\n", False),
        (b"", False),
    ],
)
def test_is_one_head(data: bytes, expected: bool) -> None:
    assert is_one_head(data, MessageLimits()) is expected


@given(st.lists(st.sampled_from([b"GET / HTTP/1.1\r\n", b"Host: a\r\n", b"\r\n", b"\n", b"x"]), max_size=8))
def test_is_one_head__a_reader_finds_the_same(lines: list[bytes]) -> None:
    data = b"".join(lines)
    reader = RequestReader(parse_request, LIMITS)
    reader.receive(data)
    if is_one_head(data, LIMITS):
        assert (reader.next_head(), reader.has_input) == (data, False)
    else:
        assert reader.next_head() != data
