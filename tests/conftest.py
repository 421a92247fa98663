"""Fixtures for tests over real packets: namespaces, links between them, and servers inside; and initial
sequence numbers of all kinds for the pure tests that can stand anywhere.

Each of the first leaves nothing behind, failed test or not. A test that lacks a right (rights.py) is skipped.
"""

import contextlib
import fcntl
import gc
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from gossamer.core.records import replace
from gossamer.core.seq import HALF, MASK, Seq
from gossamer.core.sim import states
from gossamer.loadtest import namespaces
from gossamer.loadtest.namespaces import Namespace

from . import rights

TESTS = Path(__file__).parent

# How long an example takes shows how busy the machine is, and nothing of what is tested.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    """A background job of scripts has SIGINT and SIGQUIT ignored, one of nohup SIGHUP, and would hand that on
    to all that is started here."""
    config.pluginmanager.register(LeftByTests())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGQUIT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    gc.disable()  # Until all tests are there: of what is made for them, nothing goes.


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test needs what its fixtures need: so `-m needs` and `-m "not needs"` find it, too."""
    if named := [item.nodeid for item in items if " at 0x" in item.nodeid]:
        raise pytest.UsageError(f"{named[0]}: an address in its name: use ids=")
    for item in items:
        for name in getattr(item, "fixturenames", ()):
            if name in rights.RIGHTS_OF_FIXTURES:
                item.add_marker(pytest.mark.needs(rights.RIGHTS_OF_FIXTURES[name]))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=turn)


WAITING_FOLDERS = {"system", "network", "shards", "loadtest", "examples", "docs", "ffi", "cli"}
"""Of tests that start processes and wait for them."""


def turn(item: pytest.Item) -> tuple[bool, bool]:
    """Where several processes share the tests, those that take long and wait come first: what is dealt out
    last is short, so that no process is left alone with a long one."""
    folders = item.path.parts[len(TESTS.parts) : -1]
    return item.get_closest_marker("slow") is None, WAITING_FOLDERS.isdisjoint(folders)


def pytest_collection_finish(session: pytest.Session) -> None:
    """The tests live to the end: no collection of garbage walks them, and many a test asks for one."""
    del session
    gc.collect()
    gc.freeze()
    gc.enable()


class LeftByTests:
    """What tests leave to the end of the run, as reports of them, is not walked by later collections either:
    after some thousand tests each would take a quarter of a second."""

    between = 50

    def __init__(self) -> None:
        self.count = 0

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self) -> None:
        """After the fixtures of a test are gone, now and then."""
        self.count += 1
        if self.count % self.between == 0:
            gc.collect()
            gc.freeze()


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


Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """once(name, make): the folder that `make` fills, for all processes of a run; whoever comes first has it
    made, and the others wait."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder_of(name: str, make: Callable[[Path], None]) -> Path:
        folder = shared / f"once-{name}"
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                unfinished = tmp_path_factory.mktemp("unfinished")
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return folder_of


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
    """An empty folder that any user may read."""
    with open_folder() as made:
        yield made


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
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


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test of those modules with the numbers as they are and with each kind, as one test: it fails with
    the first error, and names all kinds that had one."""
    if pyfuncitem.module.__name__.rpartition(".")[2] not in ANYWHERE:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    errors: dict[str, Exception] = {}
    for kind in ("near 2**32", *NUMBERS):
        try:
            with begun_with(kind):
                pyfuncitem.obj(**arguments)
        except Exception as error:  # noqa: BLE001 - raised when all kinds were tried
            errors[kind] = error
    for error in errors.values():
        error.add_note(f"It fails with these initial sequence numbers: {', '.join(errors)}")
        raise error
    return True


@contextlib.contextmanager
def begun_with(kind: str) -> Iterator[None]:
    """Connections of `core.sim.states` begin with these numbers."""
    with pytest.MonkeyPatch.context() as patch:
        if kind in NUMBERS:
            iss, peer_iss = NUMBERS[kind]
            patch.setattr(states, "OPENING", replace(states.OPENING, iss=iss))
            patch.setattr(states, "PEER_ISS", Seq(peer_iss))
        yield
