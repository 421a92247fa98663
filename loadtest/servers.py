"""Servers started for a test or a benchmark: ours on either stack, nginx, others; each in a place, each
ended by its pid.

Owns how each is configured and when it is ready. A `Place` is where processes run: a namespace, or the host
itself. This file does not decide what is sent to them.
"""

import contextlib
import http.client
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.namespaces import end
from gossamer.shards.exitcode import CommandError
from gossamer.shards.rundir.control import ControlRequest, ask
from gossamer.shards.rundir.rundir import CONTROL

READY_WAIT_S: Final = 60.0
READY_STEP_S: Final = 0.05
PROBE_WAIT_S: Final = 2.0


class ServerError(Exception):
    """A server did not come up or did not end as it should; the message holds what it said."""


class KeyFiles(NamedTuple):
    """Of a server that speaks TLS: PEM files."""

    certificate: Path
    key: Path


class Place(Protocol):
    """Where processes run."""

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs `argv` there."""

    def entered(self) -> AbstractContextManager[None]:
        """The calling thread is there: sockets it makes and processes it starts stay there."""


class LocalMachine:
    """The machine as it is, for what needs no namespace."""

    def command(self, argv: Sequence[str]) -> list[str]:
        """`argv` itself."""
        return list(argv)

    def entered(self) -> AbstractContextManager[None]:
        """Nothing to enter."""
        return contextlib.nullcontext()


class Server:
    """A running server. `worker_pids` are the processes whose CPU time is its cost."""

    def __init__(
        self,
        name: str,
        process: "subprocess.Popen[Any]",
        port: int,
        log: Path,
        workers: Callable[[], list[int]],
        *,
        is_encrypted: bool = False,
    ) -> None:
        self.name = name
        self.is_encrypted = is_encrypted
        self.process = process
        self.port = port
        self.log = log
        self.worker_pids = workers

    def close(self, wait_s: float = 15.0) -> int:
        """End it with SIGTERM; its exit status."""
        return end(self.process, wait_s=wait_s)


class Gossamer(Server):
    """Our own server, with its commands."""

    def __init__(
        self,
        place: Place,
        process: "subprocess.Popen[Any]",
        port: int,
        log: Path,
        run_dir: Path,
        *,
        is_encrypted: bool = False,
    ) -> None:
        super().__init__("gossamer", process, port, log, self.pids, is_encrypted=is_encrypted)
        self.place = place
        self.run_dir = run_dir

    def status(self) -> dict[str, Any]:
        """What `gossamer status --json` says, asked without a process for it. Raises: ServerError."""
        try:
            found: dict[str, Any] = ask(self.run_dir / CONTROL, ControlRequest("status")).result
        except CommandError as error:
            raise ServerError(f"status: {error}") from error
        return found

    def settled_status(self) -> dict[str, Any]:
        """`status`, once every worker has beaten after this call: its figures then hold all that was before.

        Raises: ServerError when one does not beat.
        """
        asked_s = time.monotonic()
        while (waited_s := time.monotonic() - asked_s) < READY_WAIT_S:
            found = self.status()
            if all(worker["heartbeat_age_us"] < waited_s * SECOND_US for worker in found["workers"]):
                return found
            time.sleep(READY_STEP_S)
        raise ServerError(f"a worker has no heartbeat: {self.log.read_text()[-2000:]}")

    def pids(self) -> list[int]:
        """The workers' pids."""
        return [worker["pid"] for worker in self.status()["workers"]]

    def control(self, *words: str, wait_s: float = 30.0) -> "subprocess.CompletedProcess[str]":
        """Run one of the control commands against this instance. Raises: TimeoutExpired."""
        argv = [*gossamer_command(), *words, "--run-dir", str(self.run_dir)]
        return subprocess.run(
            self.place.command(argv), capture_output=True, text=True, timeout=wait_s, check=False
        )


def gossamer_command() -> list[str]:
    """How this installation's command line is started."""
    return [str(Path(sys.executable).with_name("gossamer"))]


def start_gossamer(
    place: Place,
    target: Path | str,
    run_dir: Path,
    *options: str,
    stack: str = "kernel",
    workers: int = 1,
    port: int = 8080,
    host: str = "0.0.0.0",
    environment: Mapping[str, str] = MappingProxyType({}),
    keys: KeyFiles | None = None,
) -> Gossamer:
    """Start our server and wait until it answers. Raises: ServerError."""
    log = run_dir.with_suffix(".log")
    argv = [*gossamer_command(), "serve", str(target), "--host", host, "--port", str(port)]
    argv += ["--workers", str(workers), "--stack", stack, "--run-dir", str(run_dir)]
    if keys is not None:
        argv += ["--ssl-certfile", str(keys.certificate), "--ssl-keyfile", str(keys.key)]
    process = start_logged(place, [*argv, "--no-access-log", *options], log, environment)
    server = Gossamer(place, process, port, log, run_dir, is_encrypted=keys is not None)
    asked = "::1" if host == "::1" else "127.0.0.1"
    wait_until_ready(place, server, lambda: len(server.pids()) >= workers, asked)
    return server


def start_logged(
    place: Place,
    argv: list[str],
    log: Path,
    environment: Mapping[str, str] = MappingProxyType({}),
    pass_fds: Sequence[int] = (),
) -> "subprocess.Popen[Any]":
    """Start a process whose output goes to a file, with more in its environment than we have."""
    with log.open("wb") as output:
        return subprocess.Popen(
            place.command(argv),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            pass_fds=pass_fds,
        )


def wait_until_ready(
    place: Place, server: Server, is_complete: Callable[[], bool], host: str = "127.0.0.1"
) -> None:
    """Wait until the port answers and all workers are there.

    Raises: ServerError with its log, once it is ended.
    """
    give_up = time.monotonic() + READY_WAIT_S
    try:
        while time.monotonic() < give_up and server.process.poll() is None:
            if is_answered(place, host, server.port, server.is_encrypted) and is_complete():
                return
            time.sleep(READY_STEP_S)
    except BaseException:  # Ctrl-C too: nobody else knows of the server yet.
        server.close()
        raise
    status = server.close()
    raise ServerError(f"{server.name} did not come up (status {status}): {server.log.read_text()[-2000:]}")


def is_answered(place: Place, host: str, port: int, is_encrypted: bool = False) -> bool:
    """Whether a request to that port is answered, whatever the answer and the certificate."""
    asking = (
        http.client.HTTPSConnection(host, port, timeout=PROBE_WAIT_S, context=trusting_anybody())
        if is_encrypted
        else http.client.HTTPConnection(host, port, timeout=PROBE_WAIT_S)
    )
    try:
        with place.entered():
            asking.connect()
        asking.request("GET", "/")
        asking.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asking.close()
    return True


def trusting_anybody() -> ssl.SSLContext:
    """For a server that was started here."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """A server that ends with the block."""
    try:
        yield server
    finally:
        server.close()
