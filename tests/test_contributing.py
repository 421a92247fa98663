"""CONTRIBUTING.md and the hooks before a commit name what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", PAGE))))
def test_page__names_targets_that_can_be_made(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\b(?:scripts|tests|core)/[\w./-]*\w", PAGE))))
def test_page__names_files_that_are_there(path: str) -> None:
    assert "NNNN" in path or (ROOT / path).exists()


def test_page__shows_the_name_of_a_test_that_is_there() -> None:
    (name,) = re.findall(r"`(test_[a-z0-9_]+)`", PAGE)
    assert any(f"def {name}(" in path.read_text() for path in (ROOT / "tests" / "core").rglob("test_*.py"))


def test_hooks__fetch_nothing_and_run_what_is_there() -> None:
    assert set(re.findall(r"repo: (.*)", HOOKS)) == {"local"}
    assert set(re.findall(r"language: (.*)", HOOKS)) == {"system"}
    commands = re.findall(r"entry: (\S+)(.*)", HOOKS)
    assert len(commands) == HOOKS.count("- id: ")
    for program, arguments in commands:
        if program.startswith("scripts/"):
            assert (ROOT / program).stat().st_mode & 0o100
        else:
            line = f"$(BIN)/{program.removeprefix('.venv/bin/')}{arguments}".replace(" --force-exclude", "")
            assert line in MAKEFILE, "make check asks it, too"
