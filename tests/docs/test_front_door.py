"""Every example, in a page or a docstring, is written as a program is: it imports from the front door alone,
in one line a module, and counts either in seconds or in microseconds."""

import ast
import builtins
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import ParamSpec, TypeVar

import pytest

from ..parts import ask_each

ROOT = Path(__file__).parents[2]
FRONTS = tuple(
    importlib.import_module(name)
    for name in (
        "gossamer",
        "gossamer.aio",
        "gossamer.lowlevel",
        "gossamer.tcp",
        "gossamer.testing",
        "gossamer.websocket",
        "gossamer.wsgi",
    )
)
NAMES = {front.__name__: set(front.__all__) for front in FRONTS}

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)

SECONDS = {"sleep", "move_on_after", "fail_after"}
MICROSECONDS = re.compile(r"sys_sleep|[a-z_]*_us")


def blocks() -> Iterator[tuple[str, str]]:
    """The programs of the pages: where each stands, and its text."""
    for page in PAGES:
        for number, block in enumerate(BLOCK.findall(page.read_text()), 1):
            yield f"{page.name}, block {number}", block


def docstrings() -> Iterator[tuple[str, str]]:
    """Those of the front modules, of what they hand on, and of the members of its classes and modules, with
    what is inherited."""
    for front in FRONTS:
        yield front.__name__, inspect.getdoc(front) or ""
        for name in front.__all__:
            each = getattr(front, name)
            yield f"{front.__name__}.{name}", inspect.getdoc(each) or ""
            owners = inspect.getmro(each) if inspect.isclass(each) else (each,) * isinstance(each, ModuleType)
            for owner in owners:
                for member, value in vars(owner).items():
                    # A type parameter has the docstring of its class.
                    if not inspect.isclass(value) and not isinstance(value, TypeVar | ParamSpec):
                        text = getattr(value, "__doc__", None)
                        yield f"{front.__name__}.{name}.{member}", text if isinstance(text, str) else ""


def examples() -> Iterator[tuple[str, str]]:
    """The examples of their docstrings."""
    parser = doctest.DocTestParser()
    for name, text in docstrings():
        parts = parser.get_examples(inspect.cleandoc(text)) if ">>>" in text else []
        if parts:
            yield name, "".join(part.source for part in parts)


def imports(program: str) -> Iterator[tuple[str, list[str]]]:
    """The modules of ours that it imports from, once for each statement, and the names."""
    for node in ast.walk(ast.parse(program)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "gossamer":
            yield node.module or "", [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names if alias.name.startswith("gossamer."))


def complaints(program: str) -> Iterator[str]:
    """What a program does that one of a user's would not."""
    modules = []
    for module, names in imports(program):
        modules.append(module)
        missing = set(names) - NAMES.get(module, set())
        if module not in NAMES or missing:
            yield f"{module}: {', '.join(sorted(missing)) or 'it'} is internal"
    if len(set(modules)) < len(modules):
        yield f"more than one line for a module: {modules}"
    words = {node.id for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Name)}
    words |= {node.arg or "" for node in ast.walk(ast.parse(program)) if isinstance(node, ast.keyword)}
    small = {word for word in words if MICROSECONDS.fullmatch(word)}
    if words & SECONDS and small:
        yield f"mixes seconds and microseconds: {words & SECONDS}, {small}"


def test_examples__there_are_many() -> None:
    assert len(list(blocks())) > 30
    assert len(dict(examples())) >= 50


def test_examples__go_through_the_front_door() -> None:
    found = [(place, list(complaints(program))) for place, program in (*blocks(), *examples())]
    assert [(place, said) for place, said in found if said] == []


@pytest.mark.parametrize(
    ("program", "complaint"),
    [
        (
            "from gossamer.core.threads.calls import sys_fork",
            "gossamer.core.threads.calls: sys_fork is internal",
        ),
        ("import gossamer.core.clock", "gossamer.core.clock: it is internal"),
        ("from gossamer import Scheduler", "gossamer: Scheduler is internal"),
        ("from gossamer import run\nfrom gossamer import sleep", "more than one line for a module"),
        ("with move_on_after(1): sys_sleep(1_000)", "mixes seconds and microseconds"),
        ("sleep(1), stream.recv(timeout_us=1_000)", "mixes seconds and microseconds"),
    ],
)
def test_example__that_does_not_is_found(program: str, complaint: str) -> None:
    (found,) = complaints(program)
    assert found.startswith(complaint)


def test_first_program__needs_one_import_line() -> None:
    first = BLOCK.findall((ROOT / "docs" / "threads.md").read_text())[0]
    assert [module for module, _ in imports(first)] == ["gossamer"]
    assert len(re.findall(r"\bimport\b", first)) == 1


def test_docstrings__do_what_they_show_with_nothing_but_what_they_import() -> None:
    """What a method inherits is shown once for each class that has it, and run once."""
    parser = doctest.DocTestParser()
    places = {inspect.cleandoc(text): place for place, text in docstrings() if ">>>" in text}
    assert len(places) >= 50

    def run(text: str, place: str) -> None:
        assert doctest.DocTestRunner().run(parser.get_doctest(text, {}, place, None, None)).failed == 0

    ask_each((place, partial(run, text, place)) for text, place in places.items())


def test_help__the_map_names_what_there_is() -> None:
    """In `help(gossamer)`, each line of the map: what for, and names of `__all__` in its order."""
    text = (FRONTS[0].__doc__ or "").partition("All names")[2].partition("Beside it")[0]
    order = FRONTS[0].__all__
    found = [word for word in re.findall(r"\w+", text.partition("\n\n")[2]) if word in order]
    assert len(found) >= 35
    assert set(re.findall(r"\bsys_\w+|\b[A-Z][a-z]+[A-Z]\w+", text)) <= {*order, "OSErrors"}


def _annotations(function: ast.FunctionDef) -> Iterator[ast.expr]:
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if argument.annotation is not None:
            yield argument.annotation
    if function.returns is not None:
        yield function.returns


def test_tcp__the_types_that_its_functions_name_are_there_too() -> None:
    tcp = importlib.import_module("gossamer.tcp")
    functions = [name for name in tcp.__all__ if inspect.isfunction(getattr(tcp, name))]
    assert functions
    for name in functions:
        (function,) = ast.parse(inspect.getsource(getattr(tcp, name))).body
        assert isinstance(function, ast.FunctionDef)
        nodes = [node for each in _annotations(function) for node in ast.walk(each)]
        named = {node.id for node in nodes if isinstance(node, ast.Name)}
        types = {each for each in named if not hasattr(builtins, each) and each != "R"}  # "R": of any type
        assert types <= NAMES["gossamer.tcp"], name
