"""What each path of the admin address is answered."""

import msgspec
import pytest

from gossamer.core.http.request import Refusal, Request, parse_request
from gossamer.shards.admin.pages import answer_admin
from gossamer.shards.seen.status import ServerStatus

from .sample import sample_status, sample_worker


def ask(line: str, *fields: str, status: ServerStatus | None = None) -> tuple[int, str, bytes]:
    """Status, head and body."""
    head = "".join(f"{each}\r\n" for each in (line, *fields)) + "\r\n"
    answer = answer_admin(parse_request(head.encode()), lambda: status or sample_status(), is_loopback=True)
    head_sent, _, body = answer.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}" in head_sent.decode().lower()
    return int(head_sent.split()[1]), head_sent.decode(), body


def get(path: str, *fields: str, status: ServerStatus | None = None) -> tuple[int, str, bytes]:
    return ask(f"GET {path} HTTP/1.1", "Host: localhost", *fields, status=status)


def test_status__as_the_command_has_it() -> None:
    code, head, body = get("/status")
    assert code == 200
    assert "Content-Type: application/json" in head
    assert msgspec.json.decode(body, type=ServerStatus) == sample_status()


def test_metrics__openmetrics_where_it_is_asked_for() -> None:
    _, head, body = get("/metrics?a=b")
    assert "text/plain; version=0.0.4" in head
    assert b"# EOF" not in body
    _, head, body = get("/metrics", "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert "application/openmetrics-text; version=1.0.0" in head
    assert body.endswith(b"# EOF\n")


def test_healthz__ok() -> None:
    assert get("/healthz")[::2] == (200, b"ok\n")


def test_readyz__503_until_every_shard_is_served() -> None:
    assert get("/readyz")[::2] == (200, b"ready\n")
    starting = sample_status(sample_worker(0), sample_worker(1, state=0))
    assert get("/readyz", status=starting)[::2] == (503, b"worker 1 is starting\n")
    bare = msgspec.structs.replace(sample_status(), rules_trouble="3 rules are gone")
    assert get("/readyz", status=bare)[::2] == (503, b"3 rules are gone\n")


@pytest.mark.parametrize(
    ("line", "host", "code"),
    [
        ("GET /nothing HTTP/1.1", "localhost", 404),
        ("POST /status HTTP/1.1", "localhost", 405),
        ("HEAD /status HTTP/1.1", "localhost", 405),
        ("GET /status HTTP/1.1", "evil.example", 403),
        ("GET /status HTTP/9.9", "localhost", 505),
    ],
)
def test_request__that_gets_nothing(line: str, host: str, code: int) -> None:
    found, _, body = ask(line, f"Host: {host}")
    assert found == code
    assert b"workers" not in body


def test_refusal__its_reason() -> None:
    refused: Request | Refusal = Refusal(431, "header fields too large")
    assert answer_admin(refused, sample_status, is_loopback=False).endswith(
        b"\r\n\r\nheader fields too large\n"
    )
