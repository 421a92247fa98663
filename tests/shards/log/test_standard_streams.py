"""Standard output that nobody reads, and descriptors that are closed."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from ..conftest import PATIENCE_SECONDS, Place, Server

WRITE_TWICE = """
import logging, os
from gossamer.shards.log.standard_streams import write_all
logging.basicConfig(format="%(message)s")
for _ in range(2):
    write_all(1, b"a line" * 10_000, "output")
os.write(2, b"went on")
"""


def run_with_output(output: int) -> "subprocess.CompletedProcess[str]":
    """Run WRITE_TWICE with that standard output."""
    command = [sys.executable, "-c", WRITE_TWICE]
    return subprocess.run(
        command, stdout=output, stderr=subprocess.PIPE, text=True, check=False, timeout=PATIENCE_SECONDS
    )


def test_reader_left__said_once_and_the_program_goes_on() -> None:
    read, write = os.pipe()
    os.close(read)
    done = run_with_output(write)
    os.close(write)
    assert done.returncode == 0
    assert done.stderr.count("its reader has left") == 1
    assert done.stderr.endswith("went on")


def test_disk_full__said_and_the_program_goes_on() -> None:
    with Path("/dev/full").open("wb") as full:
        done = run_with_output(full.fileno())
    assert done.stderr.count("No space left") == 2
    assert "went on" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve__the_reader_of_its_output_has_left__serves_and_stops_as_ever(
    serve: Callable[..., Server],
) -> None:
    server = serve(prefix=("bash", "-c", 'set -o pipefail; "$@" | true', "bash"))
    server.wait_serving()
    assert server.command("stop").returncode == 0
    assert server.wait_end() == 0


def test_serve__descriptors_closed__workers_have_dev_null_and_outlive_what_is_written(place: Place) -> None:
    closed = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    folder = str(Path(__file__).parent.parent)
    server = place.start(target="family:handler", PYTHONPATH=folder, prefix=closed)
    status = server.wait_serving()
    (worker,) = status["workers"]
    for pid in (server.process.pid, worker["pid"]):
        assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)] == ["/dev/null"] * 3
    assert place.ask(status["port"], "lines") == "written"
    seen = place.ask(status["port"], "fork and exec").splitlines()
    assert [seen[0], seen[2]] == ["/dev/null"] * 2
    (after,) = server.status()["workers"]
    assert (after["pid"], after["state"], after["restarts"]) == (worker["pid"], "serving", 0)
    assert server.command("stop").returncode == 0
    assert server.wait_end() == 0


@contextlib.contextmanager
def stalled_pipe(path: Path) -> Iterator[int]:
    """A pipe that somebody holds open and nobody reads, as small as may be."""
    os.mkfifo(path)
    path.chmod(0o666)
    fd = os.open(path, os.O_RDWR)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 4096)
    try:
        yield fd
    finally:
        os.close(fd)


REQUESTS, ROUNDS = 500, 60
"""Enough lines of the access log for every buffer on the way."""


def ask_much(client: socket.socket) -> None:
    """Pipelined requests, and all their answers."""
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for _ in range(ROUNDS):
        client.sendall(request * REQUESTS)
        answers = b""
        while answers.count(b"hello\n") < REQUESTS:
            data = client.recv(1 << 20)
            assert data
            answers += data


def test_access_log__nobody_reads_it__served_as_ever_and_dropped_lines_counted(
    place: Place, tmp_path: Path
) -> None:
    with stalled_pipe(tmp_path / "pipe"):
        into = ("sh", "-c", f'exec "$@" > {tmp_path}/pipe', "sh")
        limits = ("--set", "supervisor.heartbeat_timeout=2s", "--access-log")
        server = place.start(*limits, prefix=into).wait_ready()
        with place.connect(server.port()) as client:
            ask_much(client)
        time.sleep(2.5)
        (worker,) = server.status()["workers"]
        assert (worker["restarts"], worker["state"]) == (0, "serving")
        assert worker["totals"]["log_lines_dropped_total"] > 0
        assert server.log().count("whoever reads it was too slow") == 1
        server.process.send_signal(signal.SIGTERM)
        assert server.wait_end(20) == 0


def test_log__nobody_reads_it__served_as_ever(place: Place, tmp_path: Path) -> None:
    with stalled_pipe(tmp_path / "pipe"):
        into = ("sh", "-c", f'exec "$@" 2> {tmp_path}/pipe', "sh")
        server = place.start("--set", "supervisor.heartbeat_timeout=2s", prefix=into)
        status = server.wait_serving()
        with contextlib.ExitStack() as clients:
            for _ in range(20):
                clients.enter_context(place.connect(status["port"]))
            for _ in range(20):
                os.kill(status["workers"][0]["pid"], signal.SIGQUIT)
                os.kill(status["pid"], signal.SIGUSR1)
                time.sleep(0.05)
        time.sleep(2.5)
        (worker,) = server.status()["workers"]
        assert (worker["restarts"], worker["state"]) == (0, "serving")
