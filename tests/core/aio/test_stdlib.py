"""The standard library's own tests of asyncio, on our loop: what passes on its loop passes on ours."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = "test.test_asyncio"
SCRIPT = Path(__file__).with_name("stdlib.py")

MODULES = (
    "test_base_events",
    "test_buffered_proto",
    "test_context",
    "test_events",
    "test_futures",
    "test_futures2",
    "test_locks",
    "test_pep492",
    "test_protocols",
    "test_queues",
    "test_runners",
    "test_selector_events",
    "test_sendfile",
    "test_server",
    "test_sock_lowlevel",
    "test_ssl",
    "test_sslproto",
    "test_streams",
    "test_subprocess",
    "test_taskgroups",
    "test_tasks",
    "test_threads",
    "test_timeouts",
    "test_transports",
    "test_unix_events",
    "test_waitfor",
)

QUICK = ("test_context", "test_runners", "test_server", "test_sock_lowlevel", "test_timeouts", "test_waitfor")
"""Of no sleeps, and over real sockets: in every run of the tests."""

EXCEPTIONS: dict[str, str] = {}
"""Tests that pass on asyncio's loop and cannot on ours, each with its reason."""


def outcomes(loop: str, module: str, folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What each test of a module came to, and why those failed that did."""
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT), loop, module],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        text=True,
        timeout=570,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    return found["words"], found["why"]


def holds(module: str, folder: Path) -> None:
    """A module of the suite has the same outcomes on either loop; asyncio's is asked where ours failed."""
    words, why = outcomes("ours", module, folder)
    failed = {name for name, word in words.items() if word == "failed"} - EXCEPTIONS.keys()
    if failed:
        stock, _ = outcomes("stock", module, folder)
        failed = {name for name in failed if stock.get(name) == "passed"}
    assert [why[name] for name in sorted(failed)] == []
    assert "passed" in words.values()


def needs_suite() -> None:
    if importlib.util.find_spec("test") is None or importlib.util.find_spec(SUITE) is None:
        pytest.skip("this Python has no test.test_asyncio: Debian's libpython3-testsuite, pyenv's own")


@pytest.mark.parametrize("module", [name for name in MODULES if name in QUICK])
def test_suite__quick_modules(module: str, tmp_path: Path) -> None:
    needs_suite()
    holds(module, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("module", [name for name in MODULES if name not in QUICK])
def test_suite__all_others(module: str, tmp_path: Path) -> None:
    needs_suite()
    holds(module, tmp_path)


def test_exceptions__at_most_one_in_a_hundred() -> None:
    assert len(EXCEPTIONS) <= 22
