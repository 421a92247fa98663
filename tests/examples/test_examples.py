"""What holds for every example: short, listed, as clean as the library, its head says how it is run."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .programs import EXAMPLES, ROOT

NAMES = sorted(path.name for path in EXAMPLES.glob("*.py"))
LINES_MIN, LINES_MAX = 30, 90


@pytest.mark.parametrize("name", NAMES)
def test_example__is_short_and_opens_with_how_it_is_run(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    assert LINES_MIN <= len(text.splitlines()) <= LINES_MAX
    head = ast.get_docstring(ast.parse(text))
    assert head is not None
    assert head.split("\n\n")[1].startswith(f"    python examples/{name}")


@pytest.mark.parametrize("name", NAMES)
def test_example__imports_from_the_front_door_by_one_line(name: str) -> None:
    lines = re.findall(r"^ *(?:from|import) gossamer.*$", (EXAMPLES / name).read_text(), re.MULTILINE)
    assert len(lines) == 1
    assert re.match(r"import gossamer$|from gossamer import ", lines[0])


@pytest.mark.parametrize("name", NAMES)
def test_example__is_run_by_a_test_and_listed(name: str) -> None:
    assert (Path(__file__).parent / f"test_{name}").exists()
    assert f"]({name})" in (EXAMPLES / "README.md").read_text()


def test_examples__have_types_that_hold() -> None:
    command = [sys.executable, "-P", "-m", "mypy", "examples"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
