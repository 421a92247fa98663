"""docs/modules.md: per package a table, each module by its first sentence."""

import textwrap
from collections.abc import Mapping

from moduledocs.sources import ROOT, Module, first_sentence, module_name

LINE_MAX = 110
"""Prose is wrapped there."""

HEAD = """# Every module, by its first sentence

Written by `scripts/module-docs` from the heads of the files (`tests/docs/test_module_docs.py` holds it so);
after a change run the script again. Programs import from some of them, [gossamer](modules/gossamer.md),
[gossamer.aio](modules/gossamer.aio.md), [gossamer.lowlevel](modules/gossamer.lowlevel.md),
[gossamer.tcp](modules/gossamer.tcp.md), [gossamer.testing](modules/gossamer.testing.md),
[gossamer.websocket](modules/gossamer.websocket.md) and [gossamer.wsgi](modules/gossamer.wsgi.md), which have
a page each. All others are internal: this list is for those who change them, and leads to the sources.
Installed, each name begins with `gossamer.`; [ARCHITECTURE.md](../ARCHITECTURE.md) says how the packages
stand on each other.
"""


def index(modules: Mapping[str, Module]) -> str:
    """The text of docs/modules.md."""
    packages: dict[str, list[str]] = {}
    for name, module in modules.items():
        packages.setdefault(module_name(module.path.parent / "__init__.py"), []).append(name)
    parts = [HEAD]
    for package, names in sorted(packages.items()):
        sentence = first_sentence(modules[package].head)
        more = f" [More]({place(modules[package])})." if modules[package].has_page else ""
        said = textwrap.fill(f"{sentence}{more}", LINE_MAX, break_long_words=False, break_on_hyphens=False)
        parts.append(f"\n## {package}\n\n{said}\n\n| module | |\n|---|---|\n")
        parts += [row(modules[name]) for name in names if name != package]
    return "".join(parts)


def place(module: Module) -> str:
    """Where more of a module stands: its page or, where it has none, its source."""
    return f"modules/{module.name}.md" if module.has_page else f"../{module.path.relative_to(ROOT)}"


def row(module: Module) -> str:
    """One line of a table."""
    sentence = first_sentence(module.head).replace("|", "\\|")
    return f"| [{module.name.rpartition('.')[2]}]({place(module)}) | {sentence} |\n"
