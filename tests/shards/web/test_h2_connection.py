"""The static site by HTTP/2, asked by curl and by a client of the package h2, on either stack."""

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, DataReceived, StreamEnded

from ...certificates import CA, PEMS
from ...parts import ask_each
from ..conftest import Place, Server, place, serve, site, wait_until

__all__ = ["place", "serve", "site"]

pytestmark = pytest.mark.needs("curl")

Serve = Callable[..., Server]

LARGE = bytes(range(256)) * 20_000


def test_static_site__by_http_2_on_either_stack(place: Place, site: Path, tmp_path: Path) -> None:
    """Of one server; its end comes last."""
    (site / "large.bin").write_bytes(LARGE)
    (site / "folder").mkdir()
    server = place.start("--set", "web.http2=true", "--access-log").wait_ready()
    port = server.port()

    def curl(*argv: str, of: str = "--http2-prior-knowledge") -> str:
        with place.inside():
            command = ["curl", "-sS", of, "-m", "30", *argv]
            return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    def at(path: str) -> str:
        return f"http://127.0.0.1:{port}{path}"

    def answers() -> None:
        assert curl(at("/"), "-w", "%{http_version} %{http_code}") == "hello\n2 200"
        assert curl(at("/none"), "-o", "/dev/null", "-w", "%{http_version} %{http_code}") == "2 404"
        assert curl(at("/"), "-w", "%{http_version}", of="--http1.1") == "hello\n1.1"

    def heads_ranges_and_redirects() -> None:
        head = curl("-I", at("/large.bin"))
        assert head.startswith("HTTP/2 200")
        assert f"content-length: {len(LARGE)}" in head
        assert "connection" not in head
        assert curl("-r", "1-3", at("/index.html"), "-w", " %{http_code}") == "ell 206"
        assert "location: /folder/" in curl("-I", at("/folder"))

    def large_files_come_whole_and_beside_each_other() -> None:
        names = [tmp_path / f"got{number}" for number in range(4)]
        pairs = [word for name in names for word in ("-o", str(name), at("/large.bin"))]
        curl("-Z", "--parallel-immediate", *pairs)
        assert [name.read_bytes() == LARGE for name in names] == [True] * 4

    def bodies_are_not_wanted() -> None:
        upload = tmp_path / "upload"
        upload.write_bytes(LARGE[:60_000])
        said = curl("--data-binary", f"@{upload}", at("/"), "-o", "/dev/null", "-w", "%{http_code}")
        assert said == "405"

    def all_is_logged() -> None:
        wait_until(lambda: '"GET /none HTTP/2.0" 404' in server.log(), "the access log is written")
        line = f'"GET /large.bin HTTP/2.0" 200 {len(LARGE)}'
        wait_until(lambda: server.log().count(line) == 4, "that of the large ones as well")
        assert server.status()["workers"][0]["totals"]["thread_errors_total"] == 0

    def ends_after_what_has_begun() -> None:
        with place.connect(port) as sock:
            client = H2Connection(H2Configuration(client_side=True))
            client.initiate_connection()
            client.send_headers(
                1,
                [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/large.bin")],
                True,
            )
            sock.sendall(client.data_to_send())
            first = client.receive_data(sock.recv(1 << 16))
            server.process.send_signal(signal.SIGTERM)
            came, ended, goodbye = read_to_the_end(sock, client, first)
            assert came == len(LARGE)
            assert (ended, goodbye) == (True, 0)
        assert server.wait_end() == 0

    parts = (
        answers,
        heads_ranges_and_redirects,
        large_files_come_whole_and_beside_each_other,
        bodies_are_not_wanted,
        all_is_logged,
        ends_after_what_has_begun,
    )
    ask_each((part.__name__, part) for part in parts)


def read_to_the_end(
    sock: socket.socket, client: H2Connection, events: list[object]
) -> tuple[int, bool, int | None]:
    """How much of the body came, whether it ended, and the code of the last frame."""
    came, ended, goodbye = 0, False, None
    while True:
        for event in events:
            if isinstance(event, DataReceived):
                came += len(event.data or b"")
                client.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            elif isinstance(event, StreamEnded):
                ended = True
            elif isinstance(event, ConnectionTerminated):
                goodbye = int(event.error_code or 0)
        sock.sendall(client.data_to_send())
        data = sock.recv(1 << 16)
        if not data:
            return came, ended, goodbye
        events = list(client.receive_data(data))


def test_static_site__through_tls__who_wants_http_2_has_it(place: Place, site: Path) -> None:
    files = ("--ssl-certfile", str(PEMS / "server.pem"), "--ssl-keyfile", str(PEMS / "server.key"))
    server = place.start("--set", "web.http2=true", *files).wait_ready()
    asked = ["curl", "-sS", "-m", "30", "--cacert", str(CA), "-w", "%{http_version}"]
    with place.inside():
        for how, version in (("--http2", "2"), ("--http1.1", "1.1")):
            command = [*asked, how, f"https://localhost:{server.port()}/"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
            assert done.stdout == f"hello\n{version}"
    assert (site / "index.html").exists()


def test_static_site__where_nobody_asked_for_it__speaks_none(serve: Serve) -> None:
    server = serve("--stack", "kernel").wait_ready()
    command = ["curl", "-s", "--http2-prior-knowledge", "-m", "10", f"http://127.0.0.1:{server.port()}/"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0
    assert json.loads(server.command("status", "--json").stdout)["stack"] == "kernel"
