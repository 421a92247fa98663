"""A folder of files by ASGI and WSGI, alike."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gossamer.loadtest.web import site_apps
from gossamer.loadtest.web.site_apps import PIECE_BYTES, Message, asgi, files_of, wsgi

LARGE = bytes(range(256)) * (PIECE_BYTES // 128)
WANTED = [("/", 200, b"hello\n"), ("/index.html", 200, b"hello\n"), ("/bulk", 200, LARGE), ("/no", 404, b"")]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_bytes(b"hello\n")
    (tmp_path / "bulk").write_bytes(LARGE)
    monkeypatch.setattr(site_apps, "FILES", files_of(tmp_path))


def by_asgi(path: str) -> tuple[int, int, bytes]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    asyncio.run(asgi({"type": "http", "path": path}, receive, send))
    start, *parts = sent
    return start["status"], int(dict(start["headers"])[b"content-length"]), b"".join(p["body"] for p in parts)


def by_wsgi(path: str) -> tuple[int, int, bytes]:
    started: list[Any] = []
    body = b"".join(wsgi({"PATH_INFO": path}, lambda *words: started.extend(words)))
    return int(started[0].split()[0]), int(dict(started[1])["Content-Length"]), body


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(("path", "status", "body"), WANTED)
def test_site__each_path__the_same_by_both(path: str, status: int, body: bytes) -> None:
    assert by_asgi(path) == by_wsgi(path) == (status, len(body), body)
