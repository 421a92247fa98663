"""The page of one front module: its head, and each name with what it says, as `__all__` orders them."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping

from moduledocs import signatures
from moduledocs.members import attributes, member, methods, properties
from moduledocs.names import Entry, Front, Links, Names, entry
from moduledocs.prose import markdown, paragraph
from moduledocs.sources import FRONTS, ROOT, Function, Module, overloads, public

VALUE_CHARACTERS_MAX = 400
"""The value of a longer constant is not shown."""

USES = {
    "__enter__": "`with`",
    "__aenter__": "`async with`",
    "__iter__": "`for`",
    "__aiter__": "`async for`",
    "__len__": "`len()`",
}
"""What the special methods of a class are for."""


def page(front: Front, modules: Mapping[str, Module], names: Names) -> str:
    """The page of a front module, as it stands in docs/modules."""
    name = front.module.name
    parts = [*head(front.module), markdown(front.module.head, names.links_from(front.module, name))]
    parts.append(contents(front))
    for title, entries in front.sections.items():
        parts.append(f"## {title}")
        for each in entries:
            links = names.links_from(each.module, name)
            here = f"#{front.anchor(title, each.name)}"
            parts += described(each, modules, {word: place for word, place in links.items() if place != here})
    return "\n\n".join(parts) + "\n"


def head(module: Module) -> Iterator[str]:
    """Title, and where the source and the other pages are."""
    place = module.path.relative_to(ROOT)
    others = " · ".join(f"[{name}]({name}.md)" for name in FRONTS if name != module.name)
    yield f"<!-- Written by scripts/module-docs from {place} and what it imports: change that. -->"
    yield f"# {module.name}"
    guide = "[the thread library](../threads.md) · [all modules](../modules.md)"
    yield f"[source](../../{place}) · {others} · {guide}"


def contents(front: Front) -> str:
    """A table of what is on the page."""
    rows = ["| | |", "|---|---|"]
    for title, entries in front.sections.items():
        shown = ", ".join(f"[`{each.name}`](#{front.anchor(title, each.name)})" for each in entries)
        rows.append(f"| [{title}](#{front.anchor(title)}) | {shown} |")
    return "\n".join(rows)


def described(each: Entry, modules: Mapping[str, Module], links: Links) -> Iterator[str]:
    """One name: how it is written, where its source is, what it says."""
    node = each.node
    # A name with underscores about it would be printed in bold, without them.
    yield f"### `{each.name}`" if each.name.startswith("_") else f"### {each.name}"
    if isinstance(node, ast.ClassDef):
        yield from of_class(each, node, modules, links)
    elif isinstance(node, Function):
        signed = [
            signatures.of_function(each.module, one, each.name)
            for one in overloads(node, each.module.tree.body) or (node,)
        ]
        yield fence([*signatures.decorators(node), *signed])
        yield f"{source(each)}."
        yield markdown(each.docstring, links)
    elif node is None:
        yield f"A module: {source(each)}."
        yield markdown(each.docstring, links)
        yield "\n".join(functions(each.module, links))
    else:
        yield fence([constant(each, node)])
        yield f"{source(each)}."
        if each.docstring:
            yield markdown(each.docstring, links)


def source(each: Entry) -> str:
    """A link to the file that defines it."""
    place = each.module.path.relative_to(ROOT)
    return f"[{place}](../../{place})"


def of_class(each: Entry, node: ast.ClassDef, modules: Mapping[str, Module], links: Links) -> Iterator[str]:
    """A class: how one is made, docstring, fields, properties, methods."""
    classes = list(lineage(each.module, node, modules, links))
    internal = {above.name for _, above in classes[1:]}
    yield fence([signatures.of_class(each.module, node, each.name, internal)])
    yield " ".join((f"{source(each)}.", *said_by_bases(each.module, node, links), *uses(classes)))
    yield markdown(each.docstring, links)
    members = dict(attributes(each.module, node, links))
    for module, above in classes:
        for name, text in (*properties(module, above, links), *methods(module, above, links)):
            members.setdefault(name, text)
    if members:
        yield "\n".join(members.values())


def lineage(
    module: Module, node: ast.ClassDef, modules: Mapping[str, Module], links: Links
) -> Iterator[tuple[Module, ast.ClassDef]]:
    """A class, and those of its bases that are on no page: what they give is described with it."""
    yield module, node
    for base in node.bases:
        name = signatures.written(module, base).partition("[")[0]
        if "#" not in links.get(name, "") and (name in module.defined or name in module.imported):
            above = entry(name, module, modules)
            if isinstance(above.node, ast.ClassDef):
                yield from lineage(above.module, above.node, modules, links)


def said_by_bases(module: Module, node: ast.ClassDef, links: Links) -> Iterator[str]:
    """What follows from what a class is derived from."""
    for base in node.bases:
        name, _, argument = signatures.written(module, base).partition("[")
        if name == "SystemCall" and argument:
            returns = "never returns" if argument == "Never]" else f"returns `{argument[:-1]}`"
            yield paragraph("A `SystemCall`", links) + f"; awaited, it {returns}."
        elif "#" in links.get(name, ""):
            yield paragraph(f"Derived from `{name}`.", links)


def uses(classes: Iterable[tuple[Module, ast.ClassDef]]) -> Iterator[str]:
    """What its special methods are for."""
    names = {one.name for _, node in classes for one in node.body if isinstance(one, Function)}
    found = [use for name, use in USES.items() if name in names]
    if found:
        yield f"Works with {' and '.join(found)}."


def functions(module: Module, links: Links) -> Iterator[str]:
    """The functions of a module that is handed on as a whole."""
    for node in public(module.tree.body):
        if isinstance(node, Function):
            for one in overloads(node, module.tree.body) or (node,):
                signature = signatures.of_function(module, one, node.name, sys.maxsize)
                yield member(signature.replace("def ", "", 1), ast.get_docstring(node) or "", links)


def constant(each: Entry, node: ast.Assign | ast.AnnAssign) -> str:
    """A constant or a type with its value, where that is short and says something."""
    value = signatures.written(each.module, node.value) if node.value else ""
    is_shown = 0 < len(value) <= VALUE_CHARACTERS_MAX and not value.startswith("_")
    return f"{each.name} = {value}" if is_shown else each.name


def fence(lines: list[str]) -> str:
    """Lines of Python."""
    return "\n".join(("```python", *lines, "```"))
