"""Every link of the pages leads somewhere, the index names every page, and README's programs run."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "changes" / "README.md",
    ROOT / "examples" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)?(?:#([^)\s]+))?\)")
LINE_MAX = 110
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$|`[^`\n]*`|^    .*$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to; of equal ones, those after the first have a
    number."""
    headings = HEADING.findall(re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE))
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    twins = [plain[:number].count(anchor) for number, anchor in enumerate(plain)]
    return {f"{anchor}-{count}" if count else anchor for anchor, count in zip(plain, twins, strict=True)}


def test_links__lead_to_files_and_headings_that_are_there() -> None:
    assert [fault for page in PAGES for fault in broken_links(page)] == []


def broken_links(page: Path) -> Iterator[str]:
    """Links of a page that lead nowhere."""
    for path, anchor in LINK.findall(without_code(page.read_text())):
        if path.startswith(("http:", "https:", "mailto:")):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield f"{page.relative_to(ROOT)}: {path}#{anchor}"


def test_prose__is_wrapped() -> None:
    """Code, tables, headings and what has no place to be broken are as long as they are."""
    for page in (*DOCS.glob("*.md"), ROOT / "README.md"):
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        prose = [line for line in text.splitlines() if not line.startswith(("|", "#", "    "))]
        can_be_broken = [line for line in prose if " " in re.sub(r"`[^`]*`", "", line).strip()]
        assert not [line for line in can_be_broken if len(line) > LINE_MAX], page.name


def test_index__names_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    missing = [
        page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"]({page.name}" not in index
    ]
    assert not missing


def test_readme__its_programs_run(tmp_path: Path) -> None:
    """The blocks of Python in README.md, in their order, and how what they print begins."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    printed = []
    for number, block in enumerate(blocks):
        (tmp_path / f"block{number}.py").write_text(block)
        done = subprocess.run(
            [sys.executable, f"block{number}.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout[:21])
    assert printed == ["", "hare\n", "SYN_SENT SYN seq 7 wi", ""]
