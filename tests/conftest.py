"""Fixtures for tests over real packets: namespaces, links between them, and servers inside; and initial
sequence numbers of all kinds for the pure tests that can stand anywhere.

Each of the first skips with its reason where the machine or the user cannot do it, and leaves nothing behind,
failed test or not.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from gossamer.core.seq import HALF, MASK, Seq
from gossamer.core.sim import states
from gossamer.loadtest import namespaces
from gossamer.loadtest.namespaces import Namespace
from hypothesis import HealthCheck, settings

# How long an example takes tells how busy the machine is, and nothing of what is tried.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def packets_possible() -> None:
    """Skip unless this user may make namespaces and firewall rules."""
    if reason := namespaces.missing_requirement():
        pytest.skip(reason)
    namespaces.remove_stale()


@pytest.fixture(scope="session")
def tun_possible(packets_possible: None) -> None:
    """Skip unless TUN devices can be opened."""
    del packets_possible
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("needs /dev/net/tun")


@pytest.fixture(scope="session")
def nfqueue_possible(packets_possible: None) -> None:
    """Skip unless the kernel and iptables can hand packets to a queue (tried in a namespace of its own)."""
    del packets_possible
    if shutil.which("iptables") is None:
        pytest.skip("needs iptables")
    rule = ["-t", "raw", "-A", "PREROUTING", "-p", "tcp", "--dport", "1", "-j", "NFQUEUE", "--queue-num", "1"]
    with namespaces.namespace() as space:
        try:
            space.run(["iptables", "-w", *rule])
        except namespaces.NamespaceError as error:
            pytest.skip(f"no NFQUEUE here: {error}")


@pytest.fixture
def namespace(packets_possible: None) -> Iterator[Namespace]:
    """One namespace with `lo` up."""
    del packets_possible
    with namespaces.namespace() as space:
        yield space


@pytest.fixture
def joined_namespaces(packets_possible: None) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces joined by veth: 10.77.0.1, fd77::1 on the left, 10.77.0.2, fd77::2 on the right."""
    del packets_possible
    with namespaces.pair() as (left, right):
        namespaces.join_by_veth(left, right)
        yield left, right


@pytest.fixture
def namespace_pair(packets_possible: None) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces that nothing joins yet (for a link with faults)."""
    del packets_possible
    with namespaces.pair() as both:
        yield both


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder that a server of any user may read (pytest's own is closed to others)."""
    made = tmp_path / "site"
    made.mkdir()
    for path in (made, tmp_path, *(parent for parent in tmp_path.parents if "pytest" in parent.name)):
        path.chmod(0o755)
    return made


NUMBERS = {
    "small": (1_000, 5_000),
    "zero": (0, 0),
    "sign": (HALF - 100, HALF - 50),
    "sign at the SYN": (HALF - 1, HALF - 1),
    "last": (MASK, MASK),
}
"""Our ISS and the peer's. The ways into the states (`core.sim.states`) begin near 2**32 as they are: these
are the others."""

ANYWHERE = frozenset(
    (
        "test_segment_table",
        "test_segment_arrives",
        "test_time_wait",
        "test_keepalive",
        "test_persist",
        "test_close",
        "test_blind",
        "test_windows",
        "test_seed_defects",
    )
)
"""The modules whose every test is run with each of NUMBERS too."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The first run of a test is with the numbers as they are."""
    if metafunc.module.__name__.rpartition(".")[2] in ANYWHERE:
        kinds = (None, *NUMBERS.values())
        metafunc.parametrize("numbers", kinds, ids=["near 2**32", *NUMBERS], indirect=True)


@pytest.fixture(autouse=True)
def numbers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections of `core.sim.states` begin with these numbers."""
    chosen = getattr(request, "param", None)
    if chosen is not None:
        monkeypatch.setattr(states, "OPENING", msgspec.structs.replace(states.OPENING, iss=chosen[0]))
        monkeypatch.setattr(states, "PEER_ISS", Seq(chosen[1]))
