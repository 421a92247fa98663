"""The examples in the docstrings of core/threads and core/io are run: none shows what is not so."""

import doctest
import importlib
import pkgutil

import pytest
from gossamer.core import io, threads

MODULES = sorted(
    found.name
    for package in (threads, io)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples__do_what_they_show(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_examples__there_are_some() -> None:
    finder = doctest.DocTestFinder()
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(found) >= 10, [test.name for test in found]
