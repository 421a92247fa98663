"""WSGI applications on connections: what they answer, how they may fail, and what they are given to read."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from gossamer import SockStream, fail_after, listen, open_connection, open_nursery, run, serve
from gossamer.core.errors import MisuseError
from gossamer.core.io.putback import PutBackStream
from gossamer.core.loop.pool import THREADS_MAX
from gossamer.shards.web.response_times import COUNTS
from gossamer.shards.wsgi.site import WsgiSite

Environ = dict[str, Any]
Start = Callable[..., Callable[[bytes], object]]
App = Callable[[Environ, Start], Iterable[bytes]]

SECONDS = 30
RESET = b" <reset>"
GET = b"GET /path?q HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def talk(app: App | WsgiSite, *sent: bytes, wait_for: bytes = b"") -> bytes:
    """What comes back for these bytes, until the server closes or resets; what is sent second waits for that
    to come.
    """
    handler = app if isinstance(app, WsgiSite) else WsgiSite(app)

    async def main() -> bytes:
        with fail_after(SECONDS):
            async with open_nursery() as nursery, listen(("127.0.0.1", 0)) as acceptor:
                nursery.start_soon(serve, acceptor, handler)
                stream = await open_connection(*acceptor.local)
                assert isinstance(stream, SockStream)
                async with stream:
                    came = await exchange(stream, sent, wait_for)
                await acceptor.close()
                return came

    return run(main())


async def exchange(stream: SockStream, sent: tuple[bytes, ...], wait_for: bytes) -> bytes:
    came = bytearray()
    for number, data in enumerate(sent):
        while number and wait_for not in came:
            more = await stream.recv()
            assert more, bytes(came)
            came += more
        await stream.send(data)
    try:
        while data := await stream.recv():
            came += data
    except ConnectionResetError:
        came += RESET
    return bytes(came)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def hello(environ: Environ, start: Start) -> list[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"hello ", environ["PATH_INFO"].encode("latin-1")]


def test_requests__one_behind_the_other_are_answered_in_turn() -> None:
    answers = talk(hello, GET + GET + LAST)
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert answers.count(b"hello /path") == 2
    assert body_of(answers).endswith(b"\r\nConnection: close\r\n\r\nhello /last")


def validated(environ: Environ, start: Start) -> list[bytes]:
    text = environ["wsgi.input"].read(10) + environ["wsgi.input"].readline() + environ["wsgi.input"].read(100)
    environ["wsgi.errors"].write("")
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(text)))])
    return [text]


POST = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        LAST,
        POST + b"Content-Type: a/b\r\nContent-Length: 12\r\n\r\nhello\nworld!",
        POST + b"Transfer-Encoding: chunked\r\n\r\n6\r\nhello\n\r\n6\r\nworld!\r\n0\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    ],
    ids=["GET", "POST", "in chunks", "HEAD", "HTTP/1.0", "OPTIONS *"],
)
def test_environ_and_order__are_as_the_standard_librarys_validator_wants_them(request_: bytes) -> None:
    answer = talk(validator(validated), request_)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
    assert body_of(answer) == (b"hello\nworld!" if b"world" in request_ else b"")


# What an application may return, and what of it arrives, framed as it is.


def generator(_environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [])
    yield b""
    yield b"one"
    yield b"two"


def writer(_environ: Environ, start: Start) -> list[bytes]:
    write = start("200 OK", [])
    write(b"one")
    return [b"two"]


def late_start(_environ: Environ, start: Start) -> Iterator[bytes]:
    """A generator calls start_response only when it is asked for its first piece."""
    start("200 OK", [("Content-Length", "6")])
    yield b"onetwo"


class Single:
    """Of one piece, and it says so."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"onetwo"])


def single(_environ: Environ, start: Start) -> Iterable[bytes]:
    start("200 OK", [])
    return Single()


def empty(_environ: Environ, start: Start) -> list[bytes]:
    start("204 No Content", [])
    return []


def from_old(_environ: Environ, start: Start) -> tuple[bytes, ...]:
    start("200 OK", [])
    return (b"one", b"two")


IN_CHUNKS = b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("app", "request_", "line", "body"),
    [
        (generator, LAST, b"Transfer-Encoding: chunked", IN_CHUNKS),
        (generator, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"Connection: close", b"onetwo"),
        (generator, LAST.replace(b"GET", b"HEAD"), b"Connection: close", b""),
        (writer, LAST, b"Transfer-Encoding: chunked", IN_CHUNKS),
        (late_start, LAST, b"Content-Length: 6", b"onetwo"),
        (late_start, LAST.replace(b"GET", b"HEAD"), b"Content-Length: 6", b""),
        (single, LAST, b"Content-Length: 6", b"onetwo"),
        (from_old, LAST, b"Content-Length: 6", b"onetwo"),
        (from_old, b"GET / HTTP/1.0\r\n\r\n", b"Content-Length: 6", b"onetwo"),
        (empty, LAST, b"HTTP/1.1 204 No Content", b""),
    ],
)
def test_returned__is_sent(app: App, request_: bytes, line: bytes, body: bytes) -> None:
    answer = talk(app, request_)
    assert line in answer.split(b"\r\n")
    assert body_of(answer) == body


def test_head__of_an_answer_without_end__is_its_head() -> None:
    def app(_environ: Environ, start: Start) -> Iterator[bytes]:
        start("200 OK", [])
        while True:
            yield b"x"

    assert talk(app, LAST.replace(b"GET", b"HEAD")).endswith(b"\r\nConnection: close\r\n\r\n")


def test_head_without_a_length__says_none() -> None:
    """RFC 9110 8.6: an application may leave the body out; its length is then not known, and not 0."""
    answer = talk(lambda _environ, start: start("200 OK", []) and [], LAST.replace(b"GET", b"HEAD"))
    assert b"Content-Length" not in answer


# What it is given to read.


def digest(environ: Environ, start: Start) -> list[bytes]:
    found, count = hashlib.sha256(), 0
    while block := environ["wsgi.input"].read(8192):
        found.update(block)
        count += len(block)
    start("200 OK", [])
    return [f"{count} {found.hexdigest()}".encode()]


LARGE = bytes(range(256)) * 8192


def test_large_body__is_read_as_it_comes_and_the_connection_lives_on() -> None:
    put = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(LARGE)
    answers = talk(digest, put + LARGE + LAST)
    assert f"{len(LARGE)} {hashlib.sha256(LARGE).hexdigest()}".encode() in answers
    assert b"\r\n\r\n0 e3b0c442" in answers


def test_body_that_is_left__is_dropped_where_it_is_short_and_else_ends_the_connection() -> None:
    for length, answered in ((60_000, 2), (400_000, 1)):
        put = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % length
        answers = talk(hello, put + bytes(length) + b"\r\n0\r\n\r\n" + LAST)
        assert answers.count(b"HTTP/1.1 200 OK") == answered


EXPECTING = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def test_expected_continue__is_said_when_the_application_reads() -> None:
    answers = talk(digest, EXPECTING, b"hello" + LAST, wait_for=b"100 Continue\r\n\r\n")
    assert answers.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert b"5 2cf24dba" in answers


def test_expected_continue__of_what_nobody_reads__is_not_said_and_ends_the_connection() -> None:
    answers = talk(hello, EXPECTING)
    assert answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answers.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
    ],
)
def test_bad_request__is_refused_and_no_more_is_read(request_: bytes, status: int) -> None:
    answer = talk(digest, request_ + LAST)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1


# How it may fail.


def raises(_environ: Environ, _start: Start) -> list[bytes]:
    raise LookupError("of the application's own")


def exits(_environ: Environ, _start: Start) -> list[bytes]:
    raise SystemExit(3)


def raises_in_piece(_environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [("Content-Length", "3")])
    if start:
        raise LookupError("of the application's own")
    yield b""


def never_starts(_environ: Environ, _start: Start) -> list[bytes]:
    return [b"a"]


def starts_twice(_environ: Environ, start: Start) -> list[bytes]:
    start("200 OK", [])
    start("200 OK", [])
    return []


def returns_text(_environ: Environ, start: Start) -> list[Any]:
    start("200 OK", [])
    return ["text"]


def returns_nothing(_environ: Environ, start: Start) -> Any:
    start("200 OK", [])


def too_short(_environ: Environ, start: Start) -> list[bytes]:
    start("200 OK", [("Content-Length", "5")])
    return [b"a"]


@pytest.mark.parametrize(
    ("app", "said"),
    [
        (raises, "GET /path?q: the application failed"),
        (exits, "GET /path?q: the application failed"),
        (raises_in_piece, "GET /path?q: the application failed"),
        (never_starts, "GET /path?q: the body: begun before start_response was called"),
        (starts_twice, "GET /path?q: start_response: called again; allowed: once, or with exc_info"),
        (returns_text, "GET /path?q: the body: found str; allowed: bytes"),
        (returns_nothing, "GET /path?q: returned: found NoneType; allowed: an iterable of bytes"),
        (too_short, "GET /path?q: found 1 bytes of body; allowed: its content-length, 5"),
    ],
)
def test_failed__before_anything_was_said__is_500_and_one_line(
    app: App, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = talk(app, GET)
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"application's own" not in answer
    assert caplog.messages == [said]


def fails_later(_environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [])
    yield b"a"
    raise LookupError("of the application's own")


def too_long(_environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [("Content-Length", "1")])
    yield b"a"
    yield b"b"


def ends_early(_environ: Environ, start: Start) -> Iterator[bytes]:
    start("200 OK", [("Content-Length", "5")])
    yield b"a"


@pytest.mark.parametrize("app", [fails_later, too_long, ends_early])
def test_failed__within_the_body__resets_so_that_nobody_takes_it_for_whole(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    assert talk(app, GET).endswith(RESET)
    assert len(caplog.messages) == 1


class Closing:
    """Says when it is closed."""

    def __init__(self, closed: list[str], pieces: Iterable[bytes]) -> None:
        self.closed = closed
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed.append("closed")


def failing_pieces() -> Iterator[bytes]:
    raise LookupError
    yield b""


@pytest.mark.parametrize(
    ("pieces", "request_"),
    [
        ([b"a", b"b"], LAST),
        ([], LAST),
        ([b"a"], LAST.replace(b"GET", b"HEAD")),
        (failing_pieces(), LAST),
        (["text"], LAST),
    ],
    ids=["as it should be", "nothing", "HEAD", "fails", "text"],
)
def test_close__is_called_once_whatever_happens(pieces: Any, request_: bytes) -> None:
    closed: list[str] = []

    def app(_environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [])
        return Closing(closed, pieces)

    talk(app, request_)
    assert closed == ["closed"]


def test_client_that_leaves__ends_the_application_at_its_next_piece(caplog: pytest.LogCaptureFixture) -> None:
    closed: list[str] = []
    ended = threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            ended.set()

    def app(_environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [])
        return Closing(closed, pieces())

    async def main() -> None:
        with fail_after(SECONDS):
            async with open_nursery() as nursery, listen(("127.0.0.1", 0)) as acceptor:
                nursery.start_soon(serve, acceptor, WsgiSite(app))
                stream = await open_connection(*acceptor.local)
                await stream.send(GET)
                await stream.recv()
                await stream.abort()
                await acceptor.close()

    run(main())
    assert closed == ["closed"]
    assert caplog.messages == []


class Failing(PutBackStream):
    """A stream that cannot send, for no fault of its peer's."""

    async def send(self, _data: bytes, _timeout_us: int = 0) -> None:
        raise LookupError("a fault of ours")


def test_send_that_fails__by_a_fault_of_ours__is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async def handler(stream: Any) -> None:
            await WsgiSite(generator).serve(Failing(stream, b""))  # type: ignore[arg-type]  # all that it asks for

        with fail_after(SECONDS):
            async with open_nursery() as nursery, listen(("127.0.0.1", 0)) as acceptor:
                nursery.start_soon(serve, acceptor, handler)
                stream = await open_connection(*acceptor.local)
                await stream.send(GET)
                with pytest.raises(ConnectionResetError):
                    await stream.recv()
                await acceptor.close()

    run(main())
    assert len(caplog.messages) == 1
    assert "a fault of ours" in caplog.text


# Files.


@pytest.mark.parametrize(
    ("fields", "method", "sent"),
    [
        ([], b"GET", slice(3, None)),
        ([("Content-Length", "4")], b"GET", slice(3, 7)),
        ([], b"HEAD", slice(0, 0)),
    ],
)
def test_file_wrapper__sends_the_file_from_where_it_stands(
    tmp_path: Path, fields: list[tuple[str, str]], method: bytes, sent: slice
) -> None:
    path = tmp_path / "file"
    path.write_bytes(LARGE)
    opened: list[Any] = []

    def app(environ: Environ, start: Start) -> Iterable[bytes]:
        file = path.open("rb")
        opened.append(file)
        file.read(3)
        start("200 OK", fields)
        result: Iterable[bytes] = environ["wsgi.file_wrapper"](file, 8192)
        return result

    answer = talk(app, LAST.replace(b"GET", method))
    assert body_of(answer) == LARGE[sent]
    length = 4 if fields else len(LARGE) - 3
    assert b"\r\nContent-Length: %d\r\n" % length in answer
    assert opened[0].closed


# Bounds.


def test_calls_at_once__are_no_more_than_was_asked_for() -> None:
    lock = threading.Lock()
    running: list[int] = []
    most: list[int] = []

    def app(_environ: Environ, start: Start) -> list[bytes]:
        with lock:
            running.append(1)
            most.append(len(running))
        threading.Event().wait(0.01)
        with lock:
            running.pop()
        start("200 OK", [])
        return [b"done"]

    async def ask(address: tuple[str, int], answers: list[bytes]) -> None:
        async with await open_connection(*address) as stream:
            await stream.send(LAST)
            answer = b""
            while data := await stream.recv():
                answer += data
            answers.append(answer)

    async def main() -> list[bytes]:
        answers: list[bytes] = []
        with fail_after(SECONDS):
            async with listen(("127.0.0.1", 0)) as acceptor, open_nursery() as nursery:
                nursery.start_soon(serve, acceptor, WsgiSite(app, threads=2))
                async with open_nursery() as clients:
                    for _ in range(12):
                        clients.start_soon(ask, acceptor.local, answers)
                await acceptor.close()
        return answers

    answers = run(main())
    assert len(answers) == 12
    assert all(answer.endswith(b"done") for answer in answers)
    assert max(most) == 2


def test_drained__every_answer_ends_its_connection() -> None:
    handler = WsgiSite(hello)
    handler.begin_end()
    answers = talk(handler, GET + GET)
    assert answers.count(b"HTTP/1.1 200 OK") == 1
    assert b"\r\nConnection: close\r\n" in answers
    assert handler.statistics()["requests_total"] == 1
    assert sum(handler.statistics()[name] for name in COUNTS) == 1


@pytest.mark.parametrize("threads", [0, THREADS_MAX + 1, True, 1.5])
def test_threads__that_cannot_be__are_a_mistake(threads: Any) -> None:
    with pytest.raises(MisuseError, match=f"threads: found .*, allowed is 1 to {THREADS_MAX}"):
        WsgiSite(hello, threads=threads)


def test_application__that_is_none__is_a_mistake() -> None:
    with pytest.raises(MisuseError, match="allowed is a WSGI application: a callable"):
        WsgiSite("module:app")  # type: ignore[arg-type]  # that is what is tested
