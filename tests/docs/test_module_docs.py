"""docs/modules.md and docs/modules are what scripts/module-docs makes of the sources, and every public name
says what it is."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRONTS = (
    "gossamer",
    "gossamer.aio",
    "gossamer.lowlevel",
    "gossamer.tcp",
    "gossamer.testing",
    "gossamer.websocket",
    "gossamer.wsgi",
)


def module_docs(*arguments: str, root: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / "scripts" / "module-docs"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_pages__those_of_the_front_door_and_no_other() -> None:
    assert {path.stem for path in (ROOT / "docs" / "modules").iterdir()} == set(FRONTS)


@pytest.mark.parametrize("name", FRONTS)
def test_page__has_every_name_that_its_module_hands_on_in_its_order(name: str) -> None:
    page = (ROOT / "docs" / "modules" / f"{name}.md").read_text()
    assert re.findall(r"^### `?(\w+)`?$", page, re.MULTILINE) == importlib.import_module(name).__all__


@pytest.mark.parametrize("name", FRONTS)
def test_front_module__hands_on_what_it_imports_and_nothing_twice(name: str) -> None:
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    for each in module.__all__:
        assert hasattr(module, each), each


def copied(root: Path) -> Path:
    """A copy of what is read and written; its pages."""
    for folder in ("core", "ffi", "shards", "loadtest", "gossamer"):
        (root / folder).symlink_to(ROOT / folder)
    for folder in ("docs", "scripts"):
        shutil.copytree(ROOT / folder, root / folder)
    return root / "docs" / "modules"


def test_modules__listed_as_they_are_with_their_docstrings__and_what_is_stale_is_told(tmp_path: Path) -> None:
    """In a copy: a page that was changed by hand, one of a module that has none, and no other."""
    pages = copied(tmp_path)
    (pages / "core.threads.fibres.md").write_text("# core.threads.fibres\n")
    with (pages / "gossamer.tcp.md").open("a") as file:
        file.write("And more.\n")
    assert set(module_docs("--check", root=tmp_path).stdout.splitlines()) == {
        "docs/modules/gossamer.tcp.md is out of date: run scripts/module-docs",
        "docs/modules/core.threads.fibres.md is the page of no module: run scripts/module-docs",
    }
    assert module_docs(root=tmp_path).returncode == 0
    assert texts_of(pages) == texts_of(ROOT / "docs" / "modules")


def texts_of(pages: Path) -> dict[str, str]:
    """Every page, by its name."""
    return {path.name: path.read_text() for path in pages.iterdir()}


def test_argument__unknown() -> None:
    done = module_docs("core.threads.cancel")
    assert done.returncode == 2
    assert "core.threads.cancel: allowed is --check, or nothing" in done.stderr
