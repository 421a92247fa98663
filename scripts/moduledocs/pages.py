"""The page of one module: its head, and each public name with what it says."""

import ast
from collections.abc import Iterator, Mapping

from moduledocs import signatures
from moduledocs.members import attributes, member, methods
from moduledocs.names import CONSTANTS, Links, Names, anchors
from moduledocs.prose import markdown, paragraph
from moduledocs.sources import (
    ROOT,
    Definition,
    Function,
    Module,
    first_sentence,
    overloads,
    public,
    public_constants,
    target,
)

CONTENTS_FROM = 4
"""A page of so many names begins with a table of them."""

VALUE_CHARACTERS_MAX = 60
"""The value of a longer constant is not shown."""

USES = {
    "__enter__": "`with`",
    "__aenter__": "`async with`",
    "__iter__": "`for`",
    "__aiter__": "`async for`",
    "__len__": "`len()`",
}
"""What the special methods of a class are for."""


def page(module: Module, modules: Mapping[str, Module], names: Names) -> str:
    """The page of a module, as it stands in docs/modules."""
    links = names.links_from(module)
    parts = [*head(module), markdown(module.head, links)]
    parts += children(module, modules, names, links) if module.is_package else contents(module, links)
    for node in public(module.tree.body):
        parts += definition(module, node, links)
    parts += constants(module, links)
    return "\n\n".join(parts) + "\n"


def head(module: Module) -> Iterator[str]:
    """Title, and where the source and the other pages are."""
    place = module.path.relative_to(ROOT)
    package = module.name.rpartition(".")[0]
    above = f" · [{package}]({package}.md)" if "." in package else ""
    yield f"<!-- Written by scripts/module-docs from {place}: change that. -->"
    yield f"# {module.name}"
    guide = " · [the thread library](../threads.md) · [all modules](../modules.md)"
    yield f"`gossamer.{module.name}` · [source](../../{place}){above}{guide}"


def children(module: Module, modules: Mapping[str, Module], names: Names, links: Links) -> Iterator[str]:
    """The modules of a package, and what it hands on of them."""
    rows = [
        f"| [{name.rpartition('.')[2]}]({name}.md) | {cell(first_sentence(child.head), links)} |"
        for name, child in modules.items()
        if name.rpartition(".")[0] == module.name and child.has_page
    ]
    yield "\n".join(("| module | |", "|---|---|", *rows))
    handed_on = [
        f"[`{name}`]({place})"
        for name in module.exported
        if (place := names.place(name, module.imported.get(name, "")))
    ]
    if handed_on:
        yield f"To be imported from here: {', '.join(handed_on)}."


def contents(module: Module, links: Links) -> Iterator[str]:
    """A table of what is on the page, where that is much."""
    nodes = list(public(module.tree.body))
    if len(nodes) < CONTENTS_FROM:
        return
    anchor = anchors(module)
    yield "\n".join(
        ("| name | |", "|---|---|", *(entry(module, node, anchor[node.name], links) for node in nodes))
    )


def entry(module: Module, node: Definition, anchor: str, links: Links) -> str:
    """One line of the table: the names, the one for programs first, and the first sentence."""
    names = [*module.aliases.get(node.name, ()), node.name]
    shown = ", ".join(f"[`{name}`](#{anchor})" for name in names)
    return f"| {shown} | {cell(first_sentence(ast.get_docstring(node) or ''), links)} |"


def cell(text: str, links: Links) -> str:
    """Prose inside a table."""
    return paragraph(text, links).replace("|", "\\|")


def definition(module: Module, node: Definition, links: Links) -> Iterator[str]:
    """A class or a function."""
    links = {name: place for name, place in links.items() if name != node.name}  # none to where it stands
    yield f"## {node.name}"
    if isinstance(node, ast.ClassDef):
        yield from of_class(module, node, links)
    else:
        told = overloads(node, module.tree.body) or (node,)
        signed = [signatures.of_function(module, each) for each in told]
        yield fence([*signatures.decorators(node), *signed])
        yield markdown(ast.get_docstring(node) or "", links)


def of_class(module: Module, node: ast.ClassDef, links: Links) -> Iterator[str]:
    """A class: how one is made, docstring, fields, properties, methods."""
    yield fence([signatures.of_class(module, node)])
    yield from told_by_bases(module, node, links)
    yield markdown(ast.get_docstring(node) or "", links)
    members = [*attributes(module, node, links), *methods(module, node, links)]
    if members:
        yield "\n".join(members)


def told_by_bases(module: Module, node: ast.ClassDef, links: Links) -> Iterator[str]:
    """What follows from what a class is derived from, and from its special methods."""
    said = [f"Called `{name}` in programs." for name in module.aliases.get(node.name, ())]
    for base in node.bases:
        name, _, argument = signatures.written(module, base).partition("[")
        if name == "SystemCall" and argument:
            returns = "never returns" if argument == "Never]" else f"returns `{argument[:-1]}`"
            said.append(paragraph("A `SystemCall`", links) + f"; awaited, it {returns}.")
        elif name in links:
            said.append(paragraph(f"Derived from `{name}`.", links))
    uses = [USES[each.name] for each in node.body if isinstance(each, Function) and each.name in USES]
    if uses:
        said.append(f"Works with {' and '.join(uses)}.")
    if said:
        yield " ".join(said)


def constants(module: Module, links: Links) -> Iterator[str]:
    """What is named beside classes and functions: bounds, special values, types."""
    found = [member(constant(module, node), text, links) for node, text in public_constants(module)]
    if found:
        yield f"## {CONSTANTS}"
        yield "\n".join(found)


def constant(module: Module, node: ast.Assign | ast.AnnAssign) -> str:
    """A constant with its value, where that is short."""
    value = signatures.written(module, node.value) if node.value else ""
    return f"{target(node)} = {value}" if 0 < len(value) <= VALUE_CHARACTERS_MAX else target(node)


def fence(lines: list[str]) -> str:
    """Lines of Python."""
    return "\n".join(("```python", *lines, "```"))
