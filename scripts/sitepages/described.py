"""Where the reference describes each name: its dotted name there, and the anchors of the repository's pages.

A name that several front modules hand on is described with the first of them.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property

from moduledocs.names import Entry, Front, Names
from moduledocs.sources import FRONTS, Module, modules


class Described:
    """All that the front modules hand on."""

    def __init__(self) -> None:
        self.modules: Mapping[str, Module] = modules()
        self._names = Names(self.modules)
        self.fronts: list[Front] = self._names.fronts
        self._links: dict[tuple[str, str], Mapping[str, str]] = {}

    def entries(self) -> Iterator[tuple[Front, str, Entry]]:
        """Each name with its front module and its section, in the reader's order."""
        for front in self.fronts:
            for title, entries in front.sections.items():
                for each in entries:
                    yield front, title, each

    @cached_property
    def homes(self) -> dict[tuple[str, str], str]:
        """The dotted name of what is defined in a module under a name. A call has two: that of its class is
        for writers of loops."""
        homes: dict[tuple[str, str], str] = {}
        for front, _, each in self.entries():
            homes.setdefault((each.module.name, each.name), f"{front.module.name}.{each.name}")
        return homes

    def home(self, each: Entry) -> str:
        """The dotted name under which it is described."""
        return self.homes[each.module.name, each.name]

    @cached_property
    def anchors(self) -> dict[tuple[str, str], str]:
        """The dotted name for a page of the reference and an anchor of the repository's page."""
        return {
            (f"modules/{front.module.name}", front.anchor(title, each.name)): self.home(each)
            for front, title, each in self.entries()
        }

    @cached_property
    def classes(self) -> dict[str, str]:
        """The dotted name for the name of a class, where it has one meaning."""
        found: dict[str, set[str]] = {}
        for _, _, each in self.entries():
            if each.node is not None:
                found.setdefault(each.own_name, set()).add(self.home(each))
        return {name: next(iter(homes)) for name, homes in found.items() if len(homes) == 1}

    def front_of(self, name: str) -> str:
        """The front module of a dotted name."""
        return max((front for front in FRONTS if f"{name}.".startswith(f"{front}.")), key=len)

    def module_of(self, name: str) -> Module:
        """Where what is described under a dotted name is defined."""
        front = self.front_of(name)
        word = name.removeprefix(front).strip(".").partition(".")[0]
        return self._defined.get((front, word), self.modules[front])

    @cached_property
    def _defined(self) -> dict[tuple[str, str], Module]:
        return {(front.module.name, each.name): each.module for front, _, each in self.entries()}

    def place(self, word: str, module: Module, front: str) -> str:
        """What a word in a docstring of a module leads to, on the page of a front module; "" for nothing."""
        key = module.name, front
        if key not in self._links:
            self._links[key] = self._names.links_from(module, front)
        links = self._links[key]
        for name in (word, word.rpartition(".")[0]):
            page, _, anchor = links.get(name, "").partition("#")
            if anchor:
                return self.anchors.get((f"modules/{page.removesuffix('.md') or front}", anchor), "")
        return ""
