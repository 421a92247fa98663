"""Where each name is told: the page and the heading that a link leads to."""

from collections.abc import Mapping

from moduledocs.sources import ROOT, Module, public, public_constants, target

CONSTANTS = "Constants and types"
"""The heading of what is neither class nor function."""

Links = Mapping[str, str]
"""Where a name leads: that of a module, a class, a function, a constant."""


def anchors(module: Module) -> dict[str, str]:
    """The anchor of each class and function; the second of two that differ in case alone is numbered."""
    found: dict[str, str] = {}
    for node in public(module.tree.body):
        anchor = node.name.lower()
        twins = sum(each.lower() == anchor for each in found)
        found[node.name] = f"{anchor}-{twins}" if twins else anchor
    return found


def places(module: Module) -> dict[str, str]:
    """The anchor of every name of a module, the further names of its classes and its constants too."""
    found = anchors(module)
    for name, others in module.aliases.items():
        found.update(dict.fromkeys(others, found[name]))
    for node, _ in public_constants(module):
        found.setdefault(target(node), CONSTANTS.lower().replace(" ", "-"))
    return found


def is_telling(name: str) -> bool:
    """Whether a word of prose can be known for this name: by its capitals, or by an underscore in it."""
    return not name.islower() or "_" in name


class Names:
    """Every name that has a place on some page."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._places = {name: places(module) for name, module in modules.items() if module.has_page}
        self._sources = {
            name: f"../../{module.path.relative_to(ROOT)}"
            for name, module in modules.items()
            if not module.has_page
        }

    def place(self, name: str, owner: str) -> str | None:
        """Where a name of a module is told."""
        anchor = self._places.get(owner, {}).get(name)
        return anchor and f"{owner}.md#{anchor}"

    def links_from(self, module: Module) -> dict[str, str]:
        """Where each name leads that is told in a module: to itself first, then to what it imports, then to
        the one module that has such a name. What has no page has a source."""
        links = {name: f"{name}.md" for name in self._places if name != module.name}
        links |= {name: place for name, place in self._sources.items() if "." in name}
        links |= {
            name: self._sources[owner]
            for name, owner in module.imported.items()
            if owner in self._sources and is_telling(name)
        }
        owners: dict[str, list[str]] = {}
        for owner, found in self._places.items():
            for name in found:
                owners.setdefault(name, []).append(owner)
        for name, having in owners.items():
            imported = module.imported.get(name, "")
            if not is_telling(name):
                continue
            if module.name in having:
                links[name] = f"#{self._places[module.name][name]}"
            elif imported in having or len(having) == 1:
                owner = imported if imported in having else having[0]
                links[name] = f"{owner}.md#{self._places[owner][name]}"
        return links
