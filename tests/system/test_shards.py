"""Two workers on one port: an even split, a killed worker replaced, and nothing left after the end."""

import http.client
import os
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gossamer.loadtest.namespaces import Namespace
from gossamer.loadtest.servers import Gossamer
from gossamer.shards.rundir.rundir import read_state

pytestmark = pytest.mark.slow
PORT = 7821
CONNECTIONS = 1_000
REQUEST = b"GET /one.bin HTTP/1.1\r\nHost: a\r\n\r\n"
FILES_OPEN = 4 * CONNECTIONS
Start = Callable[..., Gossamer]


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    """This process may hold all the connections of a test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(FILES_OPEN, hard)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(space: Namespace) -> socket.socket:
    """A connection from inside the namespace."""
    with space.entered():
        return socket.create_connection(("127.0.0.1", PORT), timeout=10)


def ask(sock: socket.socket) -> bytes:
    """One request on an open connection; its body."""
    sock.sendall(REQUEST)
    response = http.client.HTTPResponse(sock)
    response.begin()
    return response.read()


def test_two_workers__split_evenly__and_one_that_is_killed_is_replaced_while_the_other_loses_nothing(
    namespace: Namespace, site: Path, files: dict[str, bytes], tmp_path: Path, start: Start, stack: str
) -> None:
    server = start(namespace, site, stack=stack, workers=2, port=PORT)
    assert_split(namespace, server, files["one.bin"])
    assert_replaced(namespace, server, files["one.bin"], tmp_path)


def assert_split(namespace: Namespace, server: Gossamer, content: bytes) -> None:
    """Of 1000 connections of one address each worker has 40 to 60 percent."""
    before = accepted(server)
    connections = [connect(namespace) for _ in range(CONNECTIONS)]
    try:
        assert all(ask(sock) == content for sock in connections)
        grown = {pid: count - before[pid] for pid, count in accepted(server).items()}
    finally:
        for sock in connections:
            sock.close()
    assert sum(grown.values()) == CONNECTIONS
    assert all(0.4 * CONNECTIONS <= count <= 0.6 * CONNECTIONS for count in grown.values()), grown


def accepted(server: Gossamer) -> dict[int, int]:
    """Connections accepted by each worker."""
    return {worker["pid"]: worker["accepted_total"] for worker in server.settled_status()["workers"]}


def assert_replaced(namespace: Namespace, server: Gossamer, content: bytes, folder: Path) -> None:
    """A worker is killed under load: it is replaced, and the other loses nothing."""
    by_worker = sort_by_worker(namespace, server)
    victim, survivor = server.status()["workers"]
    (folder / "paced.lua").write_text("function delay() return 20 end")
    load = namespace.start(
        ["wrk", "-c32", "-t1", "-d2s", "-s", str(folder / "paced.lua"), f"http://127.0.0.1:{PORT}/one.bin"],
        stdout=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    os.kill(victim["pid"], signal.SIGKILL)
    replacement = wait_for_replacement(server, victim, by_worker[survivor["pid"]])
    while load.poll() is None:
        for sock in by_worker[survivor["pid"]]:
            assert ask(sock) == content
        time.sleep(0.005)
    assert load.wait(15) == 0
    assert replacement["restarts"] == victim["restarts"] + 1
    assert survivor["pid"] in server.pids()
    sockets = [connect(namespace) for _ in range(20)]
    assert all(ask(sock) == content for sock in sockets)
    for sock in (*sockets, *by_worker[survivor["pid"]], *by_worker[victim["pid"]]):
        sock.close()


def sort_by_worker(space: Namespace, server: Gossamer) -> dict[int, list[socket.socket]]:
    """A few open connections of each worker: whose they are is seen from which counter moves."""
    found: dict[int, list[socket.socket]] = {pid: [] for pid in server.pids()}
    before = accepted(server)
    for _ in range(24):
        sock = connect(space)
        ask(sock)
        now = accepted(server)
        (owner,) = (pid for pid in now if now[pid] > before[pid])
        found[owner].append(sock)
        before = now
        if min(map(len, found.values())) >= 2:
            return found
    pytest.fail(f"all connections went to one worker: {found}")


def wait_for_replacement(
    server: Gossamer, victim: dict[str, Any], survivors: list[socket.socket]
) -> dict[str, Any]:
    """The successor of a worker, while connections of the other go on being answered; bounded."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        worker: dict[str, Any] = server.status()["workers"][victim["id"]]
        if worker["state"] == "serving" and worker["pid"] != victim["pid"]:
            return worker
        for sock in survivors:
            ask(sock)
        time.sleep(0.02)
    pytest.fail("the worker was not replaced in 10 s")


KILLED = "kill -9, the next start, and stop"


@pytest.mark.parametrize(
    ("stack", "how"),
    [
        ("kernel", KILLED),
        pytest.param("nfqueue", KILLED, marks=pytest.mark.needs("nfqueue")),
        # How a signal reaches the supervisor is the same on both.
        pytest.param("nfqueue", "SIGTERM", marks=pytest.mark.needs("nfqueue")),
        pytest.param("nfqueue", "SIGINT", marks=pytest.mark.needs("nfqueue")),
    ],
)
def test_after_the_end__no_rule_chain_process_or_socket_is_left(
    namespace: Namespace, site: Path, files: dict[str, bytes], start: Start, stack: str, how: str
) -> None:
    rules_before = rules(namespace)
    server = start(namespace, site, stack=stack, workers=2, port=PORT)
    workers = server.pids()
    with connect(namespace) as sock:
        assert ask(sock) == files["one.bin"]
    if stack == "nfqueue":
        assert rules(namespace) != rules_before
    if how == KILLED:
        state = read_state(server.run_dir)
        assert state is not None
        assert state.keeper is not None
        for process in (state.owner, state.keeper):
            os.kill(process.pid, signal.SIGKILL)
        server.process.wait(10)
        wait_until_dead(workers)
        server = start(namespace, site, stack=stack, workers=2, port=PORT)
        workers = server.pids()
        assert server.control("stop").returncode == 0
    else:
        os.kill(server.process.pid, getattr(signal, how))
    assert server.process.wait(15) == 0
    wait_until_dead(workers)
    assert rules(namespace) == rules_before
    assert namespace.pids() == []
    assert not server.run_dir.exists() or list(server.run_dir.iterdir()) == []
    # TIME-WAIT belongs to the kernel and ends by itself; anything else would be a socket that somebody holds.
    assert namespace.run(["ss", "-Htan", "exclude", "time-wait"]) == ""


def rules(space: Namespace) -> list[str]:
    """All firewall rules and chains of a namespace, without counters and comments; an emptied table is no
    table.
    """
    lines = [line for tool in ("iptables-save", "ip6tables-save") for line in space.run([tool]).splitlines()]
    return [line.split(" [")[0] for line in lines if line.startswith(("-A", ":GSMR"))]


def wait_until_dead(pids: list[int]) -> None:
    """Wait, within a bound, until none of the processes is there."""
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        if not any(Path(f"/proc/{pid}").exists() for pid in pids):
            return
        time.sleep(0.02)
    pytest.fail(f"of {pids} some are alive")
