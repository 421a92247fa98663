"""What is out of date, orphaned, or says nothing."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from moduledocs.names import Front
from moduledocs.sources import ROOT, Module, is_plain, public


def stale(files: Mapping[Path, str], folder: Path) -> Iterator[str]:
    """The files that are not as they would be written now, and those of the folder that no module is for."""
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(ROOT)} is out of date: run scripts/module-docs"
    for path in sorted(folder.glob("*.md")):
        if path not in files:
            yield f"{path.relative_to(ROOT)} is the page of no module: run scripts/module-docs"


def silent(fronts: Iterable[Front]) -> Iterator[str]:
    """The names of the front modules that are neither explained nor plain numbers."""
    for front in fronts:
        for entries in front.sections.values():
            for each in entries:
                if not each.docstring and not (isinstance(each.node, ast.AnnAssign) and is_plain(each.node)):
                    yield f"{each.module.path.relative_to(ROOT)}: {each.own_name} says nothing of itself"


def without_docstring(modules: Mapping[str, Module]) -> Iterator[str]:
    """Where a public name has no docstring. The docstring of a base class's method serves its overrides."""
    classes = {
        node.name: node
        for module in modules.values()
        for node in module.tree.body
        if isinstance(node, ast.ClassDef)
    }
    for module in modules.values():
        place = module.path.relative_to(ROOT)
        if not module.head:
            yield f"{place}:1: the module has no docstring"
        for node in public(module.tree.body):
            if not ast.get_docstring(node):
                yield f"{place}:{node.lineno}: {node.name} has no docstring"
            if isinstance(node, ast.ClassDef):
                for method in public(node.body):
                    if not ast.get_docstring(method) and not is_inherited(method.name, node, classes):
                        yield f"{place}:{method.lineno}: {method.name} has no docstring"


def is_inherited(method: str, node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> bool:
    """Whether a class that this one is derived from says what the method does."""
    for base in node.bases:
        above = classes.get(ast.unparse(base).partition("[")[0].rpartition(".")[2])
        if above is None or above is node:
            continue
        if any(each.name == method and ast.get_docstring(each) for each in public(above.body)):
            return True
        if is_inherited(method, above, classes):
            return True
    return False
