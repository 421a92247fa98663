"""The examples in the docstrings of the library are run: all show what is true."""

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from gossamer.core import aio, clock, io, loop, threads

ROOT = Path(__file__).parents[2]

MODULES = [
    clock.__name__,
    *sorted(
        found.name
        for package in (threads, loop, io, aio)
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples__do_what_they_show(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples__there_are_some() -> None:
    finder = doctest.DocTestFinder()
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 35, [test.name for test in found]


def test_examples__import_what_they_need() -> None:
    """pytest finds a module at the repository's root and loads it as `core.threads`, beside the installed
    one: an example that takes a name from its module and another from `gossamer` would mix the two."""
    command = [sys.executable, "-P", "-m", "pytest", "-q", "--doctest-modules", "-p", "no:cacheprovider"]
    places = ["core/threads", "core/loop", "core/io", "core/clock.py"]
    done = subprocess.run(
        [*command, *places], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout
