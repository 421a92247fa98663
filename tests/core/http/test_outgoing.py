"""Responses of applications: their fields judged, their bodies framed."""

import pytest

from gossamer.core.http.client import ResponseReader
from gossamer.core.http.outgoing import (
    ChosenFields,
    Framing,
    OutgoingBody,
    OutgoingError,
    Requested,
    chosen_fields,
    status_line,
)

NEW = Requested("GET", 1, keep_alive=True)
NO_FIELDS = ChosenFields(b"", None, closes=False, has_date=False, has_server=False)


def fields_of(*lines: bytes) -> ChosenFields:
    return chosen_fields(b"".join(line + b"\r\n" for line in lines), len(lines))


def test_fields__what_is_ours_is_left_out_and_what_they_mean_is_known() -> None:
    found = fields_of(
        b"Content-Type: text/plain",
        b"content-length: 5",
        b"Transfer-Encoding: chunked",
        b"Connection: x, Close",
        b"Date: now",
        b"SERVER: mine",
    )
    kept = b"Content-Type: text/plain\r\nDate: now\r\nSERVER: mine\r\n"
    assert found == ChosenFields(kept, 5, closes=True, has_date=True, has_server=True)
    assert fields_of() == NO_FIELDS
    assert not fields_of(b"connection: keep-alive").closes


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((b"no colon",), "b'no colon'"),
        ((b"a: b", b"two words: x"), "b'two words: x'"),
        ((b": empty",), "b': empty'"),
        ((b"a: b\x00",), r"b'a: b\x00'"),
        ((b"a: b\rc",), r"b'a: b\rc'"),
        ((b"a: b\nc: d",), r"b'a: b\nc: d'"),
        ((b"a: b\r\nSet-Cookie: stolen",), "b'Set-Cookie: stolen'"),
        ((b"content-length: 5", b"content-length: 6"), "content-length"),
        ((b"content-length: -5",), "content-length b'-5'"),
        ((b"content-length: ",), "content-length b''"),
        ((b"content-length: " + b"9" * 30,), "content-length b'9999"),
    ],
)
def test_fields__that_would_split_or_mislead__refused_in_one_line(
    lines: tuple[bytes, ...], found: str
) -> None:
    with pytest.raises(OutgoingError) as error:
        fields_of(*lines)
    assert f"found {found}" in str(error.value)
    assert "\n" not in str(error.value)


def test_fields__longer_than_is_remembered__judged_all_the_same() -> None:
    assert fields_of(b"a: " + b"b" * 5000).lines == b"a: " + b"b" * 5000 + b"\r\n"
    with pytest.raises(OutgoingError):
        fields_of(b"a: " + b"b" * 5000 + b"\n")


CASES = {
    "length said": (NEW, 200, (b"content-length: 5",), None, Framing.LENGTH, 5, True),
    "length known": (NEW, 200, (), 5, Framing.LENGTH, 5, True),
    "unknown": (NEW, 200, (), None, Framing.CHUNKED, None, True),
    "unknown, HTTP/1.0": (Requested("GET", 0, True), 200, (), None, Framing.UNTIL_CLOSE, None, False),
    "known, HTTP/1.0": (Requested("GET", 0, True), 200, (), 5, Framing.LENGTH, 5, True),
    "closes": (NEW, 200, (b"connection: close",), 5, Framing.LENGTH, 5, False),
    "peer closes": (Requested("GET", 1, False), 200, (), 5, Framing.LENGTH, 5, False),
    "HEAD": (Requested("HEAD", 1, True), 200, (b"content-length: 5",), 0, Framing.NONE, 5, True),
    "HEAD, known": (Requested("HEAD", 1, True), 200, (), 5, Framing.NONE, 5, True),
    "204": (NEW, 204, (b"content-length: 0",), 0, Framing.NONE, None, True),
    "304": (NEW, 304, (b"content-length: 5",), 0, Framing.NONE, 5, True),
    "304, nothing said": (NEW, 304, (), 0, Framing.NONE, None, True),
}


def test_framing__by_request_status_and_fields() -> None:
    found = {}
    for name, (asked, status, lines, whole, *_) in CASES.items():
        body = OutgoingBody(asked, status, fields_of(*lines), whole)
        found[name] = (body.framing, body.length, body.keep_alive)
    assert found == {name: case[4:] for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_head__says_what_the_framing_is__as_a_client_reads_it(name: str) -> None:
    asked, status, lines, whole, framing, length, keep_alive = CASES[name]
    fields = fields_of(*lines, b"x-own: 1")
    body = OutgoingBody(asked, status, fields, whole)
    reader = ResponseReader()
    sent = body.head(status, fields, b"Server: s\r\n", asked.minor)
    if framing is Framing.LENGTH:
        sent += body.frame(b"12345", is_last=True)
    elif framing is not Framing.NONE:
        sent += (
            body.frame(b"12", is_last=False)
            + body.frame(b"", is_last=False)
            + body.frame(b"345", is_last=True)
        )
    reader.receive(sent)
    response = reader.next_response(asked.method)
    assert response is not None
    assert (response.status, response.field("server"), response.field("x-own")) == (status, "s", "1")
    assert response.field("content-length") == (None if length is None else str(length))
    assert (response.field("transfer-encoding") == "chunked") == (framing is Framing.CHUNKED)
    said = {(1, True): None, (0, True): "keep-alive"}.get((asked.minor, keep_alive), "close")
    assert response.field("connection") == said
    got = b""
    while part := reader.next_body():
        got += part
    assert got == (b"" if framing is Framing.NONE else b"12345")


def test_body__longer_or_shorter_than_was_said__refused() -> None:
    said = fields_of(b"content-length: 5")
    with pytest.raises(OutgoingError, match="found 4 bytes of body; allowed: its content-length, 5"):
        OutgoingBody(NEW, 200, said, 4)
    body = OutgoingBody(NEW, 200, said)
    assert body.frame(b"1234", is_last=False) == b"1234"
    with pytest.raises(OutgoingError, match="found 4 bytes of body; allowed: its content-length, 5"):
        body.frame(b"", is_last=True)
    with pytest.raises(OutgoingError, match="found more than 5 bytes"):
        body.frame(b"56", is_last=False)


def test_trailers__in_chunks_alone() -> None:
    chunked = OutgoingBody(NEW, 200, NO_FIELDS)
    assert chunked.frame(b"abc", is_last=False) == b"3\r\nabc\r\n"
    assert chunked.trailers(b"x: 1\r\n") == b"0\r\nx: 1\r\n\r\n"
    old = OutgoingBody(Requested("GET", 0, keep_alive=True), 200, NO_FIELDS)
    assert old.trailers(b"x: 1\r\n") == b""
    short = OutgoingBody(NEW, 200, fields_of(b"content-length: 5"))
    with pytest.raises(OutgoingError, match="found 0 bytes"):
        short.trailers(b"")


def test_bodies_of_head__not_sent_and_not_counted() -> None:
    body = OutgoingBody(Requested("HEAD", 1, keep_alive=True), 200, fields_of(b"content-length: 5"))
    assert body.frame(b"12345", is_last=True) == b""
    assert body.sent_bytes == 0


def test_status_line__of_any_status() -> None:
    assert status_line(200) == b"HTTP/1.1 200 OK\r\n"
    assert status_line(413) == b"HTTP/1.1 413 Content Too Large\r\n"
    assert status_line(418) == b"HTTP/1.1 418 I'm a Teapot\r\n"
    assert status_line(799) == b"HTTP/1.1 799 \r\n"
