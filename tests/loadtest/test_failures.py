"""Errors by kind and phase, with an example."""

import pytest

from gossamer.core.http.client import ResponseError
from gossamer.loadtest.failures import KINDS_MAX, ErrorLog, RequestPhase, kind_of


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionRefusedError(), "refused"),
        (BrokenPipeError(), "reset"),
        (TimeoutError(), "timeout"),
        (EOFError(), "closed early"),
        (ResponseError("bad Content-Length"), "bad Content-Length"),
        (OSError(5, "x"), "other"),
    ],
)
def test_kind_of__each_error__has_a_name(error: Exception, kind: str) -> None:
    assert kind_of(error) == kind


def test_kind_of__our_own_bug__is_not_counted_away() -> None:
    with pytest.raises(StopIteration):
        kind_of(KeyError())


def test_note__the_same_again__count_first_last_and_the_first_example() -> None:
    log = ErrorLog()
    log.note(ResponseError("bad status line"), RequestPhase.FIRST_BYTE, 1_500, b"SSH-2.0\x00")
    log.note(ResponseError("bad status line"), RequestPhase.FIRST_BYTE, 9_500, b"other")
    log.note(ConnectionResetError(104, "Connection reset by peer"), RequestPhase.BODY, 2_000)
    first, second = (noted.summary(1_000) for noted in log.by_kind())
    assert (first["count"], first["first_us"], first["last_us"]) == (2, 500, 8_500)
    assert first["example"] == r"bad status line: 'SSH-2.0\x00'"
    assert second["example"] == "Connection reset by peer (ECONNRESET)"
    assert log.total == 3


def test_note__a_server_that_invents_kinds__bounded() -> None:
    log = ErrorLog()
    for number in range(10 * KINDS_MAX):
        log.note(ResponseError(str(number)), RequestPhase.BODY, 0)
    assert len(log.by_kind()) == KINDS_MAX + 1
    assert log.total == 10 * KINDS_MAX
