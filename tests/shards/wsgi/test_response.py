"""`start_response` and the pieces of an answer: their order, what they may say, and how they are framed."""

import sys
from typing import Any

import pytest

from gossamer.core.http.outgoing import Requested
from gossamer.shards.wsgi.response import WsgiError, WsgiResponse

GET = Requested("GET", 1, True)
HEAD = Requested("HEAD", 1, True)
OLD = Requested("GET", 0, True)

OWN = "Date: now\r\nServer: ours\r\n"


def response(asked: Requested = GET, status: str = "200 OK", headers: Any = None) -> WsgiResponse:
    made = WsgiResponse(asked, OWN)
    made.start(status, [] if headers is None else headers)
    return made


def head(*lines: bytes, status: bytes = b"200 OK") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, b"Date: now", b"Server: ours", *lines, b"", b""])


def test_whole__has_its_length() -> None:
    made = response(headers=[("X-A", "b")])
    assert made.whole(b"hello") == head(b"X-A: b", b"Content-Length: 5") + b"hello"
    assert made.keep_alive


def test_pieces__go_in_chunks_and_empty_ones_not_at_all() -> None:
    made = response()
    assert made.piece(b"") == b""
    assert not made.is_begun
    assert made.piece(b"ab") == head(b"Transfer-Encoding: chunked") + b"2\r\nab\r\n"
    assert made.piece(b"") == b""
    assert made.end() == b"0\r\n\r\n"


def test_pieces__of_a_length_that_was_said__go_as_they_are() -> None:
    made = response(headers=[("Content-Length", "3")])
    assert made.piece(b"ab") == head(b"Content-Length: 3") + b"ab"
    assert made.piece(b"c") == b"c"
    assert made.end() == b""


def test_pieces__to_an_old_client__end_with_the_connection() -> None:
    made = response(OLD)
    assert made.piece(b"ab") == head(b"Connection: close") + b"ab"
    assert (made.end(), made.keep_alive) == (b"", False)


@pytest.mark.parametrize(
    ("asked", "status", "headers", "wanted"),
    [
        (HEAD, "200 OK", [("Content-Length", "5")], head(b"Content-Length: 5")),
        (HEAD, "200 OK", [], head()),
        (GET, "204 No Content", [], head(status=b"204 No Content")),
        (GET, "304 Not Modified", [("ETag", '"a"')], head(b'ETag: "a"', status=b"304 Not Modified")),
    ],
)
def test_answer_without_a_body__is_a_head(
    asked: Requested, status: str, headers: list[tuple[str, str]], wanted: bytes
) -> None:
    made = response(asked, status, headers)
    assert made.whole(b"") == wanted
    assert (made.wants_body, made.keep_alive) == (False, True)


def test_own_date_and_server__are_left_as_they_are() -> None:
    made = response(headers=[("date", "then"), ("Server", "theirs")])
    assert made.whole(b"") == b"HTTP/1.1 200 OK\r\ndate: then\r\nServer: theirs\r\nContent-Length: 0\r\n\r\n"


def test_connection_close__of_the_application__is_heard() -> None:
    made = response(headers=[("Connection", "close")])
    made.whole(b"")
    assert not made.keep_alive


MISTAKES: dict[str, tuple[Any, Any]] = {
    "status: found b'200 OK'": (b"200 OK", []),
    "status: found 200": (200, []),
    "status: found 'OK'": ("OK", []),
    "status: found '100 Continue'": ("100 Continue", []),
    "status: found '200\\r": ("200\r\nX: y", []),
    "headers: found tuple": ("200 OK", ()),
    "headers: found ['A', 'b']": ("200 OK", [["A", "b"]]),
    "headers: found ('A', 1)": ("200 OK", [("A", 1)]),
    "headers: found (b'A', b'b')": ("200 OK", [(b"A", b"b")]),
    "headers: found Keep-Alive": ("200 OK", [("Keep-Alive", "timeout=5")]),
    "headers: found Upgrade": ("200 OK", [("Upgrade", "h2c")]),
    "headers: found b'Set-Cookie: c'": ("200 OK", [("A", "b\r\nSet-Cookie: c")]),
    "headers: found b'A b: c'": ("200 OK", [("A b", "c")]),
    "headers: found content-length b'x'": ("200 OK", [("Content-Length", "x")]),
    "headers: 'latin-1' codec can't encode": ("200 OK", [("A", "\u20ac")]),
}


@pytest.mark.parametrize("said", MISTAKES)
def test_start_response__with_what_it_may_not_say__is_refused_where_it_is_called(said: str) -> None:
    status, headers = MISTAKES[said]
    with pytest.raises(WsgiError) as error:
        response(status=status, headers=headers)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_start_response__again__needs_exc_info() -> None:
    made = response()
    with pytest.raises(WsgiError, match="called again"):
        made.start("200 OK", [])


def failed() -> Any:
    try:
        raise KeyError("what went wrong")
    except KeyError:
        return sys.exc_info()


def test_start_response__with_exc_info__replaces_what_has_not_gone() -> None:
    made = response(headers=[("X-A", "b")])
    made.start("500 Oh", [], failed())
    assert made.whole(b"") == head(b"Content-Length: 0", status=b"500 Internal Server Error")


def test_start_response__with_exc_info__raises_it_once_the_head_has_gone() -> None:
    made = response()
    made.piece(b"a")
    with pytest.raises(KeyError, match="what went wrong"):
        made.start("500 Oh", [], failed())


def test_body__before_start_response__is_refused() -> None:
    for give in (lambda made: made.piece(b"a"), lambda made: made.whole(b""), lambda made: made.end()):
        with pytest.raises(WsgiError, match="before start_response"):
            give(WsgiResponse(GET, OWN))


@pytest.mark.parametrize("piece", ["text", bytearray(b"a"), None, 1])
def test_piece__of_anything_but_bytes__is_refused(piece: Any) -> None:
    with pytest.raises(WsgiError, match=f"found {type(piece).__name__}; allowed: bytes"):
        response().piece(piece)


def test_length__that_is_not_kept__is_refused() -> None:
    made = response(headers=[("Content-Length", "3")])
    with pytest.raises(WsgiError, match="more than 3 bytes of body; allowed: its content-length, 3"):
        made.piece(b"abcd")
    made = response(headers=[("Content-Length", "3")])
    made.piece(b"ab")
    with pytest.raises(WsgiError, match="found 2 bytes of body"):
        made.end()
    with pytest.raises(WsgiError, match="found 4 bytes of body"):
        response(headers=[("Content-Length", "3")]).whole(b"abcd")


@pytest.mark.parametrize(
    ("asked", "headers", "wanted"),
    [
        (GET, [], (head(b"Content-Length: 10"), 10)),
        (GET, [("Content-Length", "4")], (head(b"Content-Length: 4"), 4)),
        (HEAD, [], (head(b"Content-Length: 10"), 0)),
    ],
)
def test_file__is_sent_as_far_as_its_length_says(
    asked: Requested, headers: list[tuple[str, str]], wanted: tuple[bytes, int]
) -> None:
    assert response(asked, headers=headers).begin_file(10) == wanted


def test_file__that_is_shorter_than_was_said__is_refused() -> None:
    with pytest.raises(WsgiError, match="found 10 bytes; allowed: its content-length, 11"):
        response(headers=[("Content-Length", "11")]).begin_file(10)
