"""What to answer: a pure function of a request and what is known of a file.

Owns the choice of status, fields and parts; it opens, reads and sends nothing. The parts of an answer are
bytes, or ranges of the file that the doer takes from the cache or streams.

Source: RFC 9110 8, 9.3.1, 9.3.2, 13, 14, 15.
"""

from collections.abc import Mapping
from hashlib import blake2b
from types import MappingProxyType
from typing import Final

import msgspec

from gossamer.core.http.conditional import Evaluation, Validators, evaluate, range_applies
from gossamer.core.http.dates import format_date
from gossamer.core.http.ranges import (
    RANGES_MAX,
    WHOLE,
    ByteRange,
    closing_delimiter,
    content_range,
    part_head,
    satisfiable_ranges,
    unsatisfied_range,
)
from gossamer.core.http.request import Request
from gossamer.core.http.response import CLOSE, KEEP_ALIVE, field_lines, head_of_lines
from gossamer.core.io.file import FileStatus
from gossamer.shards.web.caching import NO_EXPIRES, Caching
from gossamer.shards.web.pages import HTML, error_page

Part = bytes | ByteRange
FieldList = list[tuple[str, str]]

LAST_LINES: Final = field_lines([CLOSE])
OLD_CLIENT_LINES: Final = field_lines([KEEP_ALIVE])

NO_CACHING: Final = Caching()
NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})

VARY: Final = ("Vary", "Accept-Encoding")

ALLOWED_METHODS: Final = ("GET", "HEAD")


class FileFacts(msgspec.Struct, frozen=True, gc=False):
    """What a response says about a file."""

    size: int
    media_type: str
    validators: Validators
    last_modified: str
    """Last-Modified as text."""
    lines: str
    """The fields of an answer that sends all of it."""
    coding: str = ""
    """How it is coded; "" for as it is."""
    varies: bool = False
    """Whether another client may get it in another coding."""
    caching: str = ""
    """The line of Cache-Control, if it has one."""
    expires_s: int = NO_EXPIRES
    """How long after its answer a copy expires."""

    def cache_lines(self, now_s: int) -> str:
        """What caches must know of it whatever is answered. RFC 9110 15.4.5: a 304 has Cache-Control, Expires
        and Vary where a 200 would.
        """
        lines = self.caching + self.expires_line(now_s)
        return lines + field_lines([VARY]) if self.varies else lines

    def expires_line(self, now_s: int) -> str:
        """When a copy expires that is sent now, if that is said."""
        return "" if self.expires_s < 0 else f"Expires: {format_date(now_s + self.expires_s)}\r\n"


class Page(msgspec.Struct, frozen=True):
    """The body of an error, of the site's own."""

    media_type: str
    body: bytes


NO_PAGES: Final[Mapping[int, Page]] = MappingProxyType({})


class AnswerSetting(msgspec.Struct, frozen=True, gc=False):
    """What is the same for all answers of one second."""

    lines: str
    """The fields that every answer has: `common_lines`."""
    server: str = ""
    """How pages that are made here name the server; "" for not at all."""
    ranges_max: int = RANGES_MAX
    now_s: int = 0
    """Seconds since 1970."""
    pages: Mapping[int, Page] = NO_PAGES
    """By status."""
    is_draining: bool = False
    """Whether connections are to end with the answer at hand."""
    root_path: str = ""
    """Where the site stands: in front of each path that an answer names."""


class Answer(msgspec.Struct, frozen=True):
    """A response, ready but for the bytes of the file."""

    status: int
    head: bytes
    parts: tuple[Part, ...]
    keep_alive: bool
    """Whether the connection goes on after it."""
    user: str = ""
    """Who has shown a password for it."""

    @property
    def body_bytes(self) -> int:
        """Length of the body that is sent."""
        return sum(part.length if isinstance(part, ByteRange) else len(part) for part in self.parts)


def file_facts(status: FileStatus, media_type: str, now: int, caching: Caching = NO_CACHING) -> FileFacts:
    """The facts of a file as it is now, in seconds since 1970.

    RFC 9110 8.8.1: a strong validator changes whenever the representation does; size, inode and the times in
    nanoseconds together do, the time of change above all, which nobody can set. Hashed, for an inode's number
    is nobody's business. The date is as good only where no change is later than it, or in its own second.
    RFC 9110 8.8.2.1: "An origin server with a clock [...] MUST NOT generate a Last-Modified date that is
    later than the server's time of message origination."
    """
    identity = b"%d-%d-%d-%d-%d" % (
        status.mtime_ns, status.ctime_ns, status.size_bytes, status.inode, status.device
    )  # fmt: skip
    etag = f'"{blake2b(identity, digest_size=10).hexdigest()}"'
    modified = max(min(status.mtime_ns // 1_000_000_000, now), 0)
    last_modified = format_date(modified)
    # As `field_lines` would write them, of values that are ours or were judged with the configuration.
    lines = (
        f"Content-Type: {media_type}\r\nContent-Length: {status.size_bytes}\r\n"
        f"Last-Modified: {last_modified}\r\nETag: {etag}\r\nAccept-Ranges: bytes\r\n{caching.line}"
    )
    is_date_strong = status.ctime_ns // 1_000_000_000 <= modified < now
    validators = Validators(etag, modified, is_date_strong)
    return FileFacts(
        *(status.size_bytes, media_type, validators, last_modified, lines),
        caching=caching.line,
        expires_s=caching.expires_s,
    )


def varying_facts(facts: FileFacts) -> FileFacts:
    """The facts of a file that others may get in a coding."""
    weaker = msgspec.structs.replace(facts.validators, is_date_strong=False)
    return msgspec.structs.replace(
        facts, validators=weaker, lines=facts.lines + field_lines([VARY]), varies=True
    )


def coded_facts(facts: FileFacts, coding: str, size: int, etag: str) -> FileFacts:
    """The facts of a coding of a file; `etag` is of the bytes that were coded, or hold the coding.

    RFC 9110 8.8.3.3: "Content-Encoding is a property of the representation data, so a strong entity tag for a
    content-encoded representation has to be distinct from the entity tag of an unencoded representation".
    """
    own = f'"{blake2b(f"{coding} {etag}".encode("ascii"), digest_size=10).hexdigest()}"'
    fields = [
        ("Content-Type", facts.media_type),
        ("Content-Length", str(size)),
        *validator_fields(facts.last_modified, own),
        ("Accept-Ranges", "bytes"),
        ("Content-Encoding", coding),
        VARY,
    ]
    validators = Validators(own, facts.validators.modified, is_date_strong=False)
    lines = field_lines(fields) + facts.caching
    return msgspec.structs.replace(
        facts, size=size, validators=validators, lines=lines, coding=coding, varies=True
    )


def validator_fields(last_modified: str, etag: str) -> FieldList:
    """What a cache compares with."""
    return [("Last-Modified", last_modified), ("ETag", etag)]


def common_lines(date: str, server: str, own: Mapping[str, str] = NO_FIELDS) -> str:
    """The fields that every answer has, the site's own last; without a Server when that is empty."""
    return field_lines([*([("Server", server)] if server else []), ("Date", date), *own.items()])


def file_answer(request: Request, facts: FileFacts, setting: AnswerSetting) -> Answer:
    """The answer to GET or HEAD of a file."""
    if request.section.asks_for_all:
        return whole_answer(request, facts, setting)
    verdict = evaluate(request.field, request.method, facts.validators)
    if verdict is Evaluation.FAILED:
        return error_answer(412, request, setting)
    if verdict is Evaluation.NOT_MODIFIED:
        fields = validator_fields(facts.last_modified, facts.validators.etag)
        return answer(304, field_lines(fields) + facts.cache_lines(setting.now_s), (), request, setting)
    # RFC 9110 14.2: "A server MUST ignore a Range header field received with a request method [...] for which
    # range handling is not defined. For this specification, GET is the only method for which range handling
    # is defined."
    wanted = request.field("range") if request.method == "GET" else None
    if wanted is None or not range_applies(request.field("if-range"), facts.validators):
        return whole_answer(request, facts, setting)
    ranges = satisfiable_ranges(wanted, facts.size, setting.ranges_max)
    if ranges is None:
        return error_answer(416, request, setting, [("Content-Range", unsatisfied_range(facts.size))])
    if ranges is WHOLE or not ranges or (facts.coding and len(ranges) > 1):
        return whole_answer(request, facts, setting)
    return ranges_answer(request, facts, ranges, setting)


def whole_answer(request: Request, facts: FileFacts, setting: AnswerSetting) -> Answer:
    """200 with all of the file."""
    parts: tuple[Part, ...] = (ByteRange(0, facts.size),) if facts.size and request.method == "GET" else ()
    return answer(200, facts.lines + facts.expires_line(setting.now_s), parts, request, setting)


def plain_head(facts: FileFacts, setting: AnswerSetting) -> bytes:
    """The head of `whole_answer` to a plain GET, on a connection that lives on."""
    lines = setting.lines + facts.lines
    return head_of_lines(200, lines if facts.expires_s < 0 else lines + facts.expires_line(setting.now_s))


def ranges_answer(
    request: Request, facts: FileFacts, ranges: tuple[ByteRange, ...], setting: AnswerSetting
) -> Answer:
    """206 with one range, or with several as multipart/byteranges."""
    if len(ranges) == 1:
        one = ranges[0]
        media_type = facts.media_type
        parts: tuple[Part, ...] = (one,)
        extra = [("Content-Range", content_range(one, facts.size))]
    else:
        boundary = boundary_of(facts)
        media_type, parts = f"multipart/byteranges; boundary={boundary}", multipart(facts, ranges, boundary)
        extra = []
    length = sum(part.length if isinstance(part, ByteRange) else len(part) for part in parts)
    validators = validator_fields(facts.last_modified, facts.validators.etag)
    fields = [
        ("Content-Type", media_type),
        ("Content-Length", str(length)),
        *validators,
        *extra,
        *([("Content-Encoding", facts.coding)] if facts.coding else []),
    ]
    return answer(206, field_lines(fields) + facts.cache_lines(setting.now_s), parts, request, setting)


def boundary_of(facts: FileFacts) -> str:
    """A delimiter that changes with the file. RFC 2046 5.1.1 wants it not to occur in the parts; 24
    characters say so.
    """
    return blake2b(facts.validators.etag.encode("ascii"), digest_size=12).hexdigest()


def multipart(facts: FileFacts, ranges: tuple[ByteRange, ...], boundary: str) -> tuple[Part, ...]:
    """Heads and ranges in turn, and the end."""
    parts: list[Part] = []
    for one in ranges:
        parts += (part_head(one, facts.size, facts.media_type, boundary), one)
    return (*parts, closing_delimiter(boundary))


def error_answer(
    status: int, request: Request | None, setting: AnswerSetting, extra: FieldList | None = None
) -> Answer:
    """An error or a redirect with its short page; without a request (its head could not be read) it is the
    last answer.
    """
    page = setting.pages.get(status) or Page(HTML, error_page(status, setting.server))
    body = page.body
    fields = [("Content-Type", page.media_type), ("Content-Length", str(len(body))), *(extra or [])]
    if status == 405:
        # RFC 9110 15.5.6: "The origin server MUST generate an Allow header field in a 405 response"
        fields.append(("Allow", ", ".join(ALLOWED_METHODS)))
    is_head = request is not None and request.method == "HEAD"
    return answer(status, field_lines(fields), () if is_head else (body,), request, setting)


def page_answer(body: bytes, request: Request, setting: AnswerSetting) -> Answer:
    """200 with a page made here."""
    fields = [("Content-Type", HTML), ("Content-Length", str(len(body)))]
    return answer(200, field_lines(fields), (body,) if request.method == "GET" else (), request, setting)


def answer(
    status: int, lines: str, parts: tuple[Part, ...], request: Request | None, setting: AnswerSetting
) -> Answer:
    """Put the fields around its own that every response has."""
    keep_alive = request is not None and request.keep_alive and not setting.is_draining
    if not keep_alive:
        lines += LAST_LINES
    elif request is not None and request.minor == 0:
        lines += OLD_CLIENT_LINES
    return Answer(status, head_of_lines(status, setting.lines + lines), parts, keep_alive)
