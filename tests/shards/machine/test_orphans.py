"""Children that nobody waits for: reaped by a supervisor, which takes nobody else's exit status."""

import contextlib
import os
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from gossamer.shards.machine.orphans import AT_ONCE_MAX, reap_orphans

from ..conftest import Place, Server, wait_until
from ..family import ORPHAN, ORPHANS

PROCESS_1 = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
OURS = 3
"""The keeper, which is the oldest, and two workers."""
NOBODY: frozenset[int] = frozenset()


def supervisor_of(server: Server) -> psutil.Process:
    """The only child of the command that made its namespace."""
    (found,) = psutil.Process(server.process.pid).children()
    return found


def zombies(server: Server) -> int:
    statuses = []
    for process in supervisor_of(server).children(recursive=True):
        try:
            statuses.append(process.status())
        except psutil.NoSuchProcess:
            continue
    return statuses.count(psutil.STATUS_ZOMBIE)


def children(server: Server) -> int:
    return len(supervisor_of(server).children(recursive=True))


def orphans(server: Server) -> list[psutil.Process]:
    """Those that have begun: each is a shell before."""
    found = []
    for process in supervisor_of(server).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.cmdline() == ORPHAN.split():
                found.append(process)
    return found


def end_orphans(server: Server) -> None:
    wait_until(lambda: len(orphans(server)) == ORPHANS, "all of them have begun")
    for each in orphans(server):
        each.kill()


@pytest.mark.needs("pid-namespaces")
def test_process_1__orphans_of_a_handler__reaped__a_workers_status_is_the_supervisors(
    place: Place,
) -> None:
    server = place.start_family(workers="2", prefix=PROCESS_1)
    assert place.ask(server.port(), "orphans") == "left"
    end_orphans(server)
    wait_until(lambda: children(server) == OURS and zombies(server) == 0, "no zombie")
    assert place.ask(server.port(), "exit code") == "7"
    worker = supervisor_of(server).children()[1]
    assert place.ask(server.port(), "orphans") == "left"
    end_orphans(server)
    worker.kill()
    wait_until(lambda: "(killed by signal 9)" in server.log(), "the supervisor's line")
    wait_until(lambda: children(server) == OURS and zombies(server) == 0, "a new worker, and no zombie")


@pytest.fixture
def ended() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Two children that have ended, and whom nobody has asked yet."""
    made = [subprocess.Popen(["sh", "-c", f"exit {code}"]) for code in (3, 4)]
    for child in made:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    yield made
    for child in made:
        child.wait()


def test_reap__worker_among_them__its_status_is_left(ended: list["subprocess.Popen[bytes]"]) -> None:
    worker, other = ended
    reap_orphans({worker.pid})
    assert worker.wait() == 3
    reap_orphans(NOBODY)
    with pytest.raises(ChildProcessError):
        os.waitpid(other.pid, os.WNOHANG)


def test_reap__no_child_at_all_or_refused__none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "waitid", refuse)
    assert reap_orphans(NOBODY) == 0


def test_reap__more_than_at_once__comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    reaped: list[int] = []

    class Ended:
        si_pid = 7

    monkeypatch.setattr(os, "waitid", lambda *_arguments: Ended)
    monkeypatch.setattr(os, "waitpid", lambda pid, _options: reaped.append(pid))
    assert reap_orphans(NOBODY) == AT_ONCE_MAX == len(reaped)
