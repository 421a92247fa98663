"""The site: its links, its pages made of the code, and that all of it builds without a warning."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "README.md": "readme",
    "docs/web.md": "web",
    "docs/modules.md": "modules",
    "docs/modules/gossamer.md": "modules/gossamer",
}


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("sitepages.links")


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("README.md", "[a](docs/web.md)", "[a](web.md)"),
        ("README.md", "[`a`](docs/web.md#sites-of-one)", "[`a`](web.md#sites-of-one)"),
        ("docs/web.md", "[a](../README.md)", "[a](readme.md)"),
        ("docs/web.md", "[a](#below) [b](https://a.example/)", "[a](#below) [b](https://a.example/)"),
        ("docs/modules/gossamer.md", "[a](../modules.md)", "[a](../modules.md)"),
        ("docs/modules.md", "[a](modules/gossamer.md#run)", "[a](modules/gossamer.md#run)"),
        ("docs/web.md", "[`core/seq.py`](../core/seq.py) is", "`core/seq.py` is"),
        ("docs/web.md", "![a picture](pictures/a.png)", "![a picture](pictures/a.png)"),
        ("docs/web.md", "```\n[a](../README.md)\n```\n", "```\n[a](../README.md)\n```\n"),
    ],
)
def test_rewritten__each_link__to_the_site_or_to_nothing(
    links: ModuleType, source: str, text: str, expected: str
) -> None:
    assert links.rewritten(text, source, PAGES) == expected


def test_pages_of__this_repository__every_page_once(links: ModuleType) -> None:
    pages = links.pages_of(ROOT)
    assert pages.items() >= PAGES.items()
    assert len(set(pages.values())) == len(pages)
    assert "docs/README.md" not in pages


@pytest.mark.long
def test_site__builds__every_page_and_no_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason='needs the extra "site": make site')
    command = [sys.executable, str(ROOT / "scripts" / "site"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "gossamer worker restart" in (tmp_path / "commands.html").read_text()
    assert "survive_crash" in (tmp_path / "configuration.html").read_text()
