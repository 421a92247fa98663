"""Standard output that nobody reads, and descriptors that are closed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import GOSSAMER, PATIENCE_SECONDS, Place, wait_until

WRITE_TWICE = """
import logging, os
from gossamer.shards.standard_streams import write_standard_output
logging.basicConfig(format="%(message)s")
for _ in range(2):
    write_standard_output(b"a line" * 10_000)
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


@pytest.mark.parametrize("closing", ["<&- >&- 2>&-", "| true"])
def test_serve__output_closed__serves_and_stops_as_ever(tmp_path: Path, closing: str) -> None:
    (tmp_path / "site").mkdir()
    run_dir = tmp_path / "run"
    command = (
        f"{GOSSAMER} serve {tmp_path / 'site'} --port 0 --stack kernel -w 1 --run-dir {run_dir} {closing}"
    )
    shell = subprocess.Popen(["bash", "-c", f"set -o pipefail; {command}"], process_group=0)
    try:
        wait_until(lambda: is_serving(run_dir), "the server serves")
        stopped = subprocess.run([GOSSAMER, "stop", "--run-dir", run_dir], check=False, timeout=60)
        assert stopped.returncode == 0
        assert shell.wait(PATIENCE_SECONDS) == 0
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()


def is_serving(run_dir: Path) -> bool:
    """Whether the server there says that its worker serves."""
    status = status_of(run_dir)
    return status is not None and any(worker["state"] == "serving" for worker in status["workers"])


def status_of(run_dir: Path) -> Any:
    """The status of the server there; None where there is none yet."""
    command = [GOSSAMER, "status", "--json", "--run-dir", str(run_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_serve__descriptors_closed__workers_have_dev_null_and_outlive_what_is_written(place: Place) -> None:
    closed = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    folder = str(Path(__file__).parent)
    server = place.start("--workers", "1", target="family:handler", PYTHONPATH=folder, prefix=closed)
    wait_until(lambda: is_serving(server.directory), "the server serves")
    # Its own commands would have them closed as well.
    status = status_of(server.directory)
    (worker,) = status["workers"]
    for pid in (server.process.pid, worker["pid"]):
        assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)] == ["/dev/null"] * 3
    assert place.ask(status["port"], "lines") == "written"
    seen = place.ask(status["port"], "fork and exec").splitlines()
    assert [seen[0], seen[2]] == ["/dev/null"] * 2
    (after,) = status_of(server.directory)["workers"]
    assert (after["pid"], after["state"], after["restarts"]) == (worker["pid"], "serving", 0)
