"""The type of what each public call returns is what mypy finds, and never Any where it need not be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from gossamer.core import io, loop
from gossamer.core.threads import calls, sync

ROOT = Path(__file__).parents[2]
TYPED = Path(__file__).with_name("typed_results.py")
AWAITED = {
    node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    for node in ast.walk(ast.parse(TYPED.read_text()))
    if isinstance(node, ast.Call)
}
"""The names of what is called there."""

MODULES = [
    path for package in (io, loop, sync) for path in sorted(Path(package.__path__[0]).glob("[!_]*.py"))
]


def mypy(*files: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "mypy", *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_results__have_the_types_that_are_stated() -> None:
    done = mypy(TYPED)
    assert done.returncode == 0, done.stdout


def test_results__a_wrong_type_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(TYPED.read_text().replace("sys_join(thread), int)", "sys_join(thread), str)"))
    assert 'Expression is of type "int", not "str"' in mypy(wrong).stdout


def waited_for(body: list[ast.stmt]) -> set[str]:
    """The public functions of a module or class whose results are awaited."""
    functions = [node for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {
        node.name
        for node in functions
        if not node.name.startswith("_")
        and (
            isinstance(node, ast.AsyncFunctionDef) or "SystemCall[" in ast.unparse(node.returns or node.args)
        )
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_typed_results__has_every_call(path: Path) -> None:
    tree = ast.parse(path.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    for body in (tree.body, *(node.body for node in classes)):
        assert waited_for(body) <= AWAITED


def test_typed_results__has_every_call_of_threads() -> None:
    assert {name for name in vars(calls) if name.startswith("sys_")} <= AWAITED
