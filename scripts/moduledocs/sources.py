"""The modules, and what of them is public."""

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = ("gossamer", "core", "ffi", "shards", "loadtest")

FRONTS = (
    "gossamer",
    "gossamer.aio",
    "gossamer.lowlevel",
    "gossamer.tcp",
    "gossamer.testing",
    "gossamer.websocket",
    "gossamer.wsgi",
)
"""The modules that programs import from; each has a page."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | Function
Named = Definition | ast.Assign | ast.AnnAssign


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
    def has_page(self) -> bool:
        """Whether it has a page of its own in docs/modules."""
        return self.name in FRONTS

    @property
    def head(self) -> str:
        """Its docstring."""
        return ast.get_docstring(self.tree) or ""

    @cached_property
    def imported(self) -> dict[str, tuple[str, str]]:
        """What it imports of ours: the name that it gives it, the module, and the name there."""
        return {
            alias.asname or alias.name: (node.module.removeprefix("gossamer."), alias.name)
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gossamer.")
            for alias in node.names
        }

    @cached_property
    def defined(self) -> dict[str, Named]:
        """What it defines, by name; of an overloaded function the definition that follows."""
        return {
            node.name if isinstance(node, Definition) else target(node): node
            for node in self.tree.body
            if isinstance(node, Named)
        }

    @cached_property
    def hands_on(self) -> str:
        """The module all of whose names it hands on (`from gossamer.public import *`), or ""."""
        stars = (
            node.module for node in ast.walk(self.tree) if isinstance(node, ast.ImportFrom) and is_star(node)
        )
        return next((name for name in stars if name), "")

    @cached_property
    def exported(self) -> dict[str, list[str]]:
        """What its `__all__` names, under the comments that stand there."""
        (node,) = (
            node
            for node in self.tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
        sections: dict[str, list[str]] = {}
        for line in self._lines[node.lineno : (node.end_lineno or node.lineno) - 1]:
            text = line.decode().strip()
            if text.startswith("#"):
                names = sections[text.removeprefix("# ").removesuffix(".")] = []
            else:
                names.append(ast.literal_eval(text.removesuffix(",")))
        return sections


def is_star(node: ast.ImportFrom) -> bool:
    """Whether it imports every name."""
    return node.names[0].name == "*"


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
    """The classes and functions of a body that others may use; a setter is described by its property, an
    overload by what it overloads."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_") and not is_overload(node):
            decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
            if not any(decorator.endswith(".setter") for decorator in decorators):
                yield node


def docstring_of(module: Module, node: Named) -> str:
    """What a class, a function or a constant of a module says of itself."""
    if isinstance(node, Definition):
        return ast.get_docstring(node) or ""
    return next(text for each, text in documented(module.tree.body) if each is node)


def documented(body: list[ast.stmt]) -> Iterator[tuple[ast.Assign | ast.AnnAssign, str]]:
    """The assignments of a body, each with the docstring below it, or ""."""
    for node, below in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            text = below.value.value if is_text else ""  # type: ignore[union-attr]
            yield node, text if isinstance(text, str) else ""


def target(node: ast.Assign | ast.AnnAssign) -> str:
    """The name that is given a value."""
    return ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)


def is_plain(node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether it is final, and a number or a text."""
    is_final = isinstance(node, ast.AnnAssign) and "Final" in ast.unparse(node.annotation)
    return is_final and isinstance(node.value, ast.Constant)


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join(text.split("\n\n")[0].split())
    found = re.match(r".*?[.!?](?=\s+[A-Z\"`(]|$)", paragraph)
    return (found.group() if found else paragraph).removesuffix(":")
