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
ALONE = {name for name in NAMES if "gossamer" not in (EXAMPLES / name).read_text().split('"""')[2]}
"""Applications that know of no server: any would serve them."""


@pytest.mark.parametrize("name", NAMES)
def test_example__is_short_and_opens_with_how_it_is_run(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    assert LINES_MIN <= len(text.splitlines()) <= LINES_MAX
    head = ast.get_docstring(ast.parse(text))
    assert head is not None
    run = f"gossamer serve examples.{name[:-3]}:" if name in ALONE else f"python examples/{name}"
    assert head.split("\n\n")[1].startswith(f"    {run}")


@pytest.mark.parametrize("name", sorted(set(NAMES) - ALONE))
def test_example__imports_from_the_front_door_by_one_line(name: str) -> None:
    lines = re.findall(r"^ *(?:from|import) gossamer.*$", (EXAMPLES / name).read_text(), re.MULTILINE)
    assert len(lines) == 1
    assert re.match(r"import gossamer$|from gossamer import ", lines[0])


@pytest.mark.parametrize("name", NAMES)
def test_example__is_run_by_a_test_and_listed(name: str) -> None:
    test = "test_asgi.py" if name in ALONE else f"test_{name}"
    assert name in ALONE or (Path(__file__).parent / test).exists()
    assert name[:-3] in (Path(__file__).parent / test).read_text()
    assert f"]({name})" in (EXAMPLES / "README.md").read_text()


def test_examples__have_types_that_hold() -> None:
    command = [sys.executable, "-P", "-m", "mypy", "examples"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
