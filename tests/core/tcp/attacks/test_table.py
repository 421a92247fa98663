"""docs/attacks.md against the tests: every attack has its tests, and every test its attack."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parents[3]
TABLE = TESTS.parent / "docs" / "attacks.md"


class Row(NamedTuple):
    """One attack."""

    attack: str
    expected: str
    bound: str
    source: str
    tests: list[str]


def rows() -> list[Row]:
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in TABLE.read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| attack ")
    ]
    return [
        Row(attack, expected, bound, source, re.findall(r"`([^`]+)`", tests))
        for attack, expected, bound, source, tests in cells
    ]


@cache
def functions(path: Path) -> frozenset[str]:
    return frozenset(
        node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)
    )


ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.attack)
def test_attack__says_what_must_happen_and_names_tests_that_are_there(row: Row) -> None:
    assert row.expected
    assert row.bound
    assert row.tests, "an attack without a test"
    for test in row.tests:
        path, name = test.split("::")
        assert name in functions(TESTS / path), f"there is no {name} in tests/{path}"


def test_table__no_attack_twice() -> None:
    names = [row.attack for row in ROWS]
    assert len(names) == len(set(names)) >= 38


def test_tests_of_attacks__each_stands_in_the_table() -> None:
    named = {test for row in ROWS for test in row.tests}
    there = {
        f"{path.relative_to(TESTS)}::{name}"
        for path in Path(__file__).parent.glob("test_*.py")
        for name in functions(path)
        if name.startswith("test_") and path != Path(__file__)
    }
    assert sorted(there - named) == [], "name them in docs/attacks.md"
