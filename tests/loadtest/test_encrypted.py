"""Runs through TLS, against a server of a few lines in the same scheduler."""

import ssl
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.io.stream import Stream
from gossamer.core.tls.stream import served
from gossamer.loadtest.encrypted import TlsAsked, tls_asked
from gossamer.loadtest.failures import RequestPhase
from gossamer.loadtest.run import LoadRun
from gossamer.shards.exitcode import ConfigError

from ..certificates import AUTHORITY, serving
from .test_client import ANSWER, CLOSING, Serve, answering, perform

TRUSTING = TlsAsked("localhost", AUTHORITY)


def through_tls(serve: Serve, context: ssl.SSLContext | None = None) -> Serve:
    """The same server, behind TLS."""

    async def encrypted(stream: Stream) -> None:
        tls = served(stream, context or serving())
        try:
            await tls.handshake()
            await serve(tls)
        except OSError:
            await tls.abort()
        else:
            await tls.close()

    return encrypted


def errors_of(run: LoadRun) -> dict[tuple[str, str], int]:
    return {(noted.kind, str(noted.phase)): noted.count for noted in run.tally.errors.by_kind()}


def test_keep_alive__a_handshake_for_each_connection__all_are_answered() -> None:
    tally = perform(through_tls(answering(ANSWER)), tls=TRUSTING).tally
    assert (tally.answered_total, tally.errors_total, tally.connections_total) == (100, 0, 4)


def test_a_connection_each__all_are_answered() -> None:
    run = perform(through_tls(answering(CLOSING, times=1)), tls=TRUSTING, keep_alive=False, requests_max=20)
    assert (run.tally.answered_total, run.tally.errors_total, run.tally.connections_total) == (20, 0, 20)


def test_a_server_that_leaves_without_close_notify_between_two_requests__is_reopened() -> None:
    async def twice(stream: Stream) -> None:
        await answering(ANSWER, times=2)(stream)
        await stream.inner.close()  # type: ignore[attr-defined]  # of a TlsStream

    tally = perform(through_tls(twice), tls=TRUSTING, connections=1, requests_max=10).tally
    assert (tally.answered_total, tally.errors_total) == (10, 0)
    assert tally.reopened_total == 4


@pytest.mark.parametrize(
    ("asked", "context", "kind"),
    [
        (TlsAsked("elsewhere.example", AUTHORITY), lambda: serving(), "Hostname mismatch"),
        (TRUSTING, lambda: serving("expired"), "certificate has expired"),
        (TlsAsked("localhost"), lambda: serving(), "unable to get local issuer certificate"),
    ],
)
def test_a_certificate_that_is_not_good__no_server_is_there(asked: TlsAsked, context: Any, kind: str) -> None:
    run = perform(through_tls(answering(ANSWER), context()), tls=asked, requests_max=4)
    assert not run.addresses
    assert kind in str(run.refusal)


def test_handshakes_that_fail_later__are_errors_of_the_phase_tls() -> None:
    seen: list[int] = []

    async def first_alone(stream: Stream) -> None:
        seen.append(1)
        if len(seen) > 2:  # the probe, and one connection
            await stream.recv()
            await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await stream.close()
        else:
            await through_tls(answering(CLOSING, times=1))(stream)

    run = perform(first_alone, tls=TRUSTING, keep_alive=False, connections=1, requests_max=3)
    ((kind, phase),) = errors_of(run)
    assert phase == RequestPhase.TLS
    assert "wrong version number" in kind
    assert run.tally.errors_total == 2


def test_insecure__takes_anybody() -> None:
    asked = tls_asked("localhost", None, insecure=True)
    assert perform(through_tls(answering(ANSWER), serving("stranger")), tls=asked).tally.errors_total == 0


def test_cacert__is_no_certificate__one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    with pytest.raises(ConfigError, match="it holds no certificate in PEM form"):
        tls_asked("localhost", tmp_path / "empty", insecure=False)
