"""`gossamer top` against a control socket of the test's own: at a terminal, and for programs."""

import os
import pty
import selectors
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gossamer.cli.rates import ServerRates
from gossamer.shards.machine.procfs import own_identity
from gossamer.shards.rundir.control import ControlAnswer, ControlRequest, ControlServer, open_control
from gossamer.shards.rundir.rundir import RunDirectory, RunState

from ..shards.admin.sample import sample_status
from ..shards.conftest import GOSSAMER
from .inside import gossamer


def answer(request: ControlRequest) -> ControlAnswer:
    assert request.command == "status"
    return ControlAnswer(True, "", msgspec.to_builtins(sample_status()))


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[str]:
    """The run directory of what looks like a server."""
    directory, owner = RunDirectory(tmp_path / "run"), own_identity()
    directory.acquire()
    directory.write_state(RunState(owner.pid, owner.start_ticks, "127.0.0.1", 80, "nfqueue", "http://a/"))
    selector, ending = selectors.DefaultSelector(), threading.Event()
    server = ControlServer(open_control(directory.control_path), selector, answer)

    def loop() -> None:
        while not ending.is_set():
            for key, _ in selector.select(0.02):
                key.data()

    thread = threading.Thread(target=loop)
    thread.start()
    yield str(directory.path)
    ending.set()
    thread.join()
    server.close()
    directory.release()


def test_json__once__one_object(run_dir: str) -> None:
    done = gossamer("top", "--run-dir", run_dir, "--once", "--json", "--interval", "100ms")
    assert done.returncode == 0, done.stderr
    rates = msgspec.json.decode(done.stdout, type=ServerRates)
    assert [worker.id for worker in rates.workers] == [0, 1]


def test_no_terminal__one_table(run_dir: str) -> None:
    done = gossamer("top", "--run-dir", run_dir, "--interval", "100ms")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("worker") == 1
    assert "\x1b" not in done.stdout


def test_interval__too_short__one_line(run_dir: str) -> None:
    done = gossamer("top", "--run-dir", run_dir, "--interval", "1ms")
    assert (done.returncode, done.stderr) == (2, "gossamer: --interval: allowed: at least 100ms\n")


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_terminal__drawn_until_a_key__and_then_as_it_was(run_dir: str, key: bytes) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
    argv = [GOSSAMER, "top", "--run-dir", run_dir, "--interval", "100ms"]
    process = subprocess.Popen(
        argv, stdin=theirs, stdout=theirs, stderr=theirs, env=environment,
        preexec_fn=lambda: os.login_tty(theirs),
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while b"q ends" not in shown:
        shown += os.read(ours, 1 << 16)
    os.write(ours, key)
    try:
        while piece := os.read(ours, 1 << 16):
            shown += piece
    except OSError:
        pass  # EIO: its last descriptor of the terminal is closed.
    assert process.wait(30) == 0
    assert shown.count(b"\x1b[?1049h") == shown.count(b"\x1b[?1049l") == 1
    assert shown.count(b"\x1b[?25l") == shown.count(b"\x1b[?25h")
    os.close(ours)
