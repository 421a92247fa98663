"""What pyproject.toml asks for is what the code and the tests import, and constraints.txt holds all of it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
EXTRAS = PROJECT["optional-dependencies"]
CONSTRAINTS = (ROOT / "constraints.txt").read_text()

OPTIONAL = {
    ("ffi/nfqueue_package.py", "netfilterqueue"): "nfqueue",
    ("gossamer/cli/sim/plot.py", "matplotlib"): "plots",
    ("shards/supervisor/watching.py", "watchfiles"): "reload",
    ("shards/web/encoders.py", "brotli"): "compression",
    ("shards/web/encoders.py", "zstandard"): "compression",
    ("shards/web/passwords.py", "libpass"): "auth",
    ("loadtest/locustfile.py", "locust"): "load",
    ("loadtest/locust_onefile.py", "locust"): "load",
    ("loadtest/engineuser.py", "locust"): "load",
    ("loadtest/experiments/sync.py", "trio"): "bench",
    ("loadtest/experiments/threads.py", "trio"): "bench",
}
"""What only one file needs, and the extra that brings it."""

IMPORTED_FROM = {"passlib": "libpass", "prometheus_client": "prometheus-client"}
"""What brings a package of another name."""

SKIPPED_WITHOUT = {"ffi/nfqueue_package.py"}
"""What the tests import by `importorskip`, with the reason."""


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in requirements}


DEPENDENCIES = names_of(PROJECT["dependencies"])


@cache
def imports_of(path: Path) -> frozenset[str]:
    """The full names of all modules that a file imports, at its head or in a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def foreign(path: Path) -> set[str]:
    roots = {IMPORTED_FROM.get(root, root) for root in (name.partition(".")[0] for name in imports_of(path))}
    return roots - sys.stdlib_module_names - {"gossamer", "moduledocs", "sitepages"}


def ours(path: Path) -> Iterator[Path]:
    """The files of this project that a file imports."""
    for name in imports_of(path):
        place = ROOT.joinpath(*name.split(".")[1:]) if name.startswith("gossamer.") else ROOT
        candidates = (place.with_suffix(".py"), place / "__init__.py")
        yield from (each for each in candidates if name.startswith("gossamer.") and each.exists())


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


PACKAGES = sorted(
    path for each in ("core", "ffi", "shards", "loadtest") for path in (ROOT / each).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def reached_by_tests() -> list[Path]:
    """The tests, and every file that one of them loads, itself or by others."""
    reached, waiting = set(), list(TESTS)
    while waiting:
        path = waiting.pop()
        if path not in reached and shown(path) not in SKIPPED_WITHOUT:
            reached.add(path)
            waiting += ours(path)
    return sorted(reached)


def test_package__imports_what_its_dependencies_bring() -> None:
    pairs = {(shown(path), name) for path in PACKAGES for name in foreign(path) - DEPENDENCIES}
    brought = {pair for pair in pairs & OPTIONAL.keys() if pair[1] in names_of(EXTRAS[OPTIONAL[pair]])}
    assert pairs - brought == set(), "in no dependency"


def test_optional__nothing_that_nobody_imports() -> None:
    assert [(path, name) for path, name in OPTIONAL if name not in foreign(ROOT / path)] == []


def test_tests__all_that_they_load_is_in_the_extra_test() -> None:
    """What is imported by `importorskip` is a text here, and what a file guards itself is named."""
    guarded = {
        ("gossamer/cli/sim/plot.py", "matplotlib"),
        ("shards/web/encoders.py", "brotli"),
        ("shards/web/encoders.py", "zstandard"),
        ("shards/web/passwords.py", "libpass"),
    }
    brought = DEPENDENCIES | names_of(EXTRAS["test"])
    reached = reached_by_tests()
    assert len(reached) > len(TESTS)
    assert {(shown(path), name) for path in reached for name in foreign(path) - brought} - guarded == set()


def test_dependencies__a_lowest_version_each_and_no_highest() -> None:
    every = [*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)]
    assert [one for one in every if not re.fullmatch(r"[A-Za-z0-9-]+>=[0-9.]+", one)] == []


def test_httptools__no_version_that_takes_white_space_before_the_colon() -> None:
    (bound,) = (one for one in PROJECT["dependencies"] if one.startswith("httptools"))
    assert tuple(map(int, bound.partition(">=")[2].split("."))) >= (0, 6, 3)


def test_constraints__exact_versions_of_everything_and_of_no_machine() -> None:
    lines = [line for line in CONSTRAINTS.splitlines() if not line.startswith("#")]
    pinned = {line.partition("==")[0] for line in lines}
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+( ; .*)?", line)] == []
    wanted = [*PROJECT["dependencies"], *(one for extra in EXTRAS.values() for one in extra)]
    assert names_of([*wanted, *PYPROJECT["dependency-groups"]["lock"]]) - pinned == set()
    assert not re.search(r"/|index|https?:", CONSTRAINTS)
