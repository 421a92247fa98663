"""Processes that another one has started: signalled, and heard of, whoever's children they are."""

import signal
import subprocess
from collections.abc import Iterator

import pytest

from gossamer.shards.keeper.adopted import UNSEEN, AdoptedProcess, send_signal
from gossamer.shards.machine.procfs import ProcessIdentity, start_ticks
from gossamer.shards.supervisor.restart import WorkerExit, describe_exit


def identity(pid: int) -> ProcessIdentity:
    ticks = start_ticks(pid)
    assert ticks is not None
    return ProcessIdentity(pid, ticks)


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


@pytest.fixture
def grandchild() -> Iterator[ProcessIdentity]:
    """A process that is no child of this one, and that its parent reaps."""
    script = "sleep 60 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        found = identity(int(parent.stdout.readline()))
        yield found
        send_signal(found, signal.SIGKILL)


def test_child__its_exit_status_is_ours(child: "subprocess.Popen[bytes]") -> None:
    adopted = AdoptedProcess(identity(child.pid))
    assert adopted.poll() is None
    adopted.send_signal(signal.SIGTERM)
    assert adopted.wait() == adopted.poll() == -signal.SIGTERM


def test_no_child__its_end_is_seen__and_no_more(grandchild: ProcessIdentity) -> None:
    adopted = AdoptedProcess(grandchild)
    assert adopted.poll() is None
    adopted.send_signal(signal.SIGKILL)
    assert adopted.wait() == UNSEEN
    assert "how is not known" in describe_exit(WorkerExit(0, UNSEEN))


def test_signal__to_a_number_that_is_another_process_by_now__reaches_nobody(
    child: "subprocess.Popen[bytes]",
) -> None:
    found = identity(child.pid)
    send_signal(ProcessIdentity(found.pid, found.start_ticks + 1), signal.SIGKILL)
    assert child.poll() is None


def test_signal__nobody_has_the_number__nothing_happens() -> None:
    send_signal(ProcessIdentity(2**22 + 1, 1), signal.SIGKILL)
