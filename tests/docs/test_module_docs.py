"""docs/modules.md is what scripts/module-docs makes of the sources, and every public name says what it is."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def module_docs(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "scripts" / "module-docs"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_modules__listed_as_they_are_and_each_public_name_has_its_docstring() -> None:
    told = module_docs("--check")
    assert told.returncode == 0, told.stdout


def test_one_module__its_head_and_its_names() -> None:
    told = module_docs("gossamer.core.threads.cancel")
    assert told.returncode == 0
    assert "Cancel scopes: a stretch of a thread" in told.stdout
    assert "## move_on_after(seconds: float, *, shield: bool=False) -> CancelScope" in told.stdout


def test_one_module__unknown() -> None:
    told = module_docs("core.threads.fibres")
    assert told.returncode == 2
    assert "no module core.threads.fibres" in told.stderr
