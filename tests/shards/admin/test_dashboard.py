"""The dashboard's page: it holds all that it needs, and its policy lets it run nothing else.

That a browser draws it was looked at: light, dark, as wide as a telephone."""

import re

from gossamer.core.http.request import Request, parse_request
from gossamer.shards.admin.dashboard import dashboard, policy
from gossamer.shards.admin.pages import answer_admin
from gossamer.shards.seen.status import ServerStatus, WorkerStatus

from .sample import sample_status


def test_page__nothing_from_elsewhere__and_no_text_becomes_markup() -> None:
    text = dashboard().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(
        r"https?:|//\w|@import|url\(|src=|innerHTML|insertAdjacent|document\.write|eval", text
    )
    assert dashboard().count("<script>") == dashboard().count("<style>") == 1
    assert " style=" not in text
    assert not re.search(r" on\w+=", text)


def test_page__asks_for_fields_that_there_are() -> None:
    script = dashboard().partition("<script>")[2]
    asked = set(re.findall(r"\b(?:now|was|worker)\.(\w+)", script))
    assert asked <= set(WorkerStatus.__struct_fields__)
    assert {"requests_total", "cpu_us", "drops"} <= asked
    of_server = set(re.findall(r"\bstatus\.(\w+)", script))
    assert of_server <= set(ServerStatus.__struct_fields__)
    assert "workers" in of_server


def test_answer__with_its_policy() -> None:
    request = parse_request(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert isinstance(request, Request)
    head, _, body = answer_admin(request, sample_status, is_loopback=True).partition(b"\r\n\r\n")
    assert body.decode() == dashboard()
    assert f"\r\nContent-Security-Policy: {policy()}".encode() in head
    assert policy().count("'sha256-") == 2
    assert "unsafe" not in policy()
