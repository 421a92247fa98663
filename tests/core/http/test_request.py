"""Request heads: what is accepted means what it says, and everything doubtful is refused with its status."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.limits import MessageLimits
from gossamer.core.http.request import CHUNKED, Refusal, Request, RequestParser, parse_request

HOST = b"Host: a.example\r\n"


def head(line: bytes = b"GET / HTTP/1.1", fields: bytes = b"", host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + fields + b"\r\n"


def accepted(data: bytes) -> Request:
    request = parse_request(data)
    assert isinstance(request, Request), request
    return request


def refused(data: bytes, limits: MessageLimits | None = None) -> int:
    refusal = parse_request(data, limits) if limits else parse_request(data)
    assert isinstance(refusal, Refusal), refusal
    return refusal.status


def test_plain_get__every_field_of_the_record() -> None:
    request = accepted(head(b"GET /a/b?c=d HTTP/1.1", b"X-One:  two \t\r\nx-one: three\r\n"))
    assert (request.method, request.target, request.host, request.minor) == (
        "GET",
        "/a/b?c=d",
        "a.example",
        1,
    )
    assert request.field("x-one") == "two, three"
    assert request.field("absent") is None
    assert (request.body_bytes, request.has_body, request.keep_alive) == (0, False, True)


@pytest.mark.parametrize(
    ("line", "fields", "keep_alive"),
    [
        (b"GET / HTTP/1.1", b"Connection: close\r\n", False),
        (b"GET / HTTP/1.1", b"Connection: x, CLOSE\r\n", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_keep_alive__rfc_9112_9_3(line: bytes, fields: bytes, keep_alive: bool) -> None:
    assert accepted(head(line, fields)).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("target", "host", "origin"),
    [
        (b"http://b.example", "b.example", "/"),
        (b"http://b.example:81/x?y", "b.example:81", "/x?y"),
        (b"HTTP://b.example?y", "b.example", "/?y"),
        (b"http://[::1]:80/x", "[::1]:80", "/x"),
        (b"//b.example/x", "a.example", "//b.example/x"),
    ],
)
def test_target_forms__rfc_9112_3_2(target: bytes, host: str, origin: str) -> None:
    request = accepted(head(b"GET " + target + b" HTTP/1.1"))
    assert (request.host, request.target) == (host, origin)


def test_other_accepted_heads() -> None:
    assert accepted(head(b"OPTIONS * HTTP/1.1")).target == "*"
    assert accepted(head(b"CONNECT b.example:443 HTTP/1.1")).host == "b.example:443"
    assert accepted(head(b"GET / HTTP/1.0", host=b"")).host == ""
    assert accepted(head(b"GET / HTTP/1.7")).minor == 1
    assert accepted(head(fields=b"Connection: Upgrade\r\nUpgrade: h2c\r\n")).target == "/"
    assert accepted(head(host=b"Host:\r\n")).host == ""


@pytest.mark.parametrize(
    "line",
    [
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"GET / http/1.1",
        b"GET / HTTP/11",
        b"GET / HTTP/1.1x",
        b"GET /a\x00b HTTP/1.1",
        b"GET /a\x7fb HTTP/1.1",
        b"GET /a\rb HTTP/1.1",
        b"GET a HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET /#x HTTP/1.1",
        b"GET ftp://a.example/ HTTP/1.1",
        b"GET http:///x HTTP/1.1",
        b"GET http://u@b.example/ HTTP/1.1",
        b"CONNECT / HTTP/1.1",
        b"",
    ],
)
def test_bad_request_line__400(line: bytes) -> None:
    assert refused(head(line)) == 400


@pytest.mark.parametrize("version", [b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.0"])
def test_other_major_version__505(version: bytes) -> None:
    assert refused(head(b"GET / " + version)) == 505


@pytest.mark.parametrize("method", [b"FOO", b"get", b"PROPFIND", b"PRI"])
def test_unknown_method__501(method: bytes) -> None:
    assert refused(head(method + b" / HTTP/1.1")) == 501


@pytest.mark.parametrize(
    "fields",
    [
        b"Space : x\r\n",
        b" Folded: x\r\n",
        b"A: x\r\n folded\r\n",
        b"A: x\r\n\tfolded\r\n",
        b"NoColon\r\n",
        b": empty\r\n",
        b"A: nul\x00\r\n",
        b"A: bell\x07\r\n",
        b"A: bare\rcr\r\n",
        b"A: bare\nB: lf\r\n",
        b"A: x\n",
        b"\xc3\xa9: x\r\n",
        b"A(b): x\r\n",
    ],
)
def test_bad_field_line__400(fields: bytes) -> None:
    assert refused(head(fields=fields)) == 400


@pytest.mark.parametrize(
    "host",
    [
        b"",
        HOST + HOST,
        b"Host: a.example\r\nhost: b.example\r\n",
        b"Host: a/b\r\n",
        b"Host: a b\r\n",
        b"Host: a.example, b.example\r\n",
        b"Host: user@a\r\n",
        b"Host: a:port\r\n",
        b"Host: [::1\r\n",
    ],
)
def test_missing_double_or_bad_host__400(host: bytes) -> None:
    assert refused(head(host=host)) == 400


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: 5\r\nContent-Length: 5\r\n",
        b"Content-Length: 5, 5\r\n",
        b"Content-Length: +5\r\n",
        b"Content-Length: -5\r\n",
        b"Content-Length: 0x5\r\n",
        b"Content-Length: 5 5\r\n",
        b"Content-Length: 5.0\r\n",
        b"Content-Length: 5_0\r\n",
        b"Content-Length:\r\n",
        b"Content-Length: 99999999999999999999\r\n",
        b"Content-Length: \xb2\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: \x0bchunked\r\n",
        b"Transfer-Encoding: chunked;x=y\r\n",
        b'Transfer-Encoding: "chunked"\r\n',
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
    ],
)
def test_smuggling__400(fields: bytes) -> None:
    assert refused(head(b"POST / HTTP/1.1", fields)) == 400


def test_framing() -> None:
    assert accepted(head(b"PUT / HTTP/1.1", b"Content-Length: 007\r\n")).body_bytes == 7
    assert accepted(head(b"PUT / HTTP/1.1", b"Transfer-Encoding: Chunked\r\n")).body_bytes == CHUNKED
    assert refused(head(b"PUT / HTTP/1.0", b"Transfer-Encoding: chunked\r\n")) == 400
    for unknown in (b"gzip, chunked", b"xchunked", b"identity", b"gzip,, deflate , chunked"):
        assert refused(head(b"PUT / HTTP/1.1", b"Transfer-Encoding: " + unknown + b"\r\n")) == 501


def test_expectations__rfc_9110_10_1_1() -> None:
    upload = b"Content-Length: 5\r\nExpect: "
    assert accepted(head(b"PUT / HTTP/1.1", upload + b"100-Continue\r\n")).expects_continue
    assert not accepted(head(b"PUT / HTTP/1.0", upload + b"100-continue\r\n")).expects_continue
    assert refused(head(b"PUT / HTTP/1.1", upload + b"tea\r\n")) == 417


def test_limits__414_and_431() -> None:
    limits = MessageLimits(request_line_bytes_max=40, head_bytes_max=400, headers_max=5)
    assert refused(head(b"GET /" + b"a" * 40 + b" HTTP/1.1"), limits) == 414
    assert refused(head(fields=b"A: b\r\n" * 5), limits) == 431
    assert refused(head(fields=b"A: " + b"b" * 400 + b"\r\n"), limits) == 431
    assert isinstance(parse_request(head(fields=b"A: b\r\n" * 4), limits), Request)


def test_two_heads_are_never_one() -> None:
    assert refused(head() + head()) == 400


@given(st.binary(max_size=300))
def test_any_bytes__a_value_and_never_an_exception(noise: bytes) -> None:
    for data in (
        noise,
        noise + b"\r\n\r\n",
        head(fields=noise + b"\r\n"),
        head(b"GET " + noise + b" HTTP/1.1"),
    ):
        assert parse_request(data) == parse_request(data)


@given(st.text(st.characters(codec="ascii", exclude_characters="\r\n"), max_size=60))
def test_field_value__comes_back_stripped_or_is_refused(value: str) -> None:
    request = parse_request(head(fields=b"X: " + value.encode() + b"\r\n"))
    if any((ord(character) < 32 and character != "\t") or ord(character) == 127 for character in value):
        assert isinstance(request, Refusal)
    else:
        assert isinstance(request, Request)
        assert request.field("x") == value.strip(" \t")


def test_request_parser__equal_sections_judged_once() -> None:
    parse = RequestParser()
    first, second = parse(head(b"GET /a HTTP/1.1")), parse(head(b"GET /b?c HTTP/1.1"))
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.target, second.target) == ("/a", "/b?c")
    assert second.section is first.section


def test_request_parser__the_same_section_under_another_version() -> None:
    parse = RequestParser()
    new, old = parse(head()), parse(head(b"GET / HTTP/1.0"))
    assert isinstance(new, Request)
    assert isinstance(old, Request)
    assert (new.keep_alive, old.keep_alive) == (True, False)


@given(st.binary(max_size=60), st.binary(max_size=100))
def test_request_parser__says_what_parse_request_says(target: bytes, noise: bytes) -> None:
    parse = RequestParser()
    for data in (head(b"GET /" + target + b" HTTP/1.1"), head(fields=noise + b"\r\n"), noise):
        assert [parse(data), parse(data)] == [parse_request(data)] * 2


PLAIN = b"Accept: */*\r\n"


def test_plain_get__only_with_fields_that_were_judged() -> None:
    parse = RequestParser()
    wanted = head(b"GET /a/b.txt HTTP/1.1", PLAIN)
    assert parse.plain_get(wanted) is None
    parse(head(b"GET /other HTTP/1.1", PLAIN))
    plain = parse.plain_get(wanted)
    assert plain is not None
    assert (plain[0], plain[1].table["accept"]) == ("a/b.txt", "*/*")


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (b"HEAD /a HTTP/1.1", PLAIN),
        (b"GET /a HTTP/1.0", PLAIN),
        (b"GET / HTTP/1.1", PLAIN),
        (b"GET /a/ HTTP/1.1", PLAIN),
        (b"GET //a HTTP/1.1", PLAIN),
        (b"GET /.a HTTP/1.1", PLAIN),
        (b"GET /a/../b HTTP/1.1", PLAIN),
        (b"GET /a%20b HTTP/1.1", PLAIN),
        (b"GET /a?b HTTP/1.1", PLAIN),
        (b"GET http://a.example/a HTTP/1.1", PLAIN),
        (b"GET /" + b"a" * 100 + b" HTTP/1.1", PLAIN),
        (b"GET /a HTTP/1.1", b"Range: bytes=0-1\r\n"),
        (b"GET /a HTTP/1.1", b"If-None-Match: *\r\n"),
        (b"GET /a HTTP/1.1", b"Connection: close\r\n"),
        (b"GET /a HTTP/1.1", b"Content-Length: 1\r\n"),
        (b"GET /a HTTP/1.1", b"Expect: 100-continue\r\n"),
        (b"GET /a HTTP/1.1", PLAIN + b"\r\nGET /b HTTP/1.1\r\nHost: b\r\n"),
        (b"GET /a HTTP/1.1", b"A: " + b"a" * 400 + b"\r\n"),
    ],
)
def test_plain_get__anything_else__none(line: bytes, fields: bytes) -> None:
    parse = RequestParser(MessageLimits(request_line_bytes_max=100, head_bytes_max=400))
    wanted = head(line, fields)
    parse(wanted)
    assert parse.plain_get(wanted) is None


@given(
    st.binary(max_size=40),
    st.sampled_from([b"", PLAIN, b"Range: x\r\n", b"A: b\r\n"]),
    st.binary(max_size=20),
)
def test_plain_get__a_full_parse_says_the_same(noise: bytes, fields: bytes, rest: bytes) -> None:
    parse = RequestParser()
    parse(head(fields=fields))
    for data in (head(b"GET /" + noise + b" HTTP/1.1", fields), head(b"GET /a HTTP/1.1", fields) + rest):
        plain = parse.plain_get(data)
        request = parse_request(data)
        if plain is not None:
            assert isinstance(request, Request)
            assert (request.method, request.target, request.minor) == ("GET", "/" + plain[0], 1)
            assert request.section == plain[1]
            assert request.keep_alive
            assert not request.has_body
