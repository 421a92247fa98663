"""Every module of the package can be imported with what is installed."""

import importlib
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gossamer import core, ffi, loadtest, shards
from gossamer.core import native

NOT_HERE = {
    "gossamer.loadtest.locustfile",
    "gossamer.loadtest.locust_onefile",
    "gossamer.loadtest.engineuser",
}
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


@pytest.mark.parametrize(
    ("module", "passed_by"),
    [
        (
            "gossamer.cli.main",
            {
                *("hashlib", "json", "sysconfig", "importlib.metadata", "msgspec", "psutil", "rich"),
                "gossamer.core.tcp.tcb",
            },
        ),
        ("gossamer.cli.status", {"psutil", "rich", "gossamer.core.tcp.tcb"}),
        (
            "gossamer.cli.serve",
            {
                *(
                    "importlib.metadata",
                    "importlib.resources",
                    "difflib",
                    "psutil",
                    "rich",
                    "gossamer.public",
                ),
                "gossamer.core.tcp.tcb",
                *("gossamer.core.loop.streamcall", "gossamer.core.threads.sync", "gossamer.ffi.uring"),
            },
        ),
        (
            "gossamer.shards.worker.worker",
            {
                *("click", "psutil", "rich", "argparse", "tempfile", "shutil"),
                *("gossamer.public", "gossamer.core.sim.world"),
            },
        ),
    ],
)
def test_start__loads_what_it_uses(module: str, passed_by: set[str]) -> None:
    """They took 300, 240, 300 and 200 ms of CPU, and take 70, 70, 130 and 145: what supervises serves no
    request, and loads no TCP."""
    program = f"import sys, {module}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {native.VARIABLE: "0"},  # a native build is read, and held against its sources
    )
    assert set(done.stdout.split()) & passed_by == set()


def test_public_names__loaded_with_the_first__are_the_modules_own() -> None:
    program = (
        "import gossamer\n"
        "assert {'run', '__version__'} < set(dir(gossamer))\n"
        "assert 'run' not in vars(gossamer)\n"
        "from gossamer import *\n"
        "assert run is gossamer.run is vars(gossamer)['run']\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


COUNT = """
import sys
before = set(sys.modules)
from gossamer.cli.main import main
try:
    main()
except SystemExit:
    loaded = set(sys.modules) - before
print(len(loaded), sum(each.partition(".")[0] == "gossamer" for each in loaded), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("argv", "modules_max", "ours_max"),
    [(["--version"], 180, 15), (["--help"], 120, 15), (["status", "--run-dir", "/nowhere"], 200, 60)],
)
def test_command__as_monitoring_calls_it__loads_few_modules(
    argv: list[str], modules_max: int, ours_max: int
) -> None:
    """What a command costs is what it imports: 144, 98 and 161 modules take 70 to 95 ms of CPU, and Python
    alone 13; 259 ms were those of a server and its TCP."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, *argv],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {native.VARIABLE: "0"},
    )
    loaded, ours = map(int, done.stderr.splitlines()[-1].split())
    assert (loaded <= modules_max, ours <= ours_max) == (True, True), (loaded, ours)
