"""Clients of every kind get from both stacks what nginx gives them for the same folder."""

import hashlib
import http.client
import re
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.peers import start_nginx
from gossamer.loadtest.servers import Gossamer, running

from ..parts import ask_each

pytestmark = [pytest.mark.needs("nginx"), pytest.mark.slow]
OURS, THEIRS = 7801, 7802
Start = Callable[..., Gossamer]
COMPARED = ("content-length", "content-range", "location")
BROWSER = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "Accept-Language": "en,de;q=0.7",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Connection": "keep-alive",
    "Upgrade-Insecure-Requests": "1",
}


def test_clients_of_every_kind__get_what_nginx_gives_them(
    namespace: Namespace, site: Path, files: dict[str, bytes], tmp_path: Path, start: Start, stack: str
) -> None:
    """Ours serves a folder at port 7801, nginx at 7802; no part changes anything of it."""
    start(namespace, site, stack=stack, port=OURS)
    with running(start_nginx(namespace, site, tmp_path / "nginx", port=THEIRS)):
        ask_each(
            [
                ("browser", partial(ask_as_browser, namespace, files)),
                ("HEAD", partial(ask_for_heads, namespace, files)),
                ("ranges", partial(ask_for_ranges, namespace)),
                ("conditions", partial(ask_conditionally, namespace)),
                ("pipelined", partial(ask_pipelined, namespace, files)),
                ("curl", partial(ask_with_curl, namespace, files, tmp_path)),
                ("wrk", partial(ask_with_wrk, namespace, site, tmp_path)),
            ]
        )


class Answer:
    """A response of http.client, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    def essence(self) -> tuple[int, dict[str, str], str]:
        """What must be equal: status, the headers that say what the body is, and for success the body."""
        headers = {name: self.headers[name] for name in COMPARED if name in self.headers}
        if "location" in headers:
            headers["location"] = re.sub(r"^http://[^/]*", "", headers["location"])
        if self.status >= 300:
            headers.pop("content-length", None)
        body = hashlib.sha256(self.body).hexdigest() if self.status < 300 else ""
        return self.status, headers, body


def ask(space: Namespace, port: int, *requests: tuple[str, str, dict[str, str]]) -> list[Answer]:
    """Send requests one after another over one connection."""
    with space.entered():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.connect()
    answers = []
    local = connection.sock.getsockname()
    for method, path, headers in requests:
        connection.request(method, path, headers=headers)
        answers.append(Answer(connection.getresponse()))
        assert connection.sock is not None, "the connection was not kept alive"
        assert connection.sock.getsockname() == local
    connection.close()
    return answers


def both(space: Namespace, *requests: tuple[str, str, dict[str, str]]) -> tuple[list[Answer], list[Answer]]:
    """The same requests to ours and to nginx."""
    return ask(space, OURS, *requests), ask(space, THEIRS, *requests)


def ask_as_browser(namespace: Namespace, files: dict[str, bytes]) -> None:
    """Every file over one connection."""
    requests = [("GET", "/" + quote(name), BROWSER) for name in files]
    requests += [("GET", "/", BROWSER), ("GET", "/sub/", BROWSER), ("GET", "/sub", BROWSER)]
    requests += [("GET", "/missing", BROWSER), ("GET", "/one.bin?query=1", BROWSER)]
    ours, theirs = both(namespace, *requests)
    for request, a, b in zip(requests, ours, theirs, strict=True):
        assert a.essence() == b.essence(), request[1]
        if a.status == 200:
            assert a.headers["content-type"].split(";")[0] == b.headers["content-type"].split(";")[0]


def ask_for_heads(namespace: Namespace, files: dict[str, bytes]) -> None:
    """Of every file the headers of GET, and no body."""
    requests = [("HEAD", "/" + quote(name), BROWSER) for name in files]
    ours, theirs = both(namespace, *requests)
    assert [a.essence() for a in ours] == [b.essence() for b in theirs]
    assert not any(a.body for a in ours)


RANGES = (
    "bytes=0-99",
    "bytes=100-",
    "bytes=-50",
    "bytes=0-0",
    "bytes=5-999999999",
    "bytes=999999999-",
    "bytes=9-3",
    "lines=1-2",
)


def ask_for_ranges(namespace: Namespace) -> None:
    """One of each kind, and several at once."""
    for wanted in RANGES:
        requests = [("GET", f"/{name}", {"Range": wanted}) for name in ("one.bin", "medium.bin", "large.bin")]
        ours, theirs = both(namespace, *requests)
        assert [a.essence() for a in ours] == [b.essence() for b in theirs], wanted
    ours, theirs = both(namespace, ("GET", "/medium.bin", {"Range": "bytes=0-9,100-149,-5"}))
    assert (ours[0].status, theirs[0].status) == (206, 206)
    assert parts(ours[0]) == parts(theirs[0])


def parts(answer: Answer) -> list[tuple[str, bytes]]:
    """Content-Range and bytes of each part of a multipart answer."""
    found = re.fullmatch(r'multipart/byteranges; ?boundary="?([^"]+)"?', answer.headers["content-type"])
    assert found is not None, answer.headers["content-type"]
    pieces = answer.body.split(b"--" + found[1].encode())[1:-1]
    split = (piece.removeprefix(b"\r\n").removesuffix(b"\r\n").split(b"\r\n\r\n", 1) for piece in pieces)
    return [(re.search(r"(?i)content-range: (.*)", head.decode())[1].strip(), body) for head, body in split]  # type: ignore[index]


def ask_conditionally(namespace: Namespace) -> None:
    """304 for what is unchanged, or the file."""
    for port in (OURS, THEIRS):
        (first,) = ask(namespace, port, ("GET", "/one.bin", {}))
        etag, modified = first.headers["etag"], first.headers["last-modified"]
        answers = ask(
            namespace,
            port,
            ("GET", "/one.bin", {"If-None-Match": etag}),
            ("GET", "/one.bin", {"If-None-Match": '"other"'}),
            ("GET", "/one.bin", {"If-Modified-Since": modified}),
            ("GET", "/one.bin", {"If-Range": etag, "Range": "bytes=0-9"}),
            ("GET", "/one.bin", {"If-Range": '"other"', "Range": "bytes=0-9"}),
            # The last one, as nginx closes the connection after it.
            ("GET", "/one.bin", {"If-Match": '"other"'}),
        )
        assert [a.status for a in answers] == [304, 200, 304, 206, 200, 412], port


def ask_pipelined(namespace: Namespace, files: dict[str, bytes]) -> None:
    """Requests in one segment are answered in their order."""
    names = ["one.bin", "medium.bin", "empty.txt", "style.css", "large.bin", "missing", "one.bin"]
    sent = b"".join(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % name.encode() for name in names)
    last = b"GET /style.css HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    received = [bodies(raw(namespace, port, sent + last), len(names) + 1) for port in (OURS, THEIRS)]
    for ours, theirs, name in zip(*received, [*names, "style.css"], strict=True):
        assert ours[0] == theirs[0], name
        if name != "missing":
            assert ours[1] == theirs[1] == files[name]


def raw(space: Namespace, port: int, sent: bytes) -> bytes:
    """Send bytes and read until the server closes."""
    with space.entered():
        sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    with sock:
        sock.sendall(sent)
        chunks = []
        while data := sock.recv(1 << 20):
            chunks.append(data)
    return b"".join(chunks)


def bodies(received: bytes, count: int) -> list[tuple[int, bytes]]:
    """Status and body of each response in a stream of them."""
    found = []
    for _ in range(count):
        head, received = received.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
        found.append((int(head.split()[1]), received[:length]))
        received = received[length:]
    assert received == b""
    return found


def ask_with_curl(namespace: Namespace, files: dict[str, bytes], tmp_path: Path) -> None:
    """Every file has its digest."""
    for name, content in files.items():
        url = f"http://127.0.0.1:{OURS}/{quote(name)}"
        out = tmp_path / "out"
        namespace.run(["curl", "-sS", "--fail", "--max-time", "30", "-o", str(out), url])
        assert hashlib.sha256(out.read_bytes()).digest() == hashlib.sha256(content).digest(), name


WRK_SCRIPT = """
local file = io.open("{file}", "rb"); local expected = file:read("*a"); file:close()
wrong, count = 0, 0
function setup(thread) threads = threads or {{}}; table.insert(threads, thread) end
function response(status, headers, body)
  if status ~= 200 or body ~= expected then wrong = wrong + 1 end
  count = count + 1
  if count >= {enough} then wrk.thread:stop() end
end
function done(summary, latency, requests)
  local total = 0
  for _, thread in ipairs(threads) do total = total + thread:get("wrong") end
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d\\n", summary.requests, total,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


WRK_REQUESTS = 64 * 10


def ask_with_wrk(namespace: Namespace, site: Path, tmp_path: Path) -> None:
    """By 64 connections: every body is the file."""
    script = tmp_path / "check.lua"
    for name, header in (("one.bin", "A: b"), ("medium.bin", "A: b"), ("one.bin", "Connection: close")):
        script.write_text(WRK_SCRIPT.format(file=site / name, enough=WRK_REQUESTS))
        options = ["-c64", "-t1", "-d1s", "--timeout", "10s", "-H", header, "-s", str(script)]
        output = namespace.run(["wrk", *options, f"http://127.0.0.1:{OURS}/{name}"])
        requests, wrong, errors = map(int, output.split("RESULT ")[1].split())
        assert requests > 64, output
        assert (wrong, errors) == (0, 0), output
