"""The modules, and what of them is public."""

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("gossamer", "core", "ffi", "shards", "loadtest")

WITH_A_PAGE = re.compile(r"core\.(?:(?:threads|loop|io)(?:\..+)?|clock|errors)$")
"""The library that a user programs with."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function


class Module:
    """One source file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = module_name(path)
        source = path.read_bytes()
        self.tree = ast.parse(source)
        self._lines = source.split(b"\n")

    def segment(self, node: ast.expr) -> str:
        """What the source has in the place of an expression. (`ast.get_source_segment` splits the source
        into lines each time.)"""
        end = (node.end_lineno or node.lineno) - 1
        lines = self._lines[node.lineno - 1 : end + 1]
        lines[-1] = lines[-1][: node.end_col_offset]
        lines[0] = lines[0][node.col_offset :]
        return b"\n".join(lines).decode()

    @property
    def is_package(self) -> bool:
        """Whether it is an `__init__.py`."""
        return self.path.name == "__init__.py"

    @property
    def has_page(self) -> bool:
        """Whether it has a page of its own in docs/modules."""
        return WITH_A_PAGE.match(self.name) is not None

    @property
    def head(self) -> str:
        """Its docstring."""
        return ast.get_docstring(self.tree) or ""

    @cached_property
    def imported(self) -> dict[str, str]:
        """What it imports of ours: the name, and the module that it is of."""
        return {
            alias.asname or alias.name: node.module.removeprefix("gossamer.")
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gossamer.")
            for alias in node.names
        }

    @property
    def exported(self) -> list[str]:
        """What its `__all__` names."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return [str(name) for name in ast.literal_eval(node.value)]
        return []

    @cached_property
    def aliases(self) -> dict[str, list[str]]:
        """Further names of its classes: `sys_fork = Fork`."""
        classes = {node.name for node in public(self.tree.body)}
        found: dict[str, list[str]] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id in classes:
                found.setdefault(node.value.id, []).append(ast.unparse(node.targets[0]))
        return found


def module_name(path: Path) -> str:
    """core/threads/cancel.py -> core.threads.cancel; a package's __init__.py -> the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, Module]:
    """Every module of ours; what the C compiler's wrapper wrote (ffi/_*.py) is not."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return {
        module_name(path): Module(path)
        for path in sorted(paths)
        if path.name in {"__init__.py", "__main__.py"} or not path.name.startswith("_")
    }


def is_overload(node: Definition) -> bool:
    """Whether it only says a type, and the definition that follows it says the rest."""
    return any(ast.unparse(decorator).endswith("overload") for decorator in node.decorator_list)


def overloads(function: Function, body: list[ast.stmt]) -> list[Function]:
    """The definitions under which a function is overloaded; none where it is not."""
    return [
        node
        for node in body
        if isinstance(node, Function) and node.name == function.name and is_overload(node)
    ]


def setters(node: ast.ClassDef) -> set[str]:
    """The properties that may be set."""
    return {
        ast.unparse(decorator).removesuffix(".setter")
        for each in node.body
        if isinstance(each, Function)
        for decorator in each.decorator_list
        if ast.unparse(decorator).endswith(".setter")
    }


def public(body: list[ast.stmt]) -> Iterator[Definition]:
    """The classes and functions of a body that others may use; a setter is told by its property, an overload
    by what it overloads."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_") and not is_overload(node):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if not any(decorator.endswith(".setter") for decorator in decorators):
                yield node


def documented(body: list[ast.stmt]) -> Iterator[tuple[ast.Assign | ast.AnnAssign, str]]:
    """The assignments of a body, each with the docstring below it, or ""."""
    for node, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            is_told = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            text = below.value.value if is_told else ""  # type: ignore[union-attr]
            yield node, text if isinstance(text, str) else ""


def target(node: ast.Assign | ast.AnnAssign) -> str:
    """The name that is given a value."""
    return ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)


def public_constants(module: Module) -> list[tuple[ast.Assign | ast.AnnAssign, str]]:
    """What a module names beside classes and functions, and means others to use: what it says something of,
    and what is final and says enough by its value."""
    return [
        (node, text)
        for node, text in documented(module.tree.body)
        if not target(node).startswith("_") and (text or is_plain(node))
    ]


def is_plain(node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether it is final, and a number or a text."""
    is_final = isinstance(node, ast.AnnAssign) and "Final" in ast.unparse(node.annotation)
    return is_final and isinstance(node.value, ast.Constant)


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    found = re.match(r".*?[.!?](?=\s+[A-Z\"`(]|$)", paragraph)
    return (found.group() if found else paragraph).removesuffix(":")
