"""The same requests to a real nginx and to the static site, on loopback: the same bytes must come back."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossamer.core.http.client import Response, ResponseReader

pytestmark = pytest.mark.needs("nginx")

SERVE_FOLDER = """
import os, socket, sys
from gossamer.core.io.sock import SockAcceptor
from gossamer.core.loop.disk.loop import DiskLoop
from gossamer.core.loop.epoll import EpollWaiter
from gossamer.core.loop.pool import PoolLoop
from gossamer.core.loop.sock.loop import SockLoop
from gossamer.core.threads.calls import sys_fork
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.web.site import StaticSite

site = StaticSite(os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY))
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)

async def accept_all(acceptor):
    while True:
        await sys_fork(site.serve(await acceptor.accept()))

pool = PoolLoop()
scheduler = Scheduler(EpollWaiter(), [SockLoop(), pool, DiskLoop(pool)])
scheduler.spawn(accept_all(SockAcceptor(listener)))
scheduler.run()
"""

NGINX_CONF = """
daemon off; master_process off; worker_processes 1; pid {work}/pid; error_log {work}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off; default_type application/octet-stream;
  client_body_temp_path {work}/b; proxy_temp_path {work}/p; fastcgi_temp_path {work}/f;
  uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  types {{ application/x-data bin; image/png png; }}
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""

PLAIN = bytes(range(32, 127)) * 20
BIG = os.urandom(700_001)


def ask(port: int, data: bytes, methods: list[str]) -> list[tuple[Response, bytes]]:
    """Send raw requests, the last of which closes; the responses with their bodies."""
    reader = ResponseReader()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(data)
        while received := sock.recv(65536):
            reader.receive(received)
    reader.receive(b"")
    found = []
    for method in methods:
        response = reader.next_response(method)
        assert response is not None
        body = b""
        while part := reader.next_body():
            body += part
        found.append((response, body))
    assert not reader.has_input
    return found


def wait_until_listening(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("nginx does not listen")


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    """The ports of nginx and of the site, serving the same folder."""
    root = tmp_path_factory.mktemp("root")
    root.chmod(0o755)
    root.parent.chmod(0o755)
    for name, content in (
        ("index.html", b"<p>home"),
        ("plain.bin", PLAIN),
        ("big.bin", BIG),
        ("empty.bin", b""),
        ("sub/index.html", b"sub"),
        ("with space/\xc3\xa9.bin", b"accent"),
    ):
        path = Path(root, os.fsdecode(name) if isinstance(name, bytes) else name.encode("latin-1").decode())
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    work = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        nginx_port = free.getsockname()[1]
    conf = work / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(user + NGINX_CONF.format(work=work, port=nginx_port, root=root))
    nginx = subprocess.Popen(["nginx", "-c", str(conf), "-p", str(work)], stderr=subprocess.DEVNULL)
    site = subprocess.Popen([sys.executable, "-c", SERVE_FOLDER, str(root)], stdout=subprocess.PIPE)
    try:
        assert site.stdout is not None
        site_port = int(site.stdout.readline())
        wait_until_listening(nginx_port)
        yield nginx_port, site_port
    finally:
        for process in (nginx, site):
            process.terminate()
            process.wait(10)


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"
AFTER = "Wed, 15 Nov 2023 22:13:20 GMT"
BEFORE = "Mon, 13 Nov 2023 22:13:20 GMT"

CASES = [
    ("/", []),
    ("/plain.bin", []),
    ("/big.bin", []),
    ("/empty.bin", []),
    ("/sub", []),
    ("/sub/", []),
    ("/absent", []),
    ("/plain.bin/", []),
    ("/sub/../plain.bin", []),
    ("//sub//index.html", []),
    ("/plain.bin?query", []),
    ("/%70lain.bin", []),
    ("/../plain.bin", []),
    ("/%zz", []),
    ("/plain.bin%00", []),
    *[
        (name, [f"Range: {spec}"])
        for name in ("/plain.bin", "/big.bin", "/empty.bin")
        for spec in (
            "bytes=0-0",
            "bytes=0-",
            "bytes=10-19",
            "bytes=1899-",
            "bytes=1900-",
            "bytes=1800-99999999",
            "bytes=-1",
            "bytes=-0",
            "bytes=-99999999",
            "bytes=9-5",
            "bytes=a-b",
            "bytes=",
            "bytes=0-0,-1",
            "bytes=0-4, 10-14 ,20-24",
            "bytes=5-6,0-1",
            "bytes=0-,0-",
            "bytes=0-0,99999999-",
            "lines=0-0",
        )
    ],
    ("/plain.bin", ["Range: bytes=0-4", f"If-Range: {BEFORE}"]),
    ("/plain.bin", ["Range: bytes=0-4", 'If-Range: "other"']),
    ("/plain.bin", [f"If-Modified-Since: {DATE}"]),
    ("/plain.bin", [f"If-Modified-Since: {BEFORE}"]),
    ("/plain.bin", [f"If-Unmodified-Since: {DATE}"]),
    ("/plain.bin", [f"If-Unmodified-Since: {AFTER}"]),
    ("/plain.bin", [f"If-Unmodified-Since: {BEFORE}"]),
    ("/plain.bin", ['If-None-Match: "other"']),
    ("/plain.bin", ["If-None-Match: *"]),
    ("/plain.bin", ['If-Match: "other"']),
    ("/plain.bin", ["If-Match: *"]),
]


# Differs: nginx honours Range on HEAD; RFC 9110 14.2 says that it must be ignored.
HEAD_CASES = [
    ("HEAD", target, fields)
    for target, fields in CASES
    if not any(field.startswith("Range") for field in fields)
]


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [("GET", target, fields) for target, fields in CASES] + HEAD_CASES,
    ids=lambda value: str(value)[:50],
)
def test_same_answer(ports: tuple[int, int], method: str, target: str, fields: list[str]) -> None:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *fields]
    data = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    ((theirs, their_body),), ((ours, our_body),) = (ask(port, data, [method]) for port in ports)
    assert ours.status == theirs.status
    if ours.status in (200, 206):
        assert without_boundary(ours, our_body) == without_boundary(theirs, their_body)
    if ours.status in (200, 206) and "multipart" not in (ours.field("content-type") or ""):
        assert ours.field("content-length") == theirs.field("content-length")
    for name in ("content-range", "last-modified", "accept-ranges"):
        if ours.status in (200, 206, 416):
            assert ours.field(name) == theirs.field(name), name


def without_boundary(response: Response, body: bytes) -> tuple[bytes, str]:
    """The body with its multipart boundary replaced, and the kind of its type."""
    media_type = response.field("content-type") or ""
    match = re.search("boundary=(.+)", media_type)
    if match:
        body = body.replace(match[1].encode(), b"BOUNDARY").replace(b"application/x-data", b"TYPE")
        body = body.replace(b"application/octet-stream", b"TYPE")
    return body, media_type.partition(";")[0] if match else ""


def test_pipelined_and_kept_alive__same_bodies(ports: tuple[int, int]) -> None:
    one = b"GET /plain.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"
    big = b"GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"HEAD /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /absent HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    methods = ["GET"] * 20 + ["GET", "HEAD", "GET", "GET"]
    theirs, ours = (ask(port, one * 20 + big + head + one + last, methods) for port in ports)
    assert [response.status for response, _ in ours] == [response.status for response, _ in theirs]
    assert [body for _, body in ours][:-1] == [body for _, body in theirs][:-1]


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ids=lambda data: repr(data[:40]),
)
def test_bad_requests__same_status(ports: tuple[int, int], data: bytes) -> None:
    theirs, ours = (ask(port, data, ["GET"])[0][0] for port in ports)
    assert ours.status == theirs.status
