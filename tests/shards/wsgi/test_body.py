"""`wsgi.input` and `wsgi.errors` as files."""

import logging
from collections.abc import Callable

import pytest

from gossamer.shards.wsgi.body import ErrorLines, body_file


def pieces(*given: bytes) -> Callable[[], bytes]:
    """A body in these pieces; asked once more than there are, it fails."""
    left = [*given, b""]
    return lambda: left.pop(0)


def test_input__is_read_in_each_way() -> None:
    body = body_file(pieces(b"one\ntw", b"o\nthree\n", b"four\nfive\nsix"))
    assert body.readline() == b"one\n"
    assert body.read(2) == b"tw"
    assert body.readlines(1) == [b"o\n"]
    assert next(iter(body)) == b"three\n"
    assert body.readline(2) == b"fo"
    assert list(body) == [b"ur\n", b"five\n", b"six"]
    assert [body.read(), body.read(1), body.readline()] == [b"", b"", b""]


def test_input__asks_for_no_more_than_is_read() -> None:
    asked: list[int] = []

    def more() -> bytes:
        asked.append(1)
        return b"x" * 100_000 if len(asked) < 3 else b""

    body = body_file(more)
    assert body.read(10) == b"x" * 10
    assert len(asked) == 1
    assert len(body.read()) == 200_000 - 10
    assert body.read() == b""
    assert len(asked) == 3, "the end is asked for once"


def test_input__that_fails__fails_where_it_is_read() -> None:
    def more() -> bytes:
        raise ConnectionError("the client has left")

    with pytest.raises(ConnectionError, match="the client has left"):
        body_file(more).read()


def test_errors__are_lines_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    errors = ErrorLines()
    with caplog.at_level(logging.ERROR):
        errors.write("one\ntw")
        errors.writelines(["o\n", "three"])
        assert caplog.messages == ["one", "two"]
        errors.flush()
        errors.flush()
        errors.write("x" * 9000)
    assert caplog.messages == ["one", "two", "three", "x" * 9000]
