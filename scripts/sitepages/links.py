"""Pages of the repository as pages of the site: which there are, and where their links lead. Pure."""

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

COMPANIONS = {
    "README.md": "readme",
    "ARCHITECTURE.md": "architecture",
    "CONTRIBUTING.md": "contributing",
    "CHANGELOG.md": "changelog",
    "SECURITY.md": "security",
    "examples/README.md": "examples",
}
LEFT_OUT = frozenset({"docs/README.md"})
"""The list of pages, in whose place the site has a table of contents."""
Anchors = Mapping[tuple[str, str], str]
"""Of a page of the site and an anchor that the repository's page has: the name that is described there."""
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")


def pages_of(root: Path) -> dict[str, str]:
    """The pages that the repository has: its path there, and its name on the site."""
    own = sorted((root / "docs").glob("*.md")) + sorted((root / "docs" / "modules").glob("*.md"))
    found = {str(path.relative_to(root)): str(path.relative_to(root / "docs"))[:-3] for path in own}
    found |= {path: name for path, name in COMPANIONS.items() if (root / path).exists()}
    return {path: name for path, name in found.items() if path not in LEFT_OUT}


def rewritten(text: str, source: str, pages: Mapping[str, str], anchors: Anchors) -> str:
    """The page `source` with links of the site."""
    parts = re.split(r"(^```.*?^```[^\n]*$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        part if index % 2 else LINK.sub(lambda link: _link(link[1], link[2], source, pages, anchors), part)
        for index, part in enumerate(parts)
    )


def _link(words: str, target: str, source: str, pages: Mapping[str, str], anchors: Anchors) -> str:
    if re.match(r"[a-z]+:", target) or target.startswith("#"):
        return f"[{words}]({target})"
    path, _, anchor = target.partition("#")
    found = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    if found not in pages:
        return words  # the repository's, as it stands there; a picture is no link
    if (pages[found], anchor) in anchors:
        return f"[{words}](#{anchors[pages[found], anchor]})"
    here = posixpath.dirname(pages[source])
    there = posixpath.relpath(f"{pages[found]}.md", here or ".")
    return f"[{words}]({there}{'#' + anchor if anchor else ''})"
