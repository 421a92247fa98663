"""What belongs to a class: fields, attributes, properties, methods; each an entry of a list,
with its name."""

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
    text = textwrap.indent(markdown(cleandoc(docstring), links), "  ")
    return f"- **`{signature}`**{note}" + (f"\\\n{text}" if text else "")


def attributes(module: Module, node: ast.ClassDef, links: Links) -> Iterator[tuple[str, str]]:
    """Documented fields of a record, documented attributes that `__init__` sets, every value of an enum."""
    is_enum = any("Enum" in signatures.written(module, base) for base in node.bases)
    for each, text in documented(node.body):
        if (text or is_enum) and not target(each).startswith("_"):
            yield target(each), member(attribute(module, each, {}, is_enum=is_enum), text, links)
    for init in node.body:
        if isinstance(init, Function) and init.name == "__init__":
            types = {arg.arg: arg.annotation for arg in (*init.args.args, *init.args.kwonlyargs)}
            for each, text in documented(init.body):
                if text and target(each).startswith("self.") and not target(each).startswith("self._"):
                    name = target(each).removeprefix("self.")
                    yield name, member(attribute(module, each, types), text, links)


def attribute(
    module: Module,
    node: ast.Assign | ast.AnnAssign,
    types: Mapping[str, ast.expr | None],
    *,
    is_enum: bool = False,
) -> str:
    """An attribute with its type, which may be that of a parameter; else with the value it begins with."""
    name, value = target(node).removeprefix("self."), node.value
    if isinstance(node, ast.AnnAssign):
        return f"{name}: {signatures.type_of(module, node.annotation)}"
    known = types.get(ast.unparse(node.value))
    if known is not None:
        return f"{name}: {signatures.type_of(module, known)}"
    if isinstance(value, ast.Constant) and not is_enum:
        return f"{name}: {type(value.value).__name__}"
    if isinstance(value, ast.Call) and ast.unparse(value.func)[:1].isupper():
        return f"{name}: {ast.unparse(value.func)}"
    return f"{name} = {signatures.written(module, node.value)}"


def properties(module: Module, node: ast.ClassDef, links: Links) -> Iterator[tuple[str, str]]:
    """What is read like an attribute."""
    may_be_set = setters(node)
    for method in public(node.body):
        if isinstance(method, Function) and is_property(method):
            result = f": {signatures.type_of(module, method.returns)}" if method.returns else ""
            note = "" if method.name in may_be_set else " (read only)"
            docstring = ast.get_docstring(method) or ""
            yield method.name, member(f"{method.name}{result}", docstring, links, note)


def methods(module: Module, node: ast.ClassDef, links: Links) -> Iterator[tuple[str, str]]:
    """The public methods; one that is overloaded is described once, under all of its signatures."""
    for method in public(node.body):
        if isinstance(method, Function) and not is_property(method):
            signed = [
                signatures.of_method(module, each, node.name)
                for each in overloads(method, node.body) or (method,)
            ]
            docstring = ast.get_docstring(method) or ""
            yield method.name, "\n".join(member(each, docstring, links) for each in signed)


def is_property(function: Function) -> bool:
    """Whether it is read like an attribute."""
    return any(ast.unparse(each).endswith("property") for each in function.decorator_list)
