"""What a server inherits from whoever starts it: blocked and ignored signals, umask, limits."""

import os
import resource
import signal
import sys
from pathlib import Path

import psutil
import pytest

from gossamer.shards.machine import inherited

from ..conftest import Place, Server, wait_until

WRAPPER = """
import os, resource, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGTSTP, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC):
    resource.setrlimit(limit, (64, resource.getrlimit(limit)[1]))
os.umask(0o777)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Starts a command as nobody should."""
WRAPPED = (sys.executable, "-c", WRAPPER)
VALID = sum(1 << number - 1 for number in signal.valid_signals())
"""Not the signals that the C library keeps for itself, which nobody can set."""
LONG_SECONDS = 60
OF_PYTHON = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1


def fields(pid: int) -> dict[str, str]:
    """The process table's lines about a process."""
    text = Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def open_files(pid: int) -> list[str]:
    """Its limits of open descriptors, the soft one and the hard one."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line for line in lines if "open files" in line).split()[3:5]


def family(server: Server) -> list[int]:
    """The supervisor, its keeper and its workers."""
    supervisor = psutil.Process(server.process.pid)
    return [supervisor.pid, *(child.pid for child in supervisor.children())]


def test_server__of_blocked_and_ignored_signals__has_none_reloads_says_and_drains(place: Place) -> None:
    server = place.start(prefix=WRAPPED).wait_ready()
    workers = server.worker_pids()
    assert len(family(server)) == 3
    for pid in family(server):
        found = fields(pid)
        assert int(found["SigBlk"], 16) == 0
        assert int(found["SigIgn"], 16) & VALID == OF_PYTHON
        assert int(found["Umask"], 8) == 0o077
        assert open_files(pid) == [str(resource.getrlimit(resource.RLIMIT_NOFILE)[1])] * 2
    os.kill(workers[0], signal.SIGUSR1)
    wait_until(lambda: "SIGUSR1 means nothing to a worker" in server.log(), "the worker's line")
    server.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: "SIGUSR1: there is no log file" in server.log(), "the supervisor's line")
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: server.status()["generation"] == 2, "the reload")
    wait_until(lambda: not server.status()["reloading"], "the end of the reload")
    assert not set(workers) & set(server.worker_pids())
    server.process.send_signal(signal.SIGTERM)
    assert server.wait_end() == 0
    assert "did not end in time" not in server.log()


def test_server__of_blocked_signals__ends_at_once_by_sigint__whoever_asks(place: Place) -> None:
    server = place.start("--timeout-graceful-shutdown", f"{LONG_SECONDS}s", prefix=WRAPPED).wait_ready()
    with place.connect(server.port()) as connection:
        connection.send(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: server.status()["workers"][0]["connections"] == 1, "a connection")
        server.process.send_signal(signal.SIGINT)
        assert server.wait_end(LONG_SECONDS / 2) == 0
    assert "did not end in time" not in server.log()


@pytest.mark.parametrize(
    ("before", "after"), [(0o000, 0o022), (0o002, 0o022), (0o022, 0o022), (0o077, 0o077), (0o777, 0o077)]
)
def test_umask__all_to_the_owner__others_never_write(before: int, after: int) -> None:
    outer = os.umask(before)
    try:
        inherited.set_umask()
    finally:
        found = os.umask(outer)
    assert found == after
