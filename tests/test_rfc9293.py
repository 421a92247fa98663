"""docs/tcp.md against RFC 9293 appendix B, the code and the tests; and the file tables of ARCHITECTURE.md.

A row that names code or a test which is gone, a label that is missing or there twice, fails. Rows without a
test are counted and printed (`pytest -s tests/test_rfc9293.py`).
"""

import ast
import re
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from gossamer.core.sim.transitions import diagram
from gossamer.core.tcp.parameters import PARAMETER_BOUNDS

from .parts import ask_each

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "tcp.md"

LAST = {"MUST": 69, "SHLD": 31, "REC": 1, "MAY": 18}
"""RFC 9293 appendix B numbers each kind from 1 without gaps."""
LABELS = {f"{kind}-{number}" for kind, last in LAST.items() for number in range(1, last + 1)}

REASONS = ("Differs: ", "Not applicable: ", "Not done")
UNTESTED_MAX = 17
"""Rows that no test shows. It may only fall."""

PACKET_SCRIPTS_ARE_RUN_BY = ROOT / "tests" / "core" / "packetdrill" / "test_scripts.py"


class Row(NamedTuple):
    """One label."""

    label: str
    asks: str
    code: list[str]
    tests: list[str]
    note: str


def rows() -> list[Row]:
    found = []
    for line in DOCUMENT.read_text().splitlines():
        if re.match(r"\| (MUST|SHLD|REC|MAY)-", line):
            label, asks, code, tests, note = (cell.strip() for cell in line.strip("|").split("|"))
            found.append(Row(label, asks, named(code), named(tests), note))
    return found


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Functions, classes, methods and constants of a source file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


@cache
def collected_in(path: Path) -> frozenset[str]:
    """What pytest collects of a test file: functions and classes at its top, and state machines given a
    name."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return frozenset(name for name in found if name.startswith(("test_", "Test")))


ROWS = rows()


def test_labels__each_of_the_summary__exactly_once() -> None:
    labels = [row.label for row in ROWS]
    assert sorted(LABELS - set(labels)) == []
    assert sorted(set(labels) - LABELS) == []
    assert len(labels) == len(LABELS) == 119


def test_rows__code_and_tests_are_there__or_a_reason() -> None:
    ask_each((row.label, partial(check_row, row)) for row in ROWS)


def check_row(row: Row) -> None:
    assert row.asks
    for reference in row.code:
        path, _, name = reference.partition(":")
        assert (ROOT / path).is_file(), f"{reference}: no such file"
        assert not name or name in names_in(ROOT / path), f"{reference}: {path} has no {name}"
    for reference in row.tests:
        check_test(reference)
    if not row.tests:
        assert row.note.startswith(REASONS), "no test, and no reason"
        assert row.label.startswith("MAY-") or not row.note.startswith("Not done"), "a MUST is never optional"
    assert row.code or not row.tests, "a test of no code"


def check_test(reference: str) -> None:
    path, _, name = reference.partition("::")
    assert (ROOT / path).is_file(), f"{reference}: no such file"
    assert path.startswith("tests/"), f"{reference} is no test"
    if path.endswith(".pkt"):
        assert PACKET_SCRIPTS_ARE_RUN_BY.is_file()
        return
    assert Path(path).name.startswith("test_"), f"{path} is not collected"
    assert name in collected_in(ROOT / path), f"{reference}: there is no such test"


def test_rows_without_a_test__are_few__and_counted() -> None:
    untested = [row.label for row in ROWS if not row.tests]
    differs = [row.label for row in ROWS if "Differs: " in row.note]
    print(f"\n{len(ROWS)} labels; {len(untested)} without a test: {', '.join(untested)}")
    print(f"{len(differs)} differ: {', '.join(differs)}")
    assert len(untested) <= UNTESTED_MAX


def test_diagram__is_that_of_the_table() -> None:
    found = re.search(r"```mermaid\n(.*?)\n```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == diagram(), "put the output of core.sim.transitions.diagram() there"


def test_introduction__names_files_that_are_there() -> None:
    introduction = DOCUMENT.read_text().partition("## RFC 9293")[0]
    paths = [name for name in named(introduction) if "/" in name]
    assert len(paths) > 15
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_architecture__rfc_tables__name_files_that_are_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text().partition("## Where a rule of the RFC stands")[2]
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    found = list(chain.from_iterable(paths_of(line.strip("|").split("|")[1]) for line in lines))
    assert len(found) > 30
    assert [path for path in found if not (ROOT / path).exists()] == []


def paths_of(cell: str) -> list[str]:
    """The files of a cell; a bare name stands in the folder of the one before, or below it."""
    found: list[str] = []
    folder = ""
    for name in chain.from_iterable(map(spread, named(cell))):
        if "/" in name:
            folder = name.rpartition("/")[0]
            found.append(name)
        else:
            below = [str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob(name)]
            found.append(below[0] if below else f"{folder}/{name}")
    return found


def spread(name: str) -> list[str]:
    """`a/{b,c}` is `a/b` and `a/c`."""
    before, opening, rest = name.partition("{")
    inner, _, behind = rest.partition("}")
    return [before + part + behind for part in inner.split(",")] if opening else [name]


def test_bounds__what_the_rfc_forbids__cannot_be_configured() -> None:
    """MUST-40: "the delay MUST be less than 0.5 seconds"."""
    assert PARAMETER_BOUNDS["delayed_ack_us"].most < 500_000
