"""Runs an example as its head says, on a free port, and ends it by Ctrl-C.

Whatever it does, it ends with exit code 0 and has said on its standard error what the test expects.
"""

import contextlib
import itertools
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SECONDS = 30
"""For what takes milliseconds on a machine that is not busy."""


class Program:
    """One that runs, and the port it serves."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)


@contextlib.contextmanager
def running(command: list[str], warnings: str = "", *, on_standard_error: bool = False) -> Iterator[Program]:
    """A program that serves, until the end of the block; `warnings` is a pattern of its standard error, and
    it says there or on its standard output where it serves."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        said = process.stderr if on_standard_error else process.stdout
        assert said is not None
        assert select.select([said], [], [], SECONDS)[0], "it says nothing"
        yield Program(process, port_in(said))
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, complaints
        assert re.fullmatch(warnings, complaints), complaints
    finally:
        if process.poll() is None:
            # Workers of a server that is killed go on, with its standard error: it is asked first.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=SECONDS)
        process.kill()


def port_in(said: IO[str]) -> int:
    """The port that one of its first lines names; lines of a log may stand before it."""
    for line in itertools.islice(said, 10):
        if found := re.search(r"(?:127\.0\.0\.1:| port )(\d+)", line):
            return int(found[1])
    raise AssertionError("it names no port")


def example(name: str, *arguments: object) -> list[str]:
    """The command that runs an example."""
    return [sys.executable, str(EXAMPLES / name), *map(str, arguments)]


def printed(command: list[str]) -> str:
    """What a program prints that ends by itself."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def received(client: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    return b"".join(iter(lambda: client.recv(1 << 20), b""))
