"""What strangers meet first: workflow, form for bugs and policy of versions name what there is."""

import re
import tomllib
from pathlib import Path

import pytest

from .docs.test_front_door import FRONTS
from .docs.test_shell_lines import parsed

ROOT = Path(__file__).parent.parent
WORKFLOW = (ROOT / ".github" / "workflows" / "tests.yml").read_text()
FORM = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_files__are_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    assert set(yaml.safe_load(WORKFLOW)["jobs"]) == {"tests", "native", "aarch64", "check", "wheels"}
    assert {each.get("id") for each in yaml.safe_load(FORM)["body"]} >= {"doctor", "version", "seen"}


def test_workflow__makes_what_can_be_made() -> None:
    lines = re.findall(r"make PYTHON=python3 (.*)", WORKFLOW)
    assert len(lines) > 4
    for target in {target for line in lines for target in line.split()}:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_workflow__no_secret_and_no_right_to_write() -> None:
    assert "secrets." not in WORKFLOW
    assert re.findall(r"^permissions:\n((?:  .*\n)+)", WORKFLOW, re.MULTILINE) == ["  contents: read\n"]


def test_workflow__the_pythons_that_are_promised__with_any_versions_and_rights() -> None:
    rows = re.findall(r"^        python: \[(.*)\]", WORKFLOW, re.MULTILINE)
    tests, native = (re.findall(r"[\d.]+", row) for row in rows)
    promised = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)]
    assert tests == promised
    assert set(native) < set(promised)
    assert "        who: [root, rootless]\n        versions: [newest, lowest]\n" in WORKFLOW
    for who in ("root", "rootless"):
        for versions in ("newest", "lowest"):
            assert f"        if: matrix.who == '{who}' && matrix.versions == '{versions}'\n" in WORKFLOW


def test_form__asks_for_what_commands_print() -> None:
    asked = re.findall(r"label: (gossamer .*)", FORM)
    assert len(asked) == 3
    for line in asked:
        parsed(line)


def test_versions__every_module_that_programs_import() -> None:
    page = (ROOT / "docs" / "versions.md").read_text()
    (row,) = re.findall(r"^\| modules \|.*", page, re.MULTILINE)
    assert set(re.findall(r"`(gossamer(?:\.\w+)?)`", row)) == {front.__name__ for front in FRONTS}
