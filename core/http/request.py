"""A request head: bytes to a frozen `Request`, or to a `Refusal` that names the status to answer with.

Owns the rules of the request line, and how line and field section (`section`) make a request. It knows no
socket, no file and no clock; the same bytes give the same value for ever.

Source: RFC 9110, RFC 9112 (3, 11.2).
"""

from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.http.fields import Combined, Fields
from gossamer.core.http.grammar import NOT_ASCII, PLAIN_GET, PLAIN_TARGET, REQUEST_LINE, is_host
from gossamer.core.http.limits import DEFAULT_LIMITS, MessageLimits
from gossamer.core.http.memo import Memo
from gossamer.core.http.section import CHUNKED, FieldSection, HeadError, collect, judge_section

__all__ = ["CHUNKED", "HeadParser", "Refusal", "Request", "RequestParser", "parse_request"]

KNOWN_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"}
)
"""RFC 9110 9.3 and RFC 5789; any other is 501."""


class Request(msgspec.Struct, frozen=True):
    """A request head that broke no rule."""

    method: str
    target: str
    """In origin-form (or "*", or CONNECT's authority), percent-encoding as it was sent."""
    host: str
    """Authority of the request; "" only for HTTP/1.0 without Host."""
    minor: int
    """0 or 1: HTTP/1.0 or 1.1."""
    section: FieldSection
    """All that stands after the request line."""

    @property
    def fields(self) -> Fields:
        """Header fields in their order, names in lower case."""
        return self.section.fields

    @property
    def table(self) -> Combined:
        """The same fields by name, combined."""
        return self.section.table

    @property
    def body_bytes(self) -> int:
        """Announced length; 0 without a body, CHUNKED when the length is known only at the end."""
        return self.section.body_bytes

    @property
    def keep_alive(self) -> bool:
        """Whether the peer lets the connection live on."""
        return self.section.keep_alive

    @property
    def expects_continue(self) -> bool:
        """Whether the peer waits for 100 (Continue) before it sends its body."""
        return self.section.expects_continue

    @property
    def has_body(self) -> bool:
        """Whether body bytes follow this head."""
        return self.section.body_bytes != 0

    def field(self, name: str) -> str | None:
        """The field's value; several are joined by ", " (RFC 9110 5.3); None when it is absent."""
        return self.section.table.get(name)


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """A head (or body) that cannot be served: after this answer the connection closes, for what follows is
    not known.
    """

    status: int
    reason: str
    """For the log and the short body; never echoes what the peer sent."""


PlainGet = tuple[str, FieldSection]
"""A plain GET: the target without its first slash, and the fields."""

HeadParser = Callable[[bytes], Request | Refusal]

SectionJudges = tuple[Callable[[bytes], FieldSection], Callable[[bytes], FieldSection]]
"""By minor version: the judge of a field section."""


def parse_request(head: bytes, limits: MessageLimits = DEFAULT_LIMITS) -> Request | Refusal:
    """Judge a whole head, from its request line to its empty line inclusive."""
    return parse_with(head, limits, section_judges(limits))


class RequestParser:
    """A `parse_request` that remembers field sections, to be shared by all the connections of a process.

    Bounds: those of two `Memo`.
    """

    def __init__(self, limits: MessageLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        old, new = section_judges(limits)
        self.sections: tuple[Memo[FieldSection], Memo[FieldSection]] = (Memo(old), Memo(new))

    def __call__(self, head: bytes) -> Request | Refusal:
        return parse_with(head, self.limits, self.sections)

    def plain_get(self, data: bytes) -> PlainGet | None:
        """The request, where these bytes are one plain GET of HTTP/1.1 whose field section was judged before;
        None where they are anything else.

        It only ever says what a full parse would: a section that is known is a whole one, and it ends what
        was given.
        """
        line, _, section = data.partition(b"\r\n")
        match = PLAIN_GET.fullmatch(line)
        if match is None or len(line) > self.limits.request_line_bytes_max:
            return None
        known = self.sections[1].recall(section)
        if known is None or not known.is_plain or len(data) > self.limits.head_bytes_max:
            return None
        return match[1].decode("ascii"), known


def section_judges(limits: MessageLimits) -> SectionJudges:
    """The judges of HTTP/1.0 and HTTP/1.1."""
    return (
        lambda section: judge_section(section, 0, limits.headers_max),
        lambda section: judge_section(section, 1, limits.headers_max),
    )


def parse_with(head: bytes, limits: MessageLimits, sections: SectionJudges) -> Request | Refusal:
    """`parse_request` with the judges of field sections given."""
    try:
        line, _, rest = head.partition(b"\r\n")
        method, target, minor = judge_request_line(line, limits)
        if len(head) > limits.head_bytes_max:
            raise HeadError(431, "too many header fields")
        section = sections[minor](rest)
        host, origin = judge_target(method, target, section.host)
        return Request(method, origin, host, minor, section)
    except HeadError as breach:
        return Refusal(breach.status, breach.reason)


def judge_request_line(line: bytes, limits: MessageLimits) -> tuple[str, bytes, int]:
    """Method, target and minor version. Raises: HeadError."""
    if len(line) > limits.request_line_bytes_max:
        raise HeadError(414, "request line too long")
    match = REQUEST_LINE.fullmatch(line)
    if match is None:
        raise HeadError(400, "bad request line")
    word, target, major, digit = match.groups()
    if major != b"1":
        raise HeadError(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    method = word.decode("ascii")
    if method not in KNOWN_METHODS:
        raise HeadError(501, "unknown method")
    # RFC 9110 2.5: a higher minor version is processed as the highest one that is known.
    return method, target, 0 if digit == b"0" else 1


def judge_target(method: str, raw: bytes, host: str) -> tuple[str, str]:
    """Host and origin-form of the four target forms of RFC 9112 3.2. Raises: HeadError.

    llhttp is the second judge of any target that is not plainly one.
    """
    target = raw.decode("latin-1")
    is_plain = PLAIN_TARGET.fullmatch(raw) is not None
    if not is_plain:
        judge_by_llhttp(method, raw)
    if method == "CONNECT":
        if not is_host(target):
            raise HeadError(400, "bad request target")
        return target, target
    if is_plain:
        return host, target
    if "#" in target:
        raise HeadError(400, "fragment in request target")
    if target.startswith("/") or (target == "*" and method == "OPTIONS"):
        return host, target
    return judge_absolute_target(target)


def judge_by_llhttp(method: str, raw: bytes) -> None:
    """The second judge of a target. Raises: HeadError.

    It takes no octet beyond ASCII. People and programs write names of files in UTF-8 as they are, and every
    such octet is data to us; so it is shown a letter in their place.
    """
    shown = NOT_ASCII.sub(b"x", raw)
    if collect(method.encode("ascii") + b" " + shown + b" HTTP/1.0\r\n\r\n").url != shown:
        raise HeadError(400, "bad request target")


def judge_absolute_target(target: str) -> tuple[str, str]:
    """Host and origin-form of the absolute-form. Raises: HeadError.

    RFC 9112 3.2.2: "When an origin server receives a request with an absolute-form of request-target, the
    origin server MUST ignore the received Host header field (if any) and instead use the host information of
    the request-target."
    """
    scheme, separator, rest = target.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        raise HeadError(400, "bad request target")
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    if not is_host(rest[:cut]):
        raise HeadError(400, "bad request target")
    path = rest[cut:]
    return rest[:cut], path if path.startswith("/") else "/" + path
