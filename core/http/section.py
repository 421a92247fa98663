"""The field section of a request head: everything after the request line, judged by itself.

Owns the rules that need no request line beyond its minor version: the shape and number of fields, Host,
framing (Content-Length against Transfer-Encoding), Connection, Expect. Two judges must agree: our own strict
grammar and llhttp (by httptools), which splits the fields.

A client sends much the same fields in every request, only with another target: so the section is a value of
its own, which a `Memo` keeps. The same bytes always give the same value.

Source: RFC 9110 (5, 7.6.1, 10.1.1), RFC 9112 (3.2, 5, 6, 11.2).
"""

from typing import Final

import httptools
import msgspec

from gossamer.core.http.fields import (
    Combined,
    Fields,
    combine,
    connection_options,
    list_members,
    strip_fields,
)
from gossamer.core.http.grammar import BARE_LF, DIGITS, FIELD_SECTION, ONE_TOKEN, TRANSFER_ENCODING, is_host

CHUNKED: Final = -1
"""The body_bytes of a body whose length is known only at its last chunk."""

ANY_LINE: Final = (b"GET / HTTP/1.0\r\n", b"GET / HTTP/1.1\r\n")
"""By minor version: what llhttp, which takes whole heads only, reads before the section."""

SHOWN_INSTEAD: Final = b"Transfer-Something"

ASK_FOR_LESS: Final = frozenset(
    {"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range"}
)
"""RFC 9110 13 and 14: without any of these fields a GET asks for all there is."""


class HeadError(Exception):
    """A rule was broken while a head was being judged."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class FieldSection(msgspec.Struct, frozen=True):
    """A field section that broke no rule."""

    fields: Fields
    """In their order, names in lower case."""
    table: Combined
    """The same fields by name, combined."""
    host: str
    """The Host field; "" only in HTTP/1.0 without one."""
    body_bytes: int
    """Announced length; 0 without a body, CHUNKED when the length is known only at the end."""
    keep_alive: bool
    """Whether the peer lets the connection live on."""
    expects_continue: bool
    """Whether the peer waits for 100 (Continue) before it sends its body."""
    asks_for_all: bool
    """Whether there is nothing conditional about it, and no range."""

    @property
    def is_plain(self) -> bool:
        """Whether a GET with it brings no body, asks for all, and leaves the connection open."""
        return self.keep_alive and self.asks_for_all and not self.body_bytes and not self.expects_continue


class FieldCollector:
    """What httptools calls back; one lives for one head."""

    __slots__ = ("fields", "url")

    def __init__(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        """The target, perhaps in pieces."""
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One field."""
        self.fields.append((name, value))


def judge_section(section: bytes, minor: int, headers_max: int) -> FieldSection:
    """The rules, in their order; `section` ends with the empty line. Raises: HeadError."""
    if section.count(b"\n") > headers_max + 1:
        raise HeadError(431, "too many header fields")
    if BARE_LF.search(section) is not None or not section.endswith(b"\r\n"):
        raise HeadError(400, "line not ended by CRLF")
    fields = strip_fields(split_section(section, minor))
    judge_lines(section)
    table = combine(fields)
    options = connection_options(table)
    return FieldSection(
        fields=fields,
        table=table,
        host=judge_host(table, minor),
        body_bytes=judge_framing(table, minor),
        keep_alive="close" not in options and (minor == 1 or "keep-alive" in options),
        expects_continue=judge_expectation(table, minor),
        asks_for_all=ASK_FOR_LESS.isdisjoint(table),
    )


def split_section(section: bytes, minor: int) -> list[tuple[bytes, bytes]]:
    """Have llhttp split the fields. Raises: HeadError.

    It does not see a Transfer-Encoding by that name: it takes no list with an empty member, and has one
    answer to a coding that is unknown and to one that is misplaced. `judge_coding` alone judges that field.
    """
    shown = TRANSFER_ENCODING.sub(SHOWN_INSTEAD, section)
    fields = collect(ANY_LINE[minor] + shown).fields
    if len(fields) != section.count(b"\n") - 1:
        raise HeadError(400, "folded header field")
    if shown != section:
        for at, line in enumerate(section.split(b"\r\n")):
            if TRANSFER_ENCODING.match(line) is not None:
                fields[at] = (b"transfer-encoding", fields[at][1])
    return fields


def judge_lines(section: bytes) -> None:
    """Every line by our own grammar, whatever llhttp let pass. Raises: HeadError.

    The llhttp of httptools before 0.6.3 takes "Name : value" and ": value". RFC 9112 5.1: "A server MUST
    reject, with a response status code of 400 (Bad Request), any received request message that contains
    whitespace between a header field name and colon."
    """
    if FIELD_SECTION.fullmatch(section) is None:
        raise HeadError(400, "bad header field")


def collect(head: bytes) -> FieldCollector:
    """What llhttp finds in a whole head. Raises: HeadError."""
    collector = FieldCollector()
    try:
        httptools.HttpRequestParser(collector).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # An Upgrade is an offer that is not taken, and CONNECT is refused by whoever answers.
    except httptools.HttpParserError as error:
        raise HeadError(400, "bad header field") from error
    return collector


def judge_host(table: Combined, minor: int) -> str:
    """The one Host. Raises: HeadError.

    RFC 9112 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message
    that lacks a Host header field and to any request message that contains more than one Host header field
    line or a Host header field with an invalid field value."
    """
    host = table.get("host")
    if host is None and minor == 0:
        return ""
    if host is None or (host and not is_host(host)):
        raise HeadError(400, "bad Host")
    return host


def judge_framing(table: Combined, minor: int) -> int:
    """How long the body is. Raises: HeadError.

    RFC 9112 6.1: "A server MAY reject a request that contains both Content-Length and Transfer-Encoding";
    6.3: several or invalid Content-Length values are an unrecoverable error. Here every ambiguity is refused.
    """
    length = table.get("content-length")
    coding = table.get("transfer-encoding")
    if coding is not None:
        return judge_coding(coding.lower(), length is not None or minor == 0)
    if length is None:
        return 0
    if DIGITS.fullmatch(length.encode("latin-1")) is None:
        raise HeadError(400, "bad Content-Length")
    return int(length)


def judge_coding(coding: str, is_ambiguous: bool) -> int:
    """CHUNKED, if the body is coded so and in no other way. Raises: HeadError."""
    if is_ambiguous:
        raise HeadError(400, "ambiguous message length")
    codings = list_members(coding)
    if codings == ["chunked"]:
        return CHUNKED
    if not codings or "chunked" in codings[:-1] or not all(map(ONE_TOKEN.fullmatch, codings)):
        raise HeadError(400, "bad Transfer-Encoding")
    # RFC 9112 6.1: "A server that receives a request message with a transfer coding it does not understand
    # SHOULD respond with 501 (Not Implemented)." The connection closes, as it does after 400.
    raise HeadError(501, "unknown transfer coding")


def judge_expectation(table: Combined, minor: int) -> bool:
    """Whether 100 (Continue) is awaited. Raises: HeadError.

    RFC 9110 10.1.1: "A server that receives an Expect field value containing a member other than 100-continue
    MAY respond with a 417"; "MUST ignore" it in an HTTP/1.0 request.
    """
    expected = table.get("expect")
    if expected is None or minor == 0:
        return False
    members = {member.lower() for member in list_members(expected)}
    if not members <= {"100-continue"}:
        raise HeadError(417, "unknown expectation")
    return bool(members)
