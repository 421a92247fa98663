"""The client's threads against a server of a few lines in the same scheduler."""

import io
import socket
from collections.abc import Awaitable, Callable

import pytest
from rich.console import Console

from gossamer.core.clock import SECOND_US, monotonic_us
from gossamer.core.io.sock import SockAcceptor, SockConnector
from gossamer.core.io.stream import Stream
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.sleep import SleepLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.calls import sys_fork, sys_sleep
from gossamer.core.threads.scheduler import Scheduler
from gossamer.loadtest.client import conduct
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.report import ProgressDisplay
from gossamer.loadtest.run import LoadRun
from gossamer.loadtest.target import Target

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes"
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nyes"

Serve = Callable[[Stream], Awaitable[None]]


def answering(answer: bytes, *, times: int = 1_000_000) -> Serve:
    """A server that gives the same answer to each request, so many times on a connection."""

    async def serve(stream: Stream) -> None:
        left, data = times, b""
        while left and (received := await stream.recv()):
            data += received
            count = min(left, data.count(b"\r\n\r\n"))
            left -= count
            data = data.rsplit(b"\r\n\r\n", 1)[-1]
            await stream.send(answer * count)

    return serve


async def accept_all(acceptor: SockAcceptor, serve: Serve) -> None:
    async def one(stream: Stream) -> None:
        try:
            await serve(stream)
        except OSError:
            await stream.abort()
        else:
            await stream.close()

    while True:
        try:
            stream = await acceptor.accept()
        except ConnectionAbortedError:
            return
        await sys_fork(one(stream))


def perform(serve: Serve | None, **asked: object) -> LoadRun:
    """A run against a server on a port of its own; with None, nobody listens there."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    options = {"connections": 4, "duration_us": 5 * SECOND_US, "requests_max": 100} | asked
    scheduler = Scheduler(waiter := EpollWaiter(), [SleepLoop(), SockLoop()])
    target = Target("a:1", "/path", (address,))
    run = LoadRun(LoadOptions(target, **options), SockConnector(), monotonic_us)  # type: ignore[arg-type]
    acceptor = SockAcceptor(listener)

    async def whole() -> None:
        if serve is None:
            await acceptor.close()
        else:
            await sys_fork(accept_all(acceptor, serve))
        await conduct(run, ProgressDisplay(Console(file=io.StringIO())))
        scheduler.stop()

    scheduler.spawn(whole())
    scheduler.run()
    scheduler.close()
    waiter.close()
    return run


@pytest.mark.parametrize("answer", [ANSWER, CHUNKED])
def test_keep_alive__count__that_many_answers_on_one_connection_each(answer: bytes) -> None:
    tally = perform(answering(answer)).tally
    assert (tally.answered_total, tally.errors_total, tally.connections_total) == (100, 0, 4)
    assert tally.body_bytes == 300
    assert tally.received_bytes == 100 * len(answer)
    assert tally.response.samples_total == 100


@pytest.mark.parametrize("answer", [CLOSING, UNTIL_CLOSE])
def test_server_closes_after_each__count__a_connection_each(answer: bytes) -> None:
    tally = perform(answering(answer, times=1)).tally
    assert (tally.answered_total, tally.errors_total, tally.connections_total) == (100, 0, 100)
    assert tally.body_bytes == 300


def test_no_keepalive__request_says_so__a_connection_each() -> None:
    run = perform(answering(CLOSING, times=1), keep_alive=False)
    assert b"\r\nConnection: close\r\n" in run.requests.of(0).data
    assert run.tally.connections_total == run.tally.answered_total == 100


def test_pipeline__batches__all_answered() -> None:
    tally = perform(answering(ANSWER), pipeline=16).tally
    assert (tally.answered_total, tally.errors_total) == (100, 0)


def test_errors__404__counted_and_the_run_goes_on() -> None:
    tally = perform(answering(MISSING)).tally
    assert (tally.answered_total, tally.errors_total, tally.statuses[404]) == (100, 100, 100)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"SSH-2.0\r\n\r\n", "bad status line"),
        (b"SSH-2.0-without-an-end\r\n", "bad status line"),
        (ANSWER[:-1], "connection closed in the middle of a body"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "line not ended by CRLF"),
        (ANSWER + b"GARBAGE", "more than the answer"),
        (b"", "closed early"),
    ],
)
def test_errors__broken_answer__counted_by_kind(answer: bytes, kind: str) -> None:
    tally = perform(answering(answer, times=1), requests_max=8).tally
    assert tally.answered_total == 0
    assert {noted.kind for noted in tally.errors.by_kind()} == {kind}


def test_refused__nobody_listens__refusal_and_nothing_else() -> None:
    run = perform(None)
    assert isinstance(run.refusal, ConnectionRefusedError)
    assert run.tally.answered_total == 0


def test_time_is_over__server_never_answers__ends_and_counts_unfinished() -> None:
    async def silent(stream: Stream) -> None:
        await stream.recv()
        await stream.recv(timeout_us=5 * SECOND_US)

    started_us = monotonic_us()
    run = perform(silent, duration_us=500_000, drain_us=200_000)
    assert monotonic_us() - started_us < 4 * SECOND_US
    assert run.tally.in_flight_total == run.due == 4
    assert run.tally.errors.total == 0


def test_open_loop__server_stalls__latency_counts_from_when_it_was_due() -> None:
    async def stalling(stream: Stream) -> None:
        while await stream.recv():
            await sys_sleep(50_000)
            await stream.send(ANSWER)

    run = perform(stalling, connections=1, rate=100.0, requests_max=10)
    assert run.tally.answered_total == 10
    # Due every 10 ms, answered every 50 ms: the last was due after 90 ms and answered after 500 ms.
    assert run.tally.response.max_us > 350_000
    assert run.tally.response.percentile_us(50) > 150_000


def test_open_loop__server_keeps_up__rate_is_kept() -> None:
    run = perform(answering(ANSWER), rate=200.0, duration_us=500_000)
    # Never more than are due; how many fewer is the machine's to say.
    assert 20 <= run.tally.answered_total <= 100
    assert run.tally.connections_total == 4


def test_open_loop__more_connections_than_requests__all_stand_to_the_end() -> None:
    events: list[str] = []

    async def noting(stream: Stream) -> None:
        while await stream.recv():
            await stream.send(ANSWER)
            events.append("answered")
        events.append("ended")

    run = perform(noting, connections=8, rate=50.0, requests_max=4)
    assert (run.tally.answered_total, run.tally.connections_total) == (4, 8)
    assert events == ["ended", *["answered"] * 4], "the probe's, and those of the run behind the last answer"
