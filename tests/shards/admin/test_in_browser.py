"""The dashboard in a browser, over answers as a server gives them: nothing sticks out at any width, what a
peer has named stays text, and a connection's graph is drawn."""

import http.server
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from gossamer.shards.admin.dashboard import dashboard, policy
from gossamer.shards.seen.connectiontable import ConnectionRow, ConnectionTable
from gossamer.shards.seen.tracepoints import PointKind, TracePage, TracePoint

from .sample import sample_status, sample_worker

pytestmark = pytest.mark.needs("chromium")

EVIL = "<img src=x onerror=document.title='run'>:80"
ROWS = [
    ConnectionRow("192.0.2.1:40001", "192.0.2.9:80", "ESTABLISHED", "", 14480, 20500, 9 << 30, 9, 1, 2, 3, 4),
    ConnectionRow(EVIL, "192.0.2.9:80", EVIL, EVIL, bytes_in=1, worker=1),
]

LOOK = """<!doctype html><title>frames</title><body>
<iframe src="/" width="{width}" height="900"></iframe><pre></pre><script>
const frame = document.querySelector("iframe")
const wait = ms => new Promise(done => setTimeout(done, ms))
onload = async () => {{
  const page = frame.contentDocument, find = id => page.getElementById(id)
  while (!page.querySelectorAll(".card h2").length || find("about").textContent === "") await wait(50)
  find("watch").click()
  while (page.querySelectorAll("#rows tr").length < 2) await wait(50)
  page.querySelector("#rows button").click()
  while (!(page.querySelector("#plot .sent") || {{getAttribute: () => ""}}).getAttribute("d")) await wait(50)
  const root = page.documentElement
  document.querySelector("pre").textContent = JSON.stringify({{
    fits: root.scrollWidth <= root.clientWidth, rows: find("rows").innerText, images: page.images.length,
    title: page.title, counted: find("counted").textContent, whose: find("whose").textContent,
    again: page.querySelector("#plot .again").getAttribute("d"), trouble: find("trouble").textContent,
    charts: page.querySelectorAll(".card")[0].querySelectorAll("figure:not([hidden])").length,
  }})
}}
</script>"""


class Served:
    """The page and the answers that it asks for."""

    def __init__(self) -> None:
        self.pages: dict[str, Callable[[], bytes]] = {
            "/": lambda: dashboard().encode(),
            "/status": self.status,
            "/connections": lambda: msgspec.json.encode(ConnectionTable("bytes", ROWS, 70, 68, True)),
            "/trace": self.trace,
        }
        self.looks = 0

    def status(self) -> bytes:
        self.looks += 1
        row = {"requests_total": self.looks * 50, "responses_in_79_us_total": self.looks * 50}
        status = sample_status(sample_worker(0, **row), sample_worker(1))
        return msgspec.json.encode(msgspec.structs.replace(status, uptime_us=self.looks * 1_000_000))

    @staticmethod
    def trace() -> bytes:
        at = 50_000_000
        points = [
            *(TracePoint(at + n * 100_000, PointKind.SENT, n * 1448, 1448) for n in range(40)),
            TracePoint(at + 3_000_000, PointKind.SENT_AGAIN, 1448, 1448),
            *(TracePoint(at + n * 100_000 + 9, PointKind.ACKED, n * 1448, 60_000, 14_480) for n in range(40)),
        ]
        return msgspec.json.encode(TracePage(0, "", at + 5_000_000, len(points), points, 0, False))


@pytest.fixture
def address() -> Iterator[tuple[str, Served]]:
    """Where the pages are."""
    served = Served()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            body = LOOK.format(width=url.query).encode() if url.path == "/look" else served.pages[url.path]()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            is_page = url.path in ("/", "/look")
            self.send_header("Content-Type", "text/html; charset=utf-8" if is_page else "application/json")
            if url.path == "/":
                # But for frames: the test looks into one.
                allowed = policy().replace("frame-ancestors 'none'", "frame-ancestors 'self'")
                self.send_header("Content-Security-Policy", allowed)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("width", [360, 400, 1280])
def test_dashboard__watched_and_a_graph_open__fits_and_shows_text(
    width: int, address: tuple[str, Served], tmp_path: Path
) -> None:
    command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}"]
    page = f"{address[0]}/look?{width}"
    done = subprocess.run(
        [*command, "--virtual-time-budget=20000", "--dump-dom", page],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = re.search("<pre>(.+?)</pre>", done.stdout, re.DOTALL)
    assert found is not None, done.stderr[-2000:]
    seen = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert seen["fits"], seen
    assert (seen["images"], seen["title"], seen["trouble"]) == (0, "gossamer 127.0.0.1:80", "")
    assert EVIL in seen["rows"]
    assert "9.0 GiB" in seen["rows"]
    assert seen["counted"] == "70, 68 left out"
    assert seen["whose"] == "192.0.2.1:40001, worker 0"
    assert seen["again"].startswith("M")
    assert seen["charts"] == 9
