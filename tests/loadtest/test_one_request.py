"""Clients with a connection for each request: what they make of each end that an answer can have."""

import contextlib
import hashlib
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest

from gossamer.loadtest.met import Met
from gossamer.loadtest.one_request import OneRequestClients, Wanted

from .odd_servers import End, Step, head, odd_server, sized

BODY = b"hello\n"
WANTED = Wanted("/", len(BODY), hashlib.sha256(BODY).digest(), pause_s=0.001)
ENDS: dict[str, tuple[tuple[Step, ...], set[str]]] = {
    "whole": ((sized(BODY), End.CLOSE), set()),
    "short": ((sized(BODY[:3]), End.CLOSE), {"the end of the stream in the midst of the body"}),
    "nothing": ((End.CLOSE,), {"the end of the stream"}),
    "no head": ((b"SSH-2.0-server_1\r\n", End.CLOSE), {"the end of the stream"}),
    "no status": ((b"odd\r\n\r\nhello\n", End.CLOSE), {"status "}),
    "503": ((sized(BODY, line="HTTP/1.1 503 Busy"), End.CLOSE), {"status 503"}),
    "reset in the body": ((head("Content-Length: 9") + b"x", 0.02, End.RESET), {"ConnectionResetError"}),
}


def met_by(steps: Sequence[Step], wanted: Wanted = WANTED, requests: int = 3) -> Met:
    """What a client has met once it has asked so often, or 20 s later."""
    with odd_server(steps) as url:
        address = ("127.0.0.1", urlsplit(url).port or 0)
        clients = OneRequestClients(address, 1, wanted, contextlib.nullcontext)
        clients.start()
        until_s = time.monotonic() + 20
        while requests_of(clients.met()) < requests and time.monotonic() < until_s:
            time.sleep(0.005)
        return clients.end()


def requests_of(met: Met) -> int:
    return met.answered + met.different + met.lost.total()


@pytest.mark.parametrize("name", ENDS)
def test_one_request__each_end__answered_or_lost_by_its_name(name: str) -> None:
    steps, lost = ENDS[name]
    met = met_by(steps)
    assert set(met.lost) == lost
    assert (met.answered == 0) == bool(lost)
    assert (met.resets > 0) == ("reset" in name)
    assert met.different == 0


def test_one_request__other_octets_of_that_length__different() -> None:
    met = met_by((sized(b"hullo\n"), End.CLOSE))
    assert (met.answered, met.lost.total()) == (0, 0)
    assert met.different >= 3


def test_one_request__more_octets__different_and_no_more_is_read() -> None:
    met = met_by((head() + BODY + b"x" * 500_000, End.CLOSE))
    assert met.different >= 3


def test_one_request__reset_behind_a_whole_answer__answered_and_a_reset() -> None:
    met = met_by((sized(BODY), 0.05, End.RESET))
    assert met.answered >= 3
    assert met.resets >= 3
    assert met.lost.total() == 0


def test_one_request__nobody_listens__lost_and_a_reset() -> None:
    with odd_server((End.CLOSE,)) as url:
        address = ("127.0.0.1", urlsplit(url).port or 0)
    clients = OneRequestClients(address, 2, WANTED, contextlib.nullcontext)
    clients.start()
    until_s = time.monotonic() + 20
    while clients.met().lost.total() < 2 and time.monotonic() < until_s:
        time.sleep(0.005)
    met = clients.end()
    assert met.lost["ConnectionRefusedError"] == met.resets >= 2


def test_one_request__never_started__ends_with_nothing() -> None:
    assert OneRequestClients(("127.0.0.1", 1), 2, WANTED, contextlib.nullcontext).end() == Met()
