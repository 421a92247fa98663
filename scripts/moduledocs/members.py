"""What belongs to a class: fields, attributes, properties, methods; each an entry of a list."""

import ast
import textwrap
from collections.abc import Iterator, Mapping
from inspect import cleandoc

from moduledocs import signatures
from moduledocs.names import Links
from moduledocs.prose import markdown
from moduledocs.sources import Function, Module, documented, overloads, public, setters, target


def member(signature: str, docstring: str, links: Links, note: str = "") -> str:
    """One entry: the name in bold, and below it what it is."""
    told = textwrap.indent(markdown(cleandoc(docstring), links), "  ")
    return f"- **`{signature}`**{note}" + (f"\\\n{told}" if told else "")


def attributes(module: Module, node: ast.ClassDef, links: Links) -> Iterator[str]:
    """Documented fields of a record, and documented attributes that `__init__` sets; properties."""
    for each, text in documented(node.body):
        if text and not target(each).startswith("_"):
            yield member(attribute(module, each, {}), text, links)
    for init in node.body:
        if isinstance(init, Function) and init.name == "__init__":
            types = {arg.arg: arg.annotation for arg in (*init.args.args, *init.args.kwonlyargs)}
            for each, text in documented(init.body):
                if text and target(each).startswith("self.") and not target(each).startswith("self._"):
                    yield member(attribute(module, each, types), text, links)
    yield from properties(module, node, links)


def attribute(module: Module, node: ast.Assign | ast.AnnAssign, types: Mapping[str, ast.expr | None]) -> str:
    """An attribute with its type, which may be that of a parameter; else with the value it begins with."""
    name, value = target(node).removeprefix("self."), node.value
    if isinstance(node, ast.AnnAssign):
        return f"{name}: {signatures.type_of(module, node.annotation)}"
    known = types.get(ast.unparse(node.value))
    if known is not None:
        return f"{name}: {signatures.type_of(module, known)}"
    if isinstance(value, ast.Constant):
        return f"{name}: {type(value.value).__name__}"
    if isinstance(value, ast.Call) and ast.unparse(value.func)[:1].isupper():
        return f"{name}: {ast.unparse(value.func)}"
    return f"{name} = {signatures.written(module, node.value)}"


def properties(module: Module, node: ast.ClassDef, links: Links) -> Iterator[str]:
    """What is read like an attribute."""
    may_be_set = setters(node)
    for method in public(node.body):
        if isinstance(method, Function) and is_property(method):
            result = f": {signatures.type_of(module, method.returns)}" if method.returns else ""
            note = "" if method.name in may_be_set else " (read only)"
            yield member(f"{method.name}{result}", ast.get_docstring(method) or "", links, note)


def methods(module: Module, node: ast.ClassDef, links: Links) -> Iterator[str]:
    """The public methods."""
    for method in public(node.body):
        if isinstance(method, Function) and not is_property(method):
            for each in overloads(method, node.body) or (method,):
                signature = signatures.of_function(module, each, node.name)
                yield member(signature, ast.get_docstring(method) or "", links)


def is_property(function: Function) -> bool:
    """Whether it is read like an attribute."""
    return any(ast.unparse(each).endswith("property") for each in function.decorator_list)
