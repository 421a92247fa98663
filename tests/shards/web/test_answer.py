"""What to answer: the pure choice of status, fields and parts."""

from typing import Any

import msgspec
import pytest

from gossamer.core.http.ranges import ByteRange
from gossamer.core.http.request import Request, parse_request
from gossamer.core.http.response import field_lines
from gossamer.core.io.file import FileStatus
from gossamer.shards.web.answer import (
    Answer,
    AnswerSetting,
    common_lines,
    error_answer,
    file_answer,
    file_facts,
    page_answer,
)

SETTING = AnswerSetting(common_lines("Sun, 06 Nov 1994 08:49:37 GMT", "s"))
STATUS = FileStatus(
    size_bytes=100,
    mtime_ns=784111777_000000001,
    ctime_ns=784111777_000000002,
    inode=7,
    device=1,
    is_file=True,
    is_directory=False,
)
NOW = 784111777 + 60
FACTS = file_facts(STATUS, "text/x", NOW)


def asked(*fields: str, method: str = "GET", version: str = "1.1") -> Request:
    lines = [f"{method} / HTTP/{version}", "Host: a", *fields]
    request = parse_request(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert isinstance(request, Request)
    return request


def fields_of(answer: Answer) -> list[str]:
    return answer.head.decode().split("\r\n")[1:-2]


def test_whole__fields_in_order() -> None:
    answer = file_answer(asked(), FACTS, SETTING)
    assert answer.parts == (ByteRange(0, 100),)
    assert fields_of(answer) == [
        "Server: s",
        "Date: Sun, 06 Nov 1994 08:49:37 GMT",
        "Content-Type: text/x",
        "Content-Length: 100",
        "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
        f"ETag: {FACTS.validators.etag}",
        "Accept-Ranges: bytes",
    ]


@pytest.mark.parametrize(
    "change", [{"size_bytes": 101}, {"mtime_ns": 784111777_000000002}, {"inode": 8}, {"device": 2}]
)
def test_etag__changes_with_anything_that_can_change(change: dict[str, Any]) -> None:
    other = file_facts(msgspec.structs.replace(STATUS, **change), "text/x", NOW)
    assert other.validators.etag != FACTS.validators.etag


def test_last_modified__never_later_than_now() -> None:
    facts = file_facts(STATUS, "text/x", NOW - 120)
    assert facts.last_modified == "Sun, 06 Nov 1994 08:48:37 GMT"
    assert facts.validators.etag == FACTS.validators.etag


def test_not_modified__validators_and_no_body() -> None:
    answer = file_answer(asked("If-None-Match: *"), FACTS, SETTING)
    assert (answer.status, answer.parts) == (304, ())
    names = [field.partition(":")[0] for field in fields_of(answer)]
    assert names == ["Server", "Date", "Last-Modified", "ETag"]


def test_announced_length__is_the_length_of_the_parts() -> None:
    for spec in ("0-0", "5-", "0-1,3-4", "-1,0-0,50-59"):
        answer = file_answer(asked(f"Range: bytes={spec}"), FACTS, SETTING)
        assert answer.status == 206
        assert f"Content-Length: {answer.body_bytes}" in fields_of(answer)


def test_draining_or_no_request__last_answer() -> None:
    draining = AnswerSetting("", is_draining=True)
    for answer in (file_answer(asked(), FACTS, draining), error_answer(400, None, SETTING)):
        assert not answer.keep_alive
        assert "Connection: close" in fields_of(answer)


def test_http_1_0_kept_alive__the_answer_says_so() -> None:
    answer = page_answer(b"page", asked("Connection: keep-alive", version="1.0"), SETTING)
    assert "Connection: keep-alive" in fields_of(answer)
    assert answer.keep_alive
    assert page_answer(b"page", asked(method="HEAD"), SETTING).parts == ()


def test_lines__as_fields_are_written() -> None:
    assert FACTS.lines == field_lines(
        [
            ("Content-Type", "text/x"),
            ("Content-Length", "100"),
            ("Last-Modified", FACTS.last_modified),
            ("ETag", FACTS.validators.etag),
            ("Accept-Ranges", "bytes"),
        ]
    )


def test_file_facts__changed_with_its_old_times__another_etag_and_no_strong_date() -> None:
    later = msgspec.structs.replace(STATUS, ctime_ns=STATUS.ctime_ns + 2_000_000_000)
    facts = file_facts(later, "text/x", NOW)
    assert facts.validators.etag != FACTS.validators.etag
    assert (FACTS.validators.is_date_strong, facts.validators.is_date_strong) == (True, False)
    just_now = file_facts(STATUS, "text/x", STATUS.mtime_ns // 1_000_000_000)
    assert not just_now.validators.is_date_strong
