"""What Sphinx asks of us: docstrings as reStructuredText, and where a type leads that no page describes.

Types of annotations are named by where they are defined. Those that the reference describes lead there; those
of others, and internal ones, are words, as long as there is such a thing: a name of nothing stays a broken
reference.
"""

import ast
import builtins
import pkgutil
import re
from functools import cached_property
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

from sitepages.described import Described
from sitepages.docstrings import restructured


class References:
    """Answers them, by what is described."""

    @cached_property
    def _described(self) -> Described:
        return Described()

    def docstring(self, _app: Sphinx, _what: str, name: str, *others: Any) -> None:
        """The event `autodoc-process-docstring`: changes the lines, which come last."""
        lines: list[str] = others[-1]
        front, module = self._described.front_of(name), self._described.module_of(name)
        text = restructured("\n".join(lines), lambda word: self._described.place(word, module, front))
        lines[:] = [*text.splitlines(), ""]

    def missing(
        self, app: Sphinx, env: BuildEnvironment, node: pending_xref, words: nodes.TextElement
    ) -> nodes.TextElement | None:
        """The event `missing-reference`: a link, or the words; None for what is broken."""
        if node["refdomain"] != "py":
            return None
        name = node["reftarget"]
        home = self._home(name)
        if home:
            domain = env.domains.python_domain
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", home, node, words)
        return words if self._is_there(name) else None

    def _home(self, name: str) -> str:
        module, _, word = name.rpartition(".")
        homes = self._described.homes
        return homes.get((module.removeprefix("gossamer."), word), "") or (
            "" if module else self._described.classes.get(word, "")
        )

    def _is_there(self, name: str) -> bool:
        """Whether something has that name: where it is imported from, or, written without that, anywhere."""
        plain = re.sub(r"\.(args|kwargs)$", "", name)
        if "." not in plain:
            return plain in self._known or hasattr(builtins, plain)
        try:
            pkgutil.resolve_name(name)
        except (ImportError, AttributeError, ValueError):
            return False
        return True

    @cached_property
    def _known(self) -> set[str]:
        """What our modules define and import."""
        known: set[str] = set()
        for module in self._described.modules.values():
            known |= module.defined.keys()
            known |= {
                alias.asname or alias.name
                for node in module.tree.body
                if isinstance(node, ast.ImportFrom)
                for alias in node.names
            }
        return known
