"""The site: its links, its pages made of the code, and that all of it builds without a warning."""

import importlib
import importlib.machinery
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from .browser import widths_of_files

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    "README.md": "readme",
    "docs/web.md": "web",
    "docs/modules.md": "modules",
    "docs/modules/gossamer.md": "modules/gossamer",
}


ANCHORS = {("modules/gossamer", "run"): "gossamer.run"}


@pytest.fixture(autouse=True)
def scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the scripts import is found."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))


@pytest.fixture
def links() -> ModuleType:
    return importlib.import_module("sitepages.links")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of it, built."""
    pytest.importorskip("sphinx", reason='needs the extra "site": make site')
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "scripts" / "site"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("README.md", "[a](docs/web.md)", "[a](web.md)"),
        ("README.md", "[`a`](docs/web.md#sites-of-one)", "[`a`](web.md#sites-of-one)"),
        ("docs/web.md", "[a](../README.md)", "[a](readme.md)"),
        ("docs/web.md", "[a](#below) [b](https://a.example/)", "[a](#below) [b](https://a.example/)"),
        ("docs/modules/gossamer.md", "[a](../modules.md)", "[a](../modules.md)"),
        ("docs/modules.md", "[a](modules/gossamer.md#run)", "[a](#gossamer.run)"),
        ("docs/modules.md", "[a](modules/gossamer.md#errors)", "[a](modules/gossamer.md#errors)"),
        ("docs/web.md", "[`core/seq.py`](../core/seq.py) is", "`core/seq.py` is"),
        ("docs/web.md", "![a picture](pictures/a.png)", "![a picture](pictures/a.png)"),
        ("docs/web.md", "```\n[a](../README.md)\n```\n", "```\n[a](../README.md)\n```\n"),
    ],
)
def test_rewritten__each_link__to_the_site_or_to_nothing(
    links: ModuleType, source: str, text: str, expected: str
) -> None:
    assert links.rewritten(text, source, PAGES, ANCHORS) == expected


def test_pages_of__this_repository__every_page_once(links: ModuleType) -> None:
    pages = links.pages_of(ROOT)
    assert pages.items() >= PAGES.items()
    assert len(set(pages.values())) == len(pages)
    assert "docs/README.md" not in pages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    gossamer status      each worker\n", "    gossamer status      each worker\n"),
        (
            "\n    gossamer status            # what each worker does at this moment\n    gossamer stop\n",
            "\n\n    # what each worker does at this moment\n    gossamer status\n    gossamer stop\n",
        ),
        (
            "    gossamer reload     replace the workers by ones of the configuration as it is\n",
            "\n    # replace the workers by ones of the\n    # configuration as it is\n    gossamer reload\n",
        ),
        ("    pid    the number of the process that serves here\n",) * 2,
        ("```\n    make run      # something that is rather long to be read here\n```\n",) * 2,
    ],
)
def test_narrowed__what_stands_beside_a_command__above_it(text: str, expected: str) -> None:
    assert importlib.import_module("sitepages.narrow").narrowed(text) == expected


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        ("Ask `run(main)` or Stream.", "Ask :py:obj:`run(main) <gossamer.run>` or Stream."),
        ("A `b`s, `c`.", "A ``b``\\ s, ``c``."),
        ("2**3 | x_ of *args. Raises: OSError", "2\\*\\*3 \\| x\\_ of \\*args. *Raises:* OSError"),
        ("See docs/tls.md.", "See :doc:`/tls`."),
        ("Say:\n\n>>> 1\n1", "Say:\n\n.. code-block:: pycon\n\n   >>> 1\n   1"),
        ("Say:\n\n    a = 1\n\n    b = 2", "Say:\n\n.. code-block:: python\n\n   a = 1\n\n   b = 2"),
    ],
)
def test_restructured__each_kind_of_paragraph(docstring: str, expected: str) -> None:
    names = {"run": "gossamer.run"}
    docstrings = importlib.import_module("sitepages.docstrings")
    assert docstrings.restructured(docstring, lambda name: names.get(name, "")) == expected


def test_reference__every_name_in_the_order_of_its_module() -> None:
    described = importlib.import_module("sitepages.described").Described()
    reference = importlib.import_module("sitepages.api").Reference(described)
    for front in described.fronts:
        page = reference.page(front).partition("\n## ")[2]
        by_autodoc = rf"(?:\.\. auto\w+:: |:py:obj:`){re.escape(front.module.name)}\."
        found = re.findall(rf"^(?:{by_autodoc}|\.\. py:\w+:: )(\w+)(?![\w.])", page, re.MULTILINE)
        assert found == importlib.import_module(front.module.name).__all__


def test_first_page__shows_a_screen_a_connection_and_a_table() -> None:
    text = (ROOT / "docs" / "site" / "index.md").read_text()
    pictures = [ROOT / "docs" / path for path in re.findall(r"{figure} (pictures/\w+\.svg)", text)]
    assert [path.name for path in pictures] == ["top.svg", "sequence.svg"]
    assert "| work | functional TCP |" in text
    for path in pictures:
        drawn = path.read_text()
        # A page of the site asks nobody else for anything, and nothing of whose machine it was is told.
        assert not re.search(r"@font-face|url\(.?http|<image|<script|/home/|/tmp/|/root/", drawn)
    assert "req/s" in (ROOT / "docs" / "pictures" / "top.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--if-installed", "site"], 0, "not built, there is no furo: make site"),
        (["site"], 3, "not built, there is no furo: make site"),
        ([], 2, "expected the folder to write to"),
        (["--quickly", "site"], 2, "expected the folder to write to"),
    ],
)
def test_script__where_sphinx_is_not__says_so(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    loader = importlib.machinery.SourceFileLoader("site_script", str(ROOT / "scripts" / "site"))
    spec = importlib.util.spec_from_loader("site_script", loader)
    assert spec is not None
    script = importlib.util.module_from_spec(spec)
    loader.exec_module(script)
    monkeypatch.setattr(script, "missing", lambda: ["furo"])
    assert script.main(arguments) == code
    assert capsys.readouterr().err == f"scripts/site: {said}\n"


LINKS = """# A page

[a page](nothing.md), [a heading](#no-heading), {py:obj}`gossamer.nothing`, {doc}`/nowhere`, [found](#a-page)

```{eval-rst}
.. py:function:: asks(what: NoSuchType, code: NoSuch.module, number: int, inner: SimulatedFlow)
```
"""
BROKEN = {"nothing.md", "no-heading", "gossamer.nothing", "nowhere", "NoSuchType", "NoSuch.module"}


@pytest.mark.slow
def test_build__broken_references__each_is_an_error_and_no_other(tmp_path: Path) -> None:
    if importlib.import_module("sitepages.building").missing():
        pytest.skip('needs the extra "site": make site')
    source = tmp_path / "source"
    (source / "static").mkdir(parents=True)
    for name, folder in (("conf.py", source), ("gossamer.css", source / "static")):
        shutil.copy(ROOT / "docs" / "site" / name, folder)
    (source / "index.md").write_text(LINKS)
    call = (
        "import sys; from pathlib import Path; from sitepages.building import build; "
        "sys.exit(build(Path(sys.argv[1]), Path(sys.argv[2])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", call, str(source), str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert done.returncode == 1
    assert {name for name in BROKEN if any(name in line for line in said)} == BROKEN
    assert len(said) == len(BROKEN), done.stderr


@pytest.mark.long
def test_site__builds__every_page_and_no_warning(site: Path) -> None:
    assert "gossamer worker restart" in (site / "commands.html").read_text()
    assert "survive_crash" in (site / "configuration.html").read_text()
    reference = (site / "modules" / "gossamer.html").read_text()
    for name in importlib.import_module("gossamer").__all__:
        assert f'id="gossamer.{name}"' in reference, name
    assert "doctest" not in reference


@pytest.mark.long
@pytest.mark.needs("chromium")
def test_site__on_a_telephone__no_page_sticks_out(site: Path, tmp_path: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 40
    found = dict(line.rsplit(" ", 1) for line in widths_of_files(tmp_path, pages, 400))
    assert len(found) == len({page.name for page in pages})
    assert {name: width for name, width in found.items() if int(width) > 400} == {}
