"""The reference of what programs import: a page for each front module, whose classes and functions Sphinx's
autodoc describes from their docstrings; names stand in the order of `__all__`, under its comments.

What autodoc takes for something else is written as the same directives: system calls (classes that are called
by another name), constants, whole modules.
"""

import ast
import textwrap

from moduledocs import signatures
from moduledocs.names import Entry, Front
from moduledocs.pages import constant, lineage, said_by_bases, uses
from moduledocs.sources import Function, public

from sitepages.described import Described
from sitepages.docstrings import paragraph, restructured

GUIDES = {
    "gossamer": "threads.md",
    "gossamer.aio": "asyncio.md",
    "gossamer.lowlevel": "adding-a-system-call.md",
    "gossamer.tcp": "tcp.md",
    "gossamer.testing": "writing-an-event-loop.md",
    "gossamer.websocket": "web.md",
    "gossamer.wsgi": "applications.md",
}
"""The page that teaches what a front module is the reference of."""

FOREIGN = {"object", "int", "str", "Struct", "Exception", "OSError", "ExceptionGroup", "Protocol", "Generic"}
"""Bases of others, what they give is described there."""

LINE_MAX = 1 << 16
"""A directive has its signature on one line; Sphinx breaks it."""


class Reference:
    """Writes the pages."""

    def __init__(self, described: Described) -> None:
        self._described = described

    def page(self, front: Front) -> str:
        """The page of a front module, as MyST with directives in it."""
        name = front.module.name
        guide = f"The guide to it: [](../{GUIDES[name]})."
        parts = [f"# {name}", guide, _directives(f".. automodule:: {name}"), self._contents(front)]
        for title, entries in front.sections.items():
            described = "\n\n".join(self._one(front, each) for each in entries)
            parts += [f"## {title}", _directives(described)]
        return "\n\n".join(parts) + "\n"

    def _contents(self, front: Front) -> str:
        """A table of what is on the page."""
        rows = ["| | |", "|---|---|"]
        for title, entries in front.sections.items():
            names = ", ".join(f"{{py:obj}}`{each.name} <{self._described.home(each)}>`" for each in entries)
            rows.append(f"| [{title}](#{front.anchor(title)}) | {names} |")
        return "\n".join(rows)

    def _one(self, front: Front, each: Entry) -> str:
        name = f"{front.module.name}.{each.name}"
        home = self._described.home(each)
        if home != name:
            return f":py:obj:`{name} <{home}>` is the same."
        if each.node is None:
            return self._module(front, each)
        if isinstance(each.node, ast.ClassDef):
            return self._class(front, each, each.node)
        if isinstance(each.node, Function):
            return f".. autofunction:: {name}"
        text = self._restructured(front, each, each.docstring)
        return _directive(f"py:data:: {each.name}", text, _of(front), _value(each))

    def _class(self, front: Front, each: Entry, node: ast.ClassDef) -> str:
        said = self._said(front, each, node)
        if each.name != each.own_name:
            signature = signatures.joined(each.name, signatures.fields(each.module, node), line_max=LINE_MAX)
            text = f"{said}\n\n{self._restructured(front, each, each.docstring)}"
            return _directive(f"py:function:: {signature}", text, _of(front))
        stops = ",".join(sorted(self._stops(each, node)))
        options = [":members:", ":member-order: bysource", f":inherited-members: {stops}"]
        return _directive(f"autoclass:: {front.module.name}.{each.name}", said, *options)

    def _said(self, front: Front, each: Entry, node: ast.ClassDef) -> str:
        """What follows from what it is derived from, and what its special methods are for."""
        classes = list(lineage(each.module, node, self._described.modules, {}))
        said = (*said_by_bases(each.module, node, {}), *uses(classes))
        place = self._described.place
        return paragraph(" ".join(said), lambda word: place(word, each.module, front.module.name))

    def _stops(self, each: Entry, node: ast.ClassDef) -> set[str]:
        """The bases whose members are not repeated: those of others, and those that are described."""
        modules, homes = self._described.modules, self._described.homes
        above = lineage(each.module, node, modules, {})
        ours = {base.name for module, base in above if (module.name, base.name) in homes}
        return (FOREIGN | ours) - {node.name}

    def _module(self, front: Front, each: Entry) -> str:
        """A module that is handed on as a whole: each of its functions."""
        text = self._restructured(front, each, each.docstring)
        parts = [_directive(f"py:data:: {each.name}", text, _of(front), ":type: types.ModuleType")]
        for node in public(each.module.tree.body):
            if isinstance(node, Function):
                signed = signatures.of_function(each.module, node, f"{each.name}.{node.name}", LINE_MAX)
                said = self._restructured(front, each, ast.get_docstring(node) or "")
                parts.append(_directive(f"py:function:: {signed.replace('def ', '', 1)}", said, _of(front)))
        return "\n\n".join(parts)

    def _restructured(self, front: Front, each: Entry, docstring: str) -> str:
        place = self._described.place
        return restructured(docstring, lambda word: place(word, each.module, front.module.name))


def _of(front: Front) -> str:
    return f":module: {front.module.name}"


def _value(each: Entry) -> str:
    assert isinstance(each.node, ast.Assign | ast.AnnAssign)
    _, _, value = constant(each, each.node).partition(" = ")
    return f":value: {value}" if value else ""


def _directives(text: str) -> str:
    return f"````{{eval-rst}}\n{text}\n````"


def _directive(head: str, content: str, *options: str) -> str:
    lines = [f".. {head}", *(f"   {each}" for each in options if each), "", textwrap.indent(content, "   ")]
    return "\n".join(lines)
