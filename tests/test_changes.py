"""The changes that no release has yet are of the form, and gathering them puts each in its section."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

CHANGELOG = """# Changelog

## 0.2.0 (not yet released)

### Threads
- An old line.

### Of no area
- It stays.

## 0.1.0 (2026-01-01)

### Packets
- First.
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with one version under way, and no change yet."""
    for folder in ("scripts", "changes"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "scripts" / "gather-changes", tmp_path / "scripts")
    (tmp_path / "changes" / "README.md").write_text("# How\n")
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    shutil.copy(ROOT / "CITATION.cff", tmp_path)
    set_version(tmp_path, "0.2.0")
    return tmp_path


def set_version(clone: Path, version: str) -> None:
    (clone / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n')


def gather(clone: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(clone / "scripts" / "gather-changes"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_changes__are_of_the_form() -> None:
    done = gather(ROOT, "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("cooking.soup.md", "Soup.\n", "its name is not"),
        ("threads.md", "No slug.\n", "its name is not"),
        ("threads.Loud.md", "Loud.\n", "its name is not"),
        ("threads.empty.md", "", "not text"),
        ("threads.cut.md", "No line feed.", "not text"),
        ("threads.half.md", "Half a sentence\n", "no full stop"),
        ("threads.list.md", "- Listed.\n", "one paragraph"),
        ("threads.two.md", "One.\n\nTwo.\n", "one paragraph"),
        ("threads.wide.md", "w" * 110 + ".\n", "lines longer"),
        ("threads.long.md", "a line\n" * 6 + "too many.\n", "lines longer"),
    ],
)
def test_check__says_what_is_wrong_and_nothing_is_gathered(
    clone: Path, name: str, text: str, complaint: str
) -> None:
    (clone / "changes" / name).write_text(text)
    for options in ([], ["--check"]):
        done = gather(clone, *options)
        assert done.returncode == 1
        assert done.stdout.startswith(f"changes/{name}: ")
        assert complaint in done.stdout
    assert (clone / "CHANGELOG.md").read_text() == CHANGELOG
    assert (clone / "changes" / name).exists()


def test_gathering__adds_to_the_version_under_way_and_removes_the_files(clone: Path) -> None:
    (clone / "changes" / "threads.new.md").write_text("A new line\nof two.\n")
    (clone / "changes" / "tcp.new.md").write_text("Of the TCP.\n")
    assert gather(clone).returncode == 0
    text = (clone / "CHANGELOG.md").read_text()
    assert re.search(r"^## 0\.2\.0 \(\d{4}-\d\d-\d\d\)$", text, re.MULTILINE)
    assert "### Threads\n- An old line.\n- A new line of two.\n" in text
    assert "### Of no area\n- It stays.\n" in text
    assert text.index("### The functional TCP\n- Of the TCP.\n") < text.index("## 0.1.0 (2026-01-01)")
    assert text.endswith(CHANGELOG[CHANGELOG.index("## 0.1.0") :])
    assert [path.name for path in (clone / "changes").iterdir()] == ["README.md"]


def test_gathering__opens_the_section_of_a_new_version(clone: Path) -> None:
    set_version(clone, "0.3.0")
    (clone / "changes" / "setup.new.md").write_text("Set up anew.\n")
    assert gather(clone).returncode == 0
    text = (clone / "CHANGELOG.md").read_text()
    assert re.match(
        r"# Changelog\n\n## 0\.3\.0 \([0-9-]+\)\n\n### Set-up\n- Set up anew\.\n\n## 0\.2\.0 \(not", text
    )


def days_of(root: Path, version: str) -> list[str]:
    """The day on which it was released, if it was."""
    changelog = (root / "CHANGELOG.md").read_text()
    return re.findall(rf"^## {re.escape(version)} \(([0-9-]+)\)$", changelog, re.MULTILINE)


def test_gathering__citation_is_of_that_version_and_day(clone: Path) -> None:
    for version in ("0.2.0", "0.3.0"):
        set_version(clone, version)
        (clone / "changes" / "setup.new.md").write_text("Set up anew.\n")
        assert gather(clone).returncode == 0
        text = (clone / "CITATION.cff").read_text()
        assert re.findall(r"^date-released: (.*)$", text, re.MULTILINE) == days_of(clone, version)
        assert re.findall(r"^version: (.*)$", text, re.MULTILINE) == [version]
    cited = (ROOT / "CITATION.cff").read_text()
    assert text.splitlines()[-3:] == cited.splitlines()[-3:]


def test_citation__is_of_this_version_and_dated_as_the_changelog_is() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    text = (ROOT / "CITATION.cff").read_text()
    assert re.findall(r"^version: (.*)$", text, re.MULTILINE) == [version]
    assert re.findall(r"^date-released: (.*)$", text, re.MULTILINE) == days_of(ROOT, version)


def test_gathering__refuses_a_version_that_is_released(clone: Path) -> None:
    set_version(clone, "0.1.0")
    (clone / "changes" / "setup.new.md").write_text("Too late.\n")
    done = gather(clone)
    assert done.returncode == 1
    assert "0.1.0 is released" in done.stderr
    assert (clone / "CHANGELOG.md").read_text() == CHANGELOG
    assert (clone / "changes" / "setup.new.md").exists()


def test_readme__names_every_area_with_its_section(clone: Path) -> None:
    """The table of changes/README.md, held against what the script takes and writes."""
    page = (ROOT / "changes" / "README.md").read_text()
    areas = re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    set_version(clone, "0.3.0")
    for area, _ in areas:
        (clone / "changes" / f"{area}.a.md").write_text(f"Of {area}.\n")
    assert gather(clone).returncode == 0
    text = (clone / "CHANGELOG.md").read_text()
    assert "\n".join(f"### {title}\n- Of {area}.\n" for area, title in areas) in text
    (clone / "changes" / "nowhere.a.md").write_text("A.\n")
    assert f"AREA one of {', '.join(area for area, _ in areas)}\n" in gather(clone, "--check").stdout
