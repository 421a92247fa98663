"""What the front modules hand on, where it comes from, and where each name is described: page and heading."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from moduledocs.sources import FRONTS, ROOT, Definition, Module, Named, docstring_of, target

Links = Mapping[str, str]
"""Where a name leads: that of a module, a class, a function, a constant."""


class Entry(NamedTuple):
    """A name of a front module, and what it stands for."""

    name: str
    module: Module
    """Where it is defined; or, where `node` is None, the module that it is."""
    node: Named | None

    @property
    def own_name(self) -> str:
        """The name under which it is defined."""
        if self.node is None:
            return self.module.name
        return self.node.name if isinstance(self.node, Definition) else target(self.node)

    @property
    def docstring(self) -> str:
        """What it says of itself."""
        return self.module.head if self.node is None else docstring_of(self.module, self.node)


def entry(name: str, module: Module, modules: Mapping[str, Module]) -> Entry:
    """What a name in a module stands for: imports are followed, and further names (`sys_fork = Fork`)."""
    node = module.defined.get(name)
    if node is None:
        owner, original = module.imported[name]
        if f"{owner}.{original}" in modules:
            return Entry(name, modules[f"{owner}.{original}"], None)
        return entry(original, modules[owner], modules)._replace(name=name)
    value = node.value if isinstance(node, ast.Assign) else None
    if isinstance(value, ast.Name) and value.id in (module.defined.keys() | module.imported.keys()):
        return entry(value.id, module, modules)._replace(name=name)
    return Entry(name, module, node)


def anchors(headings: Iterator[str]) -> Iterator[str]:
    """The anchor of each heading of a page, in their order; equal ones are numbered after the first."""
    seen: list[str] = []
    for heading in headings:
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        yield f"{plain}-{seen.count(plain)}" if plain in seen else plain
        seen.append(plain)


def is_distinctive(name: str) -> bool:
    """Whether this name can be recognized in prose: by its capitals, or by an underscore in it."""
    return not name.islower() or "_" in name


class Front:
    """A front module: its sections with their entries, and the anchor of each heading."""

    def __init__(self, module: Module, modules: Mapping[str, Module]) -> None:
        self.module = module
        owner = modules[module.hands_on] if module.hands_on else module
        self.sections = {
            title: [entry(name, owner, modules) for name in names] for title, names in owner.exported.items()
        }
        headings = [module.name]
        for title, entries in self.sections.items():
            headings += [title, *(each.name for each in entries)]
        self._anchors = dict(zip(self._keys(), list(anchors(iter(headings)))[1:], strict=True))

    def _keys(self) -> Iterator[tuple[str, str]]:
        for title, entries in self.sections.items():
            yield title, ""
            for each in entries:
                yield title, each.name

    def anchor(self, title: str, name: str = "") -> str:
        """That of a section, or of a name in it."""
        return self._anchors[title, name]


class Names:
    """Every name that has a place on some page."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._modules = modules
        self.fronts = [Front(modules[name], modules) for name in FRONTS if name in modules]
        self._places: dict[tuple[str, str], dict[str, str]] = {}
        self._named: dict[str, set[tuple[str, str]]] = {}
        for front in self.fronts:
            for title, entries in front.sections.items():
                for each in entries:
                    self._add(front, each, front.anchor(title, each.name))

    def _add(self, front: Front, each: Entry, anchor: str) -> None:
        key = each.module.name, each.own_name
        self._places.setdefault(key, {}).setdefault(front.module.name, anchor)
        for name in {each.name, each.own_name}:
            self._named.setdefault(name, set()).add(key)

    def _place(self, key: tuple[str, str], page: str) -> str | None:
        """Where it is described: on this page, or else on the first that has it."""
        places = self._places.get(key, {})
        if page in places:
            return f"#{places[page]}"
        return next((f"{name}.md#{anchor}" for name, anchor in places.items()), None)

    def links_from(self, module: Module, page: str) -> dict[str, str]:
        """Where each name leads that is said in a docstring of a module: to what it means there, or to the
        one thing that has such a name. What has no page has a source."""
        links = {
            name: f"../../{each.path.relative_to(ROOT)}"
            for name, each in self._modules.items()
            if "." in name and not each.has_page
        }
        links |= {name: f"{name}.md" for name in FRONTS if "." in name and name != page}
        for name, (owner, _) in module.imported.items():
            if is_distinctive(name) and owner in self._modules:
                links[name] = f"../../{self._modules[owner].path.relative_to(ROOT)}"
        for name, keys in self._named.items():
            if is_distinctive(name):
                key = self._meant(name, module, keys)
                place = key and self._place(key, page)
                if place:
                    links[name] = place
        return links

    def _meant(self, name: str, module: Module, keys: set[tuple[str, str]]) -> tuple[str, str] | None:
        """What a name stands for in a module; the one thing of that name where it is none of the module's."""
        if name in module.defined or name in module.imported:
            found = entry(name, module, self._modules)
            return found.module.name, found.own_name
        return next(iter(keys)) if len(keys) == 1 else None
