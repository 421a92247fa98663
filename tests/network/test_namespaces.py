"""The namespaces themselves: joined, isolated, and gone afterwards."""

import os
import socket
import subprocess
import time
from collections.abc import Sequence

import pytest

from gossamer.loadtest import namespaces
from gossamer.loadtest.namespaces import RIGHT_V4, RIGHT_V6, Namespace

pytestmark = pytest.mark.needs("namespaces")


@pytest.mark.parametrize("address", [RIGHT_V4, RIGHT_V6])
def test_veth__connect_over_either_family__answers(
    joined_namespaces: tuple[Namespace, Namespace], address: str
) -> None:
    left, _ = joined_namespaces
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with left.entered(), socket.socket(family) as sock:
        sock.settimeout(5)
        with pytest.raises(ConnectionRefusedError):
            sock.connect((address, 9))


def test_entered__socket_made_inside__stays_there(namespace: Namespace) -> None:
    with namespace.entered():
        listener = socket.create_server(("127.0.0.1", 7123))
    with listener, socket.socket() as outside, pytest.raises(ConnectionRefusedError):
        outside.connect(("127.0.0.1", 7123))
    with socket.create_server(("127.0.0.1", 7123)):
        assert ":7123" not in namespace.run(["ss", "-tlnH"])


def test_namespace__closed__ends_its_processes_and_is_gone() -> None:
    with namespaces.namespace() as space:
        process = space.start(["sleep", "60"])
        grandchild = space.start(["sh", "-c", "sleep 60 & wait"], start_new_session=True)
        wait_for_pids(space, 3)
        inside = space.pids()
    assert process.poll() is not None
    assert grandchild.poll() is not None
    wait_until_gone(inside)
    assert space.name not in namespaces.run(["ip", "netns", "list"])


def test_namespace__failure_inside_the_block__is_gone_too() -> None:
    with pytest.raises(namespaces.NamespaceError, match="no-such-program"), namespaces.namespace() as space:
        space.run(["no-such-program"])
    assert space.name not in namespaces.run(["ip", "netns", "list"])


def test_namespace__interrupted_while_it_is_made__is_gone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    run = namespaces.run

    def interrupted(argv: Sequence[str], timeout_s: float = 20.0, text: str | None = None) -> str:
        if text == "link set lo up":
            raise KeyboardInterrupt
        return run(argv, timeout_s, text)

    monkeypatch.setattr(namespaces, "run", interrupted)
    name = f"{namespaces.PREFIX}{os.getpid()}-half"
    with pytest.raises(KeyboardInterrupt):
        Namespace(name)
    assert name not in run(["ip", "netns", "list"])


def test_ip__a_line_is_wrong__says_which_and_why(namespace: Namespace) -> None:
    with pytest.raises(namespaces.NamespaceError, match=r"nowhere[\s\S]*-:2"):
        namespace.ip("link set lo down", "link set nowhere up", "link set lo up")
    assert "UP" not in namespace.run(["ip", "-o", "link", "show", "lo"]).split("<")[1].split(">")[0]


def test_remove_stale__owner_is_dead__removed() -> None:
    owner = subprocess.Popen(["sleep", "60"])
    name = f"{namespaces.PREFIX}{owner.pid}-dead"
    stale = Namespace(name)
    sleeper = stale.start(["sleep", "60"])
    wait_for_pids(stale, 1)
    # From here on any other run removes it, too: before, it would have met this process inside.
    owner.kill()
    owner.wait()
    namespaces.remove_stale()
    assert sleeper.wait(5) != 0
    assert name not in namespaces.run(["ip", "netns", "list"])


def test_remove_stale__owner_lives__left_alone(namespace: Namespace) -> None:
    assert namespace.name.startswith(f"{namespaces.PREFIX}{os.getpid()}-")
    assert namespace.name not in namespaces.remove_stale()


def wait_for_pids(space: Namespace, count: int) -> None:
    """Wait, within a bound, until so many processes are inside."""
    for _ in range(100):
        if len(space.pids()) >= count:
            return
        time.sleep(0.02)
    pytest.fail(f"only {space.pids()} came up")


def wait_until_gone(pids: list[int]) -> None:
    """Wait, within a bound, until none of the processes is alive."""
    for _ in range(100):
        if not any(is_alive(pid) for pid in pids):
            return
        time.sleep(0.02)
    pytest.fail(f"of {pids} some are alive")


def is_alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
