"""Servers for the tests of processes: started by the command line, ended by their pid, whatever happened."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.shards.exitcode import NotRunningError
from gossamer.shards.machine.procfs import is_alive
from gossamer.shards.rundir.control import ControlRequest, ask
from gossamer.shards.rundir.rundir import CONTROL, read_state

from ..cli.inside import Done, gossamer
from .family import END

GOSSAMER = str(Path(sys.executable).parent / "gossamer")
PATIENCE_SECONDS = 60.0


def wait_until(condition: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> Any:
    """The first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


class Server:
    """A running `gossamer serve`."""

    def __init__(self, directory: Path, argv: list[str], prefix: list[str], **environment: str) -> None:
        self.directory = directory
        self.prefix = prefix
        self.output = directory.parent / f"{directory.name}.log"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [*prefix, GOSSAMER, "serve", *argv, "--run-dir", str(directory)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "COLUMNS": "200", **environment},
            )

    def wait_ready(self) -> "Server":
        """Wait until it says that it serves."""

        def is_ready() -> bool:
            assert self.process.poll() is None, self.log()
            return "stop      " in self.log()

        wait_until(is_ready, "the server is ready")
        return self

    def log(self) -> str:
        """All that it has printed."""
        return self.output.read_text()

    def command(self, *argv: str, **environment: str) -> Done:
        """Run a command about this server, in this process."""
        return gossamer(*argv, "--run-dir", str(self.directory), **{"COLUMNS": "200", **environment})

    def status(self) -> dict[str, Any]:
        """Its status, asked as `gossamer status` does it, but without a process for it."""
        found: dict[str, Any] = ask(self.directory / CONTROL, ControlRequest("status")).result
        return found

    def wait_serving(self) -> dict[str, Any]:
        """Its status, once every worker serves; for one that cannot say so where it is seen."""

        def serving() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.log()
            try:
                status = self.status()
            except NotRunningError:
                return None
            return status if all(worker["state"] == "serving" for worker in status["workers"]) else None

        status: dict[str, Any] = wait_until(serving, "every worker serves")
        return status

    def port(self) -> int:
        """Its port, as it has printed it."""
        found = re.search(r"https?://[^/]*:(\d+)/", self.log())
        assert found is not None, self.log()
        return int(found[1])

    def worker_pids(self) -> list[int]:
        """The pids of its workers."""
        return [worker["pid"] for worker in self.status()["workers"]]

    def get(self, path: str = "/", timeout: float = 5.0) -> tuple[int, bytes]:
        """GET over a new kernel connection; only for servers that no namespace hides."""
        connection = http.client.HTTPConnection("127.0.0.1", self.status()["port"], timeout=timeout)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def wait_end(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit code."""
        return self.process.wait(seconds)

    def keeper(self) -> int:
        """The pid of its keeper; 0 where none lives, or it is in a namespace of its own."""
        state = read_state(self.directory)
        keeper = state.keeper if state is not None else None
        return keeper.pid if keeper is not None and is_alive(keeper) else 0

    def kill_supervision(self) -> None:
        """Kill supervisor and keeper: the workers see that nobody is left."""
        keeper = self.keeper()
        assert keeper, "pid 0 would be all of this group"
        for pid in (self.process.pid, keeper):
            os.kill(pid, signal.SIGKILL)
        self.wait_end()

    def end(self) -> None:
        """Leave no process behind; workers without supervisor and keeper end by themselves."""
        if keeper := self.keeper():
            os.kill(keeper, signal.SIGKILL)
        if self.process.poll() is not None:
            return
        family = [
            self.process.pid,
            *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True)),
        ]
        for pid in reversed(family):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process.wait()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with one file that every user may read."""
    made = tmp_path / "site"
    made.mkdir()
    (made / "index.html").write_bytes(b"hello\n")
    return made


@pytest.fixture
def serve(site: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts a server; all are ended at the end."""
    servers: list[Server] = []

    def start(
        *argv: str,
        target: str = str(site),
        name: str = "run",
        prefix: tuple[str, ...] = (),
        workers: str = "1",
        **environment: str,
    ) -> Server:
        count = ["--workers", workers] if workers else []
        arguments = [target, *count, "--stack", "kernel", "--port", "0", *argv]
        server = Server(tmp_path / name, arguments, list(prefix), **environment)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.end()


class Place:
    """Where servers of one stack run and clients reach them: this machine, or a namespace."""

    def __init__(self, stack: str, serve: Callable[..., Server], namespace: Namespace | None) -> None:
        self.stack = stack
        self._serve = serve
        self._namespace = namespace

    def start(self, *argv: str, prefix: tuple[str, ...] = (), **options: str) -> Server:
        """Start a server there."""
        inside = tuple(self._namespace.command([])) if self._namespace else ()
        return self._serve("--stack", self.stack, *argv, prefix=(*inside, *prefix), **options)

    def start_family(self, *argv: str, **options: Any) -> Server:
        """Start a server of the handler `family`, which starts children."""
        folder = str(Path(__file__).parent)
        return self.start(*argv, target="family:handler", PYTHONPATH=folder, **options).wait_ready()

    def connect(
        self, port: int, timeout: float = PATIENCE_SECONDS, source: tuple[str, int] | None = None
    ) -> socket.socket:
        """A connection to the server there, from an address of its own where one is given."""
        with self.inside():
            return socket.create_connection(("127.0.0.1", port), timeout, source)

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """While it lasts, this thread is where the server is."""
        return self._namespace.entered() if self._namespace else contextlib.nullcontext()

    def ask(self, port: int, question: str) -> str:
        """What the server there answers, over a connection of its own."""
        with self.connect(port) as client:
            client.sendall(question.encode())
            answer = b""
            while not answer.endswith(END):
                part = client.recv(65536)
                assert part, f"cut short: {answer!r}"
                answer += part
            return answer.removesuffix(END).decode()


@pytest.fixture(params=["kernel", pytest.param("nfqueue", marks=pytest.mark.needs("nfqueue"))])
def place(request: pytest.FixtureRequest, serve: Callable[..., Server]) -> Place:
    """Each stack in turn."""
    if request.param == "kernel":
        return Place("kernel", serve, None)
    namespace: Namespace = request.getfixturevalue("namespace")
    return Place("nfqueue", serve, namespace)
