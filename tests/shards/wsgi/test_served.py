"""`gossamer serve module:app` carries a WSGI application, on either stack."""

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ...parts import ask_each
from ..conftest import Place, Server, wait_until

FOLDER = str(Path(__file__).parent)
Serve = Callable[..., Server]


def ask(place: Place, port: int, request: bytes) -> bytes:
    """All that comes back."""
    with place.connect(port) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(1 << 20), b""))


def get(place: Place, port: int, path: str, *lines: str) -> bytes:
    head = "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", "Connection: close", *lines, "", ""])
    return ask(place, port, head.encode())


def test_application__on_either_stack(place: Place) -> None:
    """Of one server; its end comes last."""
    argv = ("--root-path", "/api", "--access-log", "--threads", "2")
    server = place.start(*argv, target="sample:app", PYTHONPATH=FOLDER).wait_ready()
    port = server.port()

    def answers() -> None:
        got = get(place, port, "/x%20y?q")
        assert got.startswith(b"HTTP/1.1 200 OK\r\nServer: gossamer\r\nDate: ")
        assert got.endswith(b"\r\n\r\nhello /api /x y 127.0.0.1 http")

    def takes_uploads_and_sends_downloads() -> None:
        size = 8 << 20
        head = b"POST /upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % size
        assert ask(place, port, head + bytes(size)).endswith(b"\r\n\r\n%d" % size)
        got = get(place, port, "/download")
        assert got.count(b"z") == 64 * 65536
        assert got.endswith(b"\r\n0\r\n\r\n")

    def answers_pipelined_requests() -> None:
        requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(20))
        got = ask(place, port, requests + b"GET /last HTTP/1.0\r\n\r\n")
        assert re.findall(rb"hello /api /(\w+)", got) == [b"%d" % number for number in range(20)] + [b"last"]

    def fails_and_is_counted() -> None:
        assert get(place, port, "/fails").startswith(b"HTTP/1.1 500 ")
        totals = lambda: server.status()["workers"][0]["totals"]  # noqa: E731 - asked again and again
        wait_until(lambda: totals()["application_errors_total"] == 1, "it is counted")
        assert totals()["thread_errors_total"] == 0
        assert server.log().count("ValueError: a failure of the application's") == 1

    def says_what_it_answered() -> None:
        wait_until(lambda: '"GET /fails HTTP/1.1" 500' in server.log(), "the access log is written")
        assert re.search(r'"GET /x%20y\?q HTTP/1.1" 200 30\b', server.log())

    def ends_after_what_is_in_flight() -> None:
        with place.connect(port) as slow, place.connect(port) as idle:
            slow.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            idle.sendall(b"GET /idle HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"/idle" in idle.recv(1 << 16)
            server.process.send_signal(signal.SIGTERM)
            assert idle.recv(100) == b""
            got = b"".join(iter(lambda: slow.recv(1 << 16), b""))
            assert got.startswith(b"HTTP/1.1 200 OK\r\n")
            assert b"5\r\n/slow\r\n0\r\n\r\n" in got
        assert server.wait_end() == 0

    parts = (
        answers,
        takes_uploads_and_sends_downloads,
        answers_pipelined_requests,
        fails_and_is_counted,
        says_what_it_answered,
        ends_after_what_is_in_flight,
    )
    ask_each((part.__name__, part) for part in parts)


def test_validator_of_the_standard_library__finds_nothing_wrong(place: Place) -> None:
    argv = ("--interface", "wsgi", "--root-path", "/api")
    server = place.start(*argv, target="sample:validated", PYTHONPATH=FOLDER).wait_ready()
    post = b"POST /upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    for request, end in (
        (b"GET /x HTTP/1.0\r\n\r\n", b"hello /api /x 127.0.0.1 http"),
        (b"HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", b"\r\n\r\n"),
        (post + b"Content-Length: 100000\r\n\r\n" + bytes(100_000), b"\r\n6\r\n100000\r\n0\r\n\r\n"),
        (post + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", b"\r\n1\r\n2\r\n0\r\n\r\n"),
        (b"GET /download HTTP/1.0\r\n\r\n", b"z" * 65536 * 64),
        (b"GET /slow HTTP/1.0\r\n\r\n", b"/slow"),
    ):
        got = ask(place, server.port(), request)
        assert got.startswith(b"HTTP/1.1 200 "), (request[:50], server.log())
        assert got.endswith(end), request[:50]
    assert "AssertionError" not in server.log()
    assert "WSGIWarning" not in server.log()


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--threads", "0"), "--threads: found '0'; allowed: an integer from 1 to 64"),
        (("--threads", "65"), "--threads: found '65'; allowed: an integer from 1 to 64"),
        (("--interface", "asgi"), "with --interface asgi expected: of three arguments"),
    ],
)
def test_mistake__one_line_and_exit_2(serve: Serve, argv: tuple[str, ...], said: str) -> None:
    server = serve(*argv, target="sample:app", PYTHONPATH=FOLDER)
    assert server.wait_end() == 2, server.log()
    assert said in server.log()
    assert "Traceback" not in server.log()


def test_worker__replaced_after_its_requests(place: Place) -> None:
    limits = ("--limit-max-requests", "20", "--limit-max-requests-jitter", "5")
    server = place.start(*limits, target="sample:app", PYTHONPATH=FOLDER).wait_ready()
    (first,) = server.worker_pids()

    def is_replaced() -> bool:
        assert b"hello " in get(place, server.port(), "/")
        return first not in server.worker_pids()

    wait_until(is_replaced, "another worker serves")
    assert "worker 0 is replaced: it has had its requests (application.limit_max_requests)" in server.log()


def test_worker__whose_threads_are_all_held_by_calls_that_do_not_return__is_replaced(place: Place) -> None:
    limits = ("--timeout-request", "300ms", "--threads", "2", "--timeout-graceful-shutdown", "1s")
    server = place.start(*limits, target="sample:stuck", PYTHONPATH=FOLDER).wait_ready()
    (first,) = server.worker_pids()
    assert get(place, server.port(), "/stuck").startswith(b"HTTP/1.1 504 ")
    assert get(place, server.port(), "/").startswith(b"HTTP/1.1 200 "), "another thread is left"
    assert first in server.worker_pids()
    assert get(place, server.port(), "/stuck").startswith(b"HTTP/1.1 504 ")
    wait_until(lambda: first not in server.worker_pids(), "another worker serves")
    assert "all threads of its application are held by calls that do not return" in server.log()
    wait_until(lambda: get(place, server.port(), "/").startswith(b"HTTP/1.1 200 "), "the first takes no more")
    totals = lambda: server.status()["workers"][0]["totals"]  # noqa: E731 - asked again and again
    wait_until(lambda: totals()["application_hung_total"] >= 2, "both are counted")
    assert totals()["thread_errors_total"] == 0
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_end() == 0
