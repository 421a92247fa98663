"""A WSGI application that is silent for longer than it may be: its client is answered, its thread goes on."""

import logging
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from gossamer.shards.web.spent import Spent
from gossamer.shards.wsgi.site import WsgiSite

from .test_site import GET, RESET, talk

LIMIT_US = 200_000


class Stuck:
    """Calls that wait until the test lets them go on."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.calls = 0
        self.ended = threading.Event()

    def before(self, _environ: Any, start_response: Any) -> Iterable[bytes]:
        self.calls += 1
        assert self.go.wait(60)
        start_response("200 OK", [])
        self.ended.set()
        return [b"late"]

    def within(self, _environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"part"
        assert self.go.wait(60)
        try:
            yield b"late"
        finally:
            self.ended.set()


def test_silent__before_its_answer__504_and_one_line(caplog: pytest.LogCaptureFixture) -> None:
    stuck = Stuck()
    site = WsgiSite(stuck.before, timeout_us=LIMIT_US, threads=1)
    got = talk(site, GET)
    assert got.startswith(b"HTTP/1.1 504 Gateway Timeout\r\n"), got
    statistics = site.statistics()
    assert (statistics["application_hung_total"], statistics["responses_5xx_total"]) == (1, 1)
    assert statistics["spent"] == Spent.HUNG, "its one thread is held"
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    said = record.getMessage()
    assert said.startswith("GET /path?q: the application was silent for 200ms (application.timeout_request)")
    assert __file__ in said
    assert said.endswith("; threads that such calls hold: 1")
    stuck.go.set()
    assert stuck.ended.wait(60)


def test_silent__within_its_answer__reset(caplog: pytest.LogCaptureFixture) -> None:
    stuck = Stuck()
    got = talk(WsgiSite(stuck.within, timeout_us=LIMIT_US), GET)
    assert got.endswith(b"4\r\npart\r\n" + RESET)
    assert "was silent for 200ms" in caplog.text
    stuck.go.set()
    assert stuck.ended.wait(60)


def test_silent__all_threads__who_waits_for_one_is_answered_and_never_called(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stuck = Stuck()
    site = WsgiSite(stuck.before, timeout_us=LIMIT_US, threads=1)
    assert b" 504 " in talk(site, GET)
    assert b" 504 " in talk(site, GET)
    assert "it has waited for a thread (application.threads)" in caplog.text
    assert stuck.calls == 1
    assert site.statistics()["application_hung_total"] == 2
    stuck.go.set()


def test_not_silent__who_reads_from_a_slow_client_or_says_something_now_and_then() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Connection", "close")])
        count = len(environ["wsgi.input"].read())
        for _ in range(10):
            threading.Event().wait(0.25)
            yield b"."
        yield b"%d" % count

    site = WsgiSite(app, timeout_us=2_000_000)
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    got = talk(site, head, b"hello", wait_for=b"100 Continue")
    assert got.count(b"1\r\n.\r\n") == 10
    assert b"1\r\n5\r\n" in got
    assert site.statistics()["application_hung_total"] == 0
