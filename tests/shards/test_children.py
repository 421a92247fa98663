"""Children of handlers, on either stack: what they keep of the server, and what their signals do to it."""

import os
import signal
import time

import psutil
import pytest

from .conftest import Place, Server, wait_until

WAYS_OF_EXEC = ("run_process", "subprocess", "fork and exec")
QUIET_SECONDS = 0.3
"""Longer than a signal takes from process to process; a worker that drains says so at once."""


def has_ended(pid: int) -> bool:
    """Whether it is no more, or only waits to be reaped."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def states(server: Server) -> list[tuple[int, str, int]]:
    return [(worker["pid"], worker["state"], worker["restarts"]) for worker in server.status()["workers"]]


def cpus_of(pid: int) -> str:
    """The line of the process table with the processors that it may use."""
    with open(f"/proc/{pid}/status") as status:
        return next(line.rstrip() for line in status if line.startswith("Cpus_allowed_list"))


def test_children__of_one_worker__have_nothing_of_it_and_it_goes_on_whatever_they_get(place: Place) -> None:
    server = place.start_family()
    assert cpus_of(server.worker_pids()[0]) == cpus_of(os.getpid())
    for way in WAYS_OF_EXEC:
        child_by_exec_has_three_descriptors_and_every_processor(place, server, way)
    for way in ("fork", "fork in the pool"):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGRTMIN):
            forked_child_gets_a_signal_and_ends_alone(place, server, way, number)


def child_by_exec_has_three_descriptors_and_every_processor(place: Place, server: Server, way: str) -> None:
    *descriptors, cpus = place.ask(server.port(), way).splitlines()
    assert len(descriptors) == 3, (way, descriptors)
    assert cpus == cpus_of(os.getpid()), way


def forked_child_gets_a_signal_and_ends_alone(
    place: Place, server: Server, way: str, number: signal.Signals
) -> None:
    before = states(server)
    child = int(place.ask(server.port(), way))
    os.kill(child, number)
    wait_until(lambda: has_ended(child), "the child's end")
    time.sleep(QUIET_SECONDS)
    assert states(server) == before, (way, number)
    assert place.ask(server.port(), "lines") == "written"
    assert place.ask(server.port(), "reap") == str(-number)
    assert "means nothing to a worker" not in server.log()


@pytest.mark.needs("nfqueue")
@pytest.mark.parametrize("place", ["nfqueue"], indirect=True)
def test_children__by_exec__of_the_netfilterqueue_package__have_three_descriptors(place: Place) -> None:
    pytest.importorskip("netfilterqueue")
    server = place.start_family("--nfqueue-backend", "netfilterqueue")
    for way in WAYS_OF_EXEC:
        child_by_exec_has_three_descriptors_and_every_processor(place, server, way)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
@pytest.mark.parametrize("place", ["kernel"], indirect=True)
def test_two_servers_of_one_worker__neither_is_pinned(place: Place) -> None:
    servers = [place.start_family(name=name) for name in ("one", "other")]
    for server in servers:
        assert cpus_of(server.worker_pids()[0]) == cpus_of(os.getpid())


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs")
def test_worker_for_each_processor__stays_on_it__children_of_run_process_have_all(place: Place) -> None:
    server = place.start_family(workers=str(len(os.sched_getaffinity(0))))
    allowed = [os.sched_getaffinity(pid) for pid in server.worker_pids()]
    assert allowed == [{cpu} for cpu in sorted(os.sched_getaffinity(0))]
    assert place.ask(server.port(), "run_process").splitlines()[-1] == cpus_of(os.getpid())
