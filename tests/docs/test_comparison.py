"""docs/comparison.md, and the tables of README and of the site's first page, say what the record says that is
kept of `make bench`."""

import importlib
import json
import re
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest

from .pages import DOCS

ROOT = DOCS.parent
PAGE = (DOCS / "comparison.md").read_text()
RECORD = json.loads((DOCS / "records" / "http.json").read_text())
ROWS = (
    ("keep-alive", "veth4"),
    ("new-connection", "veth4"),
    ("64k", "veth4"),
    ("64k", "veth4-off"),
    ("bulk-down", "veth4"),
    ("bulk-down", "veth4-off"),
    ("bulk-up", "veth4"),
    ("bulk-up", "veth4-off"),
)
"""Of README's table, in its order."""


@pytest.fixture
def comparison(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("sitepages.comparison")


def contenders(row: str, link: str) -> dict[str, dict[str, float]]:
    (found,) = (case["contenders"] for case in RECORD["cases"] if (case["row"], case["link"]) == (row, link))
    return dict(found)


def table(text: str, head: str) -> list[list[str]]:
    """The cells of the lines below a table's head."""
    lines = text.partition(head)[2].splitlines()[2:]
    rows = [line.strip("| ").split(" | ") for line in lines[: lines.index("")]]
    assert rows
    return rows


def test_tables__are_what_the_record_says() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "comparison"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_prose__every_ratio_stands_in_a_table() -> None:
    tables, prose = (
        {ratio for line in PAGE.splitlines() if line.startswith("|") == is_table for ratio in ratios(line)}
        for is_table in (True, False)
    )
    # Where the interval of a ratio is given: docs/performance.md has it.
    performance = (DOCS / "performance.md").read_text()
    assert len(prose) > 10
    assert [ratio for ratio in prose - tables if ratio.removesuffix("x") not in performance] == []


def ratios(line: str) -> list[str]:
    return re.findall(r"\b[\d.]+x", line)


def test_readme__its_table_is_of_the_record(comparison: ModuleType) -> None:
    rows = table((ROOT / "README.md").read_text(), "| work | kernel sockets |")
    assert len(rows) == len(ROWS)
    for (_, kernel, functional, over, native, _, nginx), (row, link) in zip(rows, ROWS, strict=True):
        found = contenders(row, link)
        assert number(kernel) == rounded(found["kernel"]["cpu_us"])
        assert number(functional) == rounded(found["frames"]["cpu_us"])
        assert over.split()[0] == comparison.times(found["frames"]["cpu_over"])
        assert native.split()[0] == comparison.times(found["native"]["cpu_over"])
        assert nginx == comparison.times(found.get("nginx", {}).get("cpu_over"))


def number(text: str) -> float:
    return float(text.split()[0].replace(",", ""))


def rounded(value: float) -> float:
    return round(value) if value >= 1000 else float(f"{value:.3g}")


def test_first_page__its_table_is_of_the_record(comparison: ModuleType) -> None:
    text = (DOCS / "site" / "index.md").read_text()
    assert RECORD["started"][:10] in text
    rows = {work: row for row, work in comparison.WORK.items()}
    for work, *cells in table(text, "| work | functional TCP |"):
        found = contenders(rows[work], "veth4")
        assert cells == [comparison.times(found[name]["cpu_over"]) for name in ("frames", "native", "nginx")]


def test_kept__of_a_result__what_the_tables_need(comparison: ModuleType) -> None:
    """Of a result as `gossamer bench http --json` prints it."""
    figures = {"cpu_us_per_unit": 10.0, "units_per_second": 100.0, "peak_rss_bytes": 1 << 20}
    over = {name: {"median": 2.0} for name in ("cpu", "rate")}
    case: dict[str, Any] = dict.fromkeys(("title", "conditions", "unit"), "")
    case |= {"row": "keep-alive", "link": "veth4"}
    case["figures"] = dict.fromkeys(("kernel", *comparison.NAMES), figures)
    case["over_kernel"] = dict.fromkeys(comparison.NAMES, over)
    where: dict[str, Any] = dict.fromkeys(
        ("command", "commit", "python", "kernel", "processor", "processors"), ""
    )
    where |= {"started": "2027-01-02T03:04:05Z", "versions": {"nginx": "1.2"}}
    record = comparison.kept({"environment": where, "settings": {"rounds": 5}, "cases": [case]})
    page = comparison.with_tables("a\n<!-- tables -->\nold\n<!-- end of tables -->\nb\n", record)
    assert "2027-01-02" in page
    assert f"| GET of 1 KiB, keep-alive | 10 | {' | '.join(['2x'] * len(comparison.NAMES))} |" in page
    assert "old" not in page


def test_arguments__wrong__one_line() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "comparison"), "nothing.json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
