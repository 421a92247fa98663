"""A request head: bytes to a frozen `Request`, or to a `Refusal` that names the status to answer with.

Owns every rule of request heads: grammar, framing (Content-Length against Transfer-Encoding), Host,
Connection, Expect. Two judges must agree: our own strict grammar, which also names the status, and llhttp (by
httptools), which splits the fields. It knows no socket, no file and no clock; the same bytes give the same
value for ever, so the result may be memoised.

Source: RFC 9110, RFC 9112 (3, 5, 6, 11.2).
"""

from typing import Final

import httptools
import msgspec
from gossamer.core.http.fields import Combined, Fields, combine, connection_options, strip_fields
from gossamer.core.http.grammar import BARE_LF, DIGITS, HOST, REQUEST_LINE
from gossamer.core.http.limits import DEFAULT_LIMITS, MessageLimits

KNOWN_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"}
)
"""RFC 9110 9.3 and RFC 5789; any other is 501."""

CHUNKED: Final = -1
"""The body_bytes of a body whose length only its last chunk tells."""


class Request(msgspec.Struct, frozen=True):
    """A request head that broke no rule."""

    method: str
    target: str
    """In origin-form (or "*", or CONNECT's authority), percent-encoding as it was sent."""
    host: str
    """Authority of the request; "" only for HTTP/1.0 without Host."""
    minor: int
    """0 or 1: HTTP/1.0 or 1.1."""
    fields: Fields
    """Header fields in their order, names in lower case."""
    table: Combined
    """The same fields by name, combined."""
    body_bytes: int
    """Announced length, 0 when there is none, CHUNKED when only its end tells."""
    keep_alive: bool
    """Whether the peer lets the connection live on."""
    expects_continue: bool
    """Whether the peer waits for 100 (Continue) before it sends its body."""

    @property
    def has_body(self) -> bool:
        """Whether body bytes follow this head."""
        return self.body_bytes != 0

    def field(self, name: str) -> str | None:
        """The field's value; several are joined by ", " (RFC 9110 5.3); None when it is absent."""
        return self.table.get(name)


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A head (or body) that cannot be served: after this answer the connection closes, for what follows is
    not known.
    """

    status: int
    reason: str
    """For the log and the short body; never echoes what the peer sent."""


class HeadError(Exception):
    """A rule was broken while a head was being judged; `parse_request` turns it into its Refusal."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.refusal = Refusal(status, reason)


class HeadCollector:
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


def parse_request(head: bytes, limits: MessageLimits = DEFAULT_LIMITS) -> Request | Refusal:
    """Judge a whole head, from its request line to its empty line inclusive."""
    try:
        return judge_request(head, limits)
    except HeadError as breach:
        return breach.refusal


def judge_request(head: bytes, limits: MessageLimits) -> Request:
    """The rules, in their order. Raises: HeadError."""
    line, _, rest = head.partition(b"\r\n")
    method, target, minor = judge_request_line(line, limits)
    collected = split_head(head, rest, line, minor, limits)
    if collected.url != target:
        raise HeadError(400, "bad request target")
    fields = strip_fields(collected.fields)
    table = combine(fields)
    host, origin = judge_target(method, target.decode("latin-1"), judge_host(table, minor))
    options = connection_options(table)
    return Request(
        method=method,
        target=origin,
        host=host,
        minor=minor,
        fields=fields,
        table=table,
        body_bytes=judge_framing(table, minor),
        keep_alive="close" not in options and (minor == 1 or "keep-alive" in options),
        expects_continue=judge_expectation(table, minor),
    )


def judge_request_line(line: bytes, limits: MessageLimits) -> tuple[str, bytes, int]:
    """Method, target and minor version. Raises: HeadError."""
    if len(line) > limits.request_line_bytes_max:
        raise HeadError(414, "request line too long")
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HeadError(400, "bad request line")
    if match["major"] != b"1":
        raise HeadError(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    method = match["method"].decode("ascii")
    if method not in KNOWN_METHODS:
        raise HeadError(501, "unknown method")
    # RFC 9110 2.5: a higher minor version is processed as the highest one that is known.
    return method, match["target"], min(int(match["minor"]), 1)


def split_head(head: bytes, rest: bytes, line: bytes, minor: int, limits: MessageLimits) -> HeadCollector:
    """Have httptools split the fields, under our own rules of their number and shape. Raises: HeadError."""
    if len(head) > limits.head_bytes_max or rest.count(b"\n") > limits.headers_max + 1:
        raise HeadError(431, "too many header fields")
    if BARE_LF.search(head) is not None or not head.endswith(b"\r\n\r\n"):
        raise HeadError(400, "line not ended by CRLF")
    collector = HeadCollector()
    try:
        httptools.HttpRequestParser(collector).feed_data(line[:-1] + b"%d\r\n" % minor + rest)
    except httptools.HttpParserUpgrade:
        pass  # An Upgrade is an offer that is not taken, and CONNECT is refused by whoever answers.
    except httptools.HttpParserError as error:
        raise HeadError(400, "bad header field") from error
    if len(collector.fields) != rest.count(b"\n") - 1:
        raise HeadError(400, "folded header field")
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
    if host is None or (host and HOST.fullmatch(host) is None):
        raise HeadError(400, "bad Host")
    return host


def judge_target(method: str, target: str, host: str) -> tuple[str, str]:
    """Host and origin-form of the four target forms of RFC 9112 3.2. Raises: HeadError."""
    if method == "CONNECT":
        if HOST.fullmatch(target) is None:
            raise HeadError(400, "bad request target")
        return target, target
    if "#" in target:
        raise HeadError(400, "fragment in request target")
    if target.startswith("/") or (target == "*" and method == "OPTIONS"):
        return host, target
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        raise HeadError(400, "bad request target")
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    if HOST.fullmatch(rest[:cut]) is None:
        raise HeadError(400, "bad request target")
    path = rest[cut:]
    # RFC 9112 3.2.2: the absolute-form's authority replaces Host.
    return rest[:cut], path if path.startswith("/") else "/" + path


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
    if coding in ("gzip, chunked", "deflate, chunked", "compress, chunked"):
        raise HeadError(501, "unknown transfer coding")
    if coding != "chunked":
        raise HeadError(400, "bad Transfer-Encoding")
    return CHUNKED


def judge_expectation(table: Combined, minor: int) -> bool:
    """Whether 100 (Continue) is awaited. Raises: HeadError.

    RFC 9110 10.1.1: "A server that receives an Expect field value containing a member other than 100-continue
    MAY respond with a 417"; "MUST ignore" it in an HTTP/1.0 request.
    """
    expected = table.get("expect")
    if expected is None or minor == 0:
        return False
    if expected.lower() != "100-continue":
        raise HeadError(417, "unknown expectation")
    return True
