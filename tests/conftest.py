"""Fixtures for tests over real packets: namespaces, links between them, and servers inside; and initial
sequence numbers of all kinds for the pure tests that can stand anywhere.

Each of the first leaves nothing behind, failed test or not. A test that lacks a right (rights.py) is skipped.
"""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from gossamer.core.seq import HALF, MASK, Seq
from gossamer.core.sim import states
from gossamer.loadtest import namespaces
from gossamer.loadtest.namespaces import Namespace

from . import rights

# How long an example takes shows how busy the machine is, and nothing of what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """A background job of a script has SIGINT ignored, and would hand that on to all that is started here."""
    del config
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test needs what its fixtures need: so `-m needs` and `-m "not needs"` find it, too."""
    if named := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"{named[0]}: an address in its name: use ids=")
    for item in items:
        for name in getattr(item, "fixturenames", ()):
            if name in rights.RIGHTS_OF_FIXTURES:
                item.add_marker(pytest.mark.needs(rights.RIGHTS_OF_FIXTURES[name]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose right is not to be had here."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            if reason := rights.reason(name):
                pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    """Say what was not run, by right, and what runs it. (The lowest pytest does not export that type.)"""
    skipped = terminalreporter.getreports("skipped")
    reasons = [report.longrepr[2].removeprefix("Skipped: ") for report in skipped]
    for line in rights.summary(reasons):
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture(scope="session")
def no_stale_namespaces() -> None:
    """Those that a killed run left are gone."""
    namespaces.remove_stale()


@pytest.fixture
def namespace(no_stale_namespaces: None) -> Iterator[Namespace]:
    """One namespace with `lo` up."""
    del no_stale_namespaces
    with namespaces.namespace() as space:
        yield space


@pytest.fixture
def joined_namespaces(no_stale_namespaces: None) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces joined by veth: 10.77.0.1, fd77::1 on the left, 10.77.0.2, fd77::2 on the right."""
    del no_stale_namespaces
    with namespaces.pair() as (left, right):
        namespaces.join_by_veth(left, right)
        yield left, right


@pytest.fixture
def namespace_pair(no_stale_namespaces: None) -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces that nothing joins yet (for a link with faults)."""
    del no_stale_namespaces
    with namespaces.pair() as both:
        yield both


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in one of its own, that any user may read (those of pytest are closed to others)."""
    with tempfile.TemporaryDirectory(prefix="gossamer-") as above:
        os.chmod(above, 0o755)
        made = Path(above, "site")
        made.mkdir(mode=0o755)
        yield made


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
