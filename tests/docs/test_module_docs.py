"""docs/modules.md and docs/modules are what scripts/module-docs makes of the sources, and every public name
says what it is."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def module_docs(*arguments: str, root: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / "scripts" / "module-docs"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_modules__listed_as_they_are_and_each_public_name_has_its_docstring() -> None:
    told = module_docs("--check")
    assert told.returncode == 0, told.stdout


def test_one_module__its_head_and_its_names() -> None:
    told = module_docs("gossamer.core.threads.cancel")
    assert told.returncode == 0
    assert "Cancel scopes: a stretch of a thread" in told.stdout
    assert "\ndef move_on_after(seconds: float, *, shield: bool = False) -> CancelScope\n" in told.stdout
    assert "(core.errors.md#gossamererror)" in told.stdout, "a class of another page is a link"


def test_page__stale_or_of_no_module(tmp_path: Path) -> None:
    """In a copy: a page that was changed by hand, and one whose module is gone."""
    for folder in ("core", "ffi", "shards", "loadtest"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for folder in ("docs", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    pages = tmp_path / "docs" / "modules"
    (pages / "core.threads.fibres.md").write_text("# core.threads.fibres\n")
    with (pages / "core.threads.cancel.md").open("a") as file:
        file.write("And more.\n")
    told = module_docs("--check", root=tmp_path).stdout.splitlines()
    assert "docs/modules/core.threads.cancel.md is out of date: run scripts/module-docs" in told
    assert "docs/modules/core.threads.fibres.md is the page of no module: run scripts/module-docs" in told
    module_docs(root=tmp_path)
    assert module_docs("--check", root=tmp_path).returncode == 0


def test_one_module__unknown() -> None:
    told = module_docs("core.threads.fibres")
    assert told.returncode == 2
    assert "no module core.threads.fibres" in told.stderr
