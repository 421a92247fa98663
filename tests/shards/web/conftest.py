"""A scripted stream and a tiny trampoline: serve() is driven without sockets, scheduler or waiting."""

import os
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.clock import VirtualClock
from gossamer.core.http.client import Response, ResponseReader
from gossamer.core.loop.disk.call import AioEngine, AioRead
from gossamer.core.loop.streamcall import Idle, said_of
from gossamer.core.threads.calls import Blio
from gossamer.core.threads.systemcall import SystemCall
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.site import StaticSite

SILENCE = object()
"""In a script: the peer sends nothing until the call's own timeout has passed."""


class Perform(SystemCall[Any], frozen=True, gc=False):
    """A call of a scripted stream: what the trampoline runs."""

    action: Callable[[], Any]


class ScriptedStream:
    """A stream whose peer follows a script: bytes it sends, errors, SILENCE, functions to run before it goes
    on.

    After the script the peer closes its side.
    """

    def __init__(self, script: list[Any], clock: VirtualClock) -> None:
        self.script = deque(script)
        self.clock = clock
        self.sends: list[bytes] = []
        self.events: list[str] = []
        self.timeouts_us: list[int] = []
        self.after_send: Callable[[], object] = lambda: None

    local = ("192.0.2.1", 80)
    peer = ("198.51.100.7", 40000)
    tls = None

    def recv_idle(self, idle: Idle) -> SystemCall[bytes]:
        return self.recv(idle.bytes_max, idle.timeout_us)

    def recv(self, bytes_max: int = 65536, timeout_us: int = 0) -> SystemCall[bytes]:
        return Perform(lambda: self.take(bytes_max, timeout_us))

    def take(self, bytes_max: int, timeout_us: int) -> bytes:
        self.timeouts_us.append(timeout_us)
        while self.script:
            item = self.script.popleft()
            if item is SILENCE:
                self.clock.advance(timeout_us)
                raise said_of(self, TimeoutError())
            if isinstance(item, Exception):
                raise said_of(self, item) if isinstance(item, OSError) else item
            if isinstance(item, bytes):
                if len(item) > bytes_max:
                    self.script.appendleft(item[bytes_max:])
                return item[:bytes_max]
            item()
        return b""

    def send(self, data: bytes, timeout_us: int = 0) -> SystemCall[None]:
        assert timeout_us > 0
        return Perform(lambda: self.put(data))

    send_last = send

    def put(self, data: bytes) -> None:
        self.sends.append(data)
        self.after_send()

    def shutdown(self) -> SystemCall[None]:
        return Perform(lambda: self.events.append("shutdown"))

    def close(self) -> SystemCall[None]:
        return Perform(lambda: self.events.append("close"))

    def abort(self) -> SystemCall[None]:
        return Perform(lambda: self.events.append("abort"))

    @property
    def sent(self) -> bytes:
        return b"".join(self.sends)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive a thread to its end, performing its calls at once."""
    value: Any = None
    error: Exception | None = None
    while True:
        try:
            call = coroutine.throw(error) if error else coroutine.send(value)
        except StopIteration as end:
            return end.value
        value = error = None
        try:
            value = perform(call)
        except Exception as raised:  # noqa: BLE001 - whatever a call raises is raised in the thread
            error = raised


def perform(call: Any) -> Any:
    if isinstance(call, Perform):
        return call.action()
    if isinstance(call, Blio):
        return call.function(*call.arguments)
    if isinstance(call, AioEngine):
        return "libaio"
    assert isinstance(call, AioRead), call
    # The descriptor is one with O_DIRECT, for which this read is not aligned: read through another.
    fd = os.open(f"/proc/self/fd/{call.fd}", os.O_RDONLY)
    try:
        return os.pread(fd, call.length, call.offset)
    finally:
        os.close(fd)


class Exchange:
    """What came back: responses with their bodies, and how the connection ended."""

    def __init__(self, stream: ScriptedStream, methods: list[str]) -> None:
        self.stream = stream
        self.responses: list[tuple[Response, bytes]] = []
        reader = ResponseReader()
        reader.receive(stream.sent)
        while reader.has_input:
            response = reader.next_response(methods.pop(0) if methods else "GET")
            assert response is not None
            body = b""
            while part := reader.next_body():
                body += part
            assert part == b"", "a body shorter than was announced"
            self.responses.append((response, body))

    @property
    def statuses(self) -> list[int]:
        return [response.status for response, _ in self.responses]

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, body in self.responses]

    def field(self, name: str, at: int = 0) -> str | None:
        return self.responses[at][0].field(name)


class Bench:
    """A site over a temporary folder, on a virtual clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock()
        self.wall_us = 4_000_000_000_000_000  # Later than the change times that the real clock makes.
        self.root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.options = WebOptions()
        self.site = self.rebuild()

    def rebuild(self, **changes: Any) -> StaticSite:
        """The same folder under other options."""
        access_log = changes.pop("access_log", None)
        self.roots = [os.open(folder, os.O_RDONLY) for folder in changes.get("sites", {}).values()]
        self.options = WebOptions(**changes)
        self.site = StaticSite(
            self.root,
            self.options,
            sites=dict(zip(self.options.sites, self.roots, strict=True)),
            clock=self.clock,
            wall=lambda: self.wall_us,
            access_log=access_log,
        )
        return self.site

    def write(self, name: str, content: bytes, mtime: int = 1_700_000_000) -> Path:
        """Put a file there, last modified long ago."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (mtime, mtime))
        return path

    def stream(self, *script: Any) -> ScriptedStream:
        """A connection whose peer follows the script, not served yet."""
        return ScriptedStream(list(script), self.clock)

    def serve(self, stream: ScriptedStream) -> None:
        """Serve it to its end."""
        run(self.site.serve(stream))

    def talk(self, *script: Any, methods: list[str] | None = None) -> Exchange:
        """Serve one connection whose peer follows the script."""
        stream = self.stream(*script)
        self.serve(stream)
        return Exchange(stream, list(methods or []))

    def get(self, target: str, *fields: str, method: str = "GET", version: str = "1.1") -> Exchange:
        """One request."""
        return self.talk(request(target, *fields, method=method, version=version), methods=[method])


def request(target: str, *fields: str, method: str = "GET", version: str = "1.1") -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {target} HTTP/{version}", "Host: a.example", *fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A site with a few files."""
    made = Bench(tmp_path)
    made.write("index.html", b"<h1>home</h1>\n")
    made.write("plain.txt", b"0123456789" * 10)
    made.write("empty.bin", b"")
    made.write("big.bin", bytes(range(256)) * 4096)
    made.write("folder/index.html", b"folder")
    made.write("list/one.txt", b"1")
    made.write(".secret", b"secret")
    yield made
    for fd in (made.root, *made.roots):
        os.close(fd)


@pytest.fixture
def drive() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """The trampoline."""
    return run


@pytest.fixture
def scripted() -> Callable[..., ScriptedStream]:
    """A maker of scripted streams: scripted(*script)."""
    return lambda *script: ScriptedStream(list(script), VirtualClock())


@pytest.fixture
def build() -> Callable[..., bytes]:
    """`request`."""
    return request


@pytest.fixture
def silence() -> object:
    """SILENCE."""
    return SILENCE
