"""Every module of the package can be imported with what is installed."""

import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gossamer import core, ffi, loadtest, shards

NOT_HERE = {"gossamer.loadtest.locustfile"}
"""Locust replaces the sockets and threads of the process that imports it."""

OPTIONAL = {"gossamer.ffi.nfqueue_package": "netfilterqueue"}
"""Modules that need more than the extra `test` brings, and what."""


def modules() -> Iterator[str]:
    for package in (core, ffi, loadtest, shards):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__") and found.name not in NOT_HERE:
                yield found.name


def test_modules__can_be_imported() -> None:
    names = [name for name in modules() if name not in OPTIONAL]
    assert len(names) > 200
    assert {name: reason for name in names if (reason := obstacle(name))} == {}


def obstacle(name: str) -> str:
    """Why a module cannot be imported; "" when it can."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_module__can_be_imported(name: str) -> None:
    pytest.importorskip(OPTIONAL[name], reason=f"{name} needs the package {OPTIONAL[name]}")
    importlib.import_module(name)


def test_package__its_version__is_read_when_somebody_asks() -> None:
    """importlib.metadata would be a quarter of what every start takes."""
    program = (
        "import sys, gossamer\n"
        "assert 'importlib.metadata' not in sys.modules\n"
        "assert gossamer.__version__.count('.') == 2\n"
        "assert not hasattr(gossamer, 'nothing')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
