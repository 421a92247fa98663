"""The tests that can stand anywhere are run with every kind of initial sequence numbers, each as one test."""

from pathlib import Path

import pytest

from gossamer.core.sim import states

from . import conftest
from .given import run_given

GIVEN = """
from gossamer.core.sim import states
def test_passes():
    with open({noted!r}, "a") as file:
        print(int(states.PEER_ISS), file=file)
def test_fails_with_some():
    assert states.PEER_ISS not in (0, 5_000)
"""


def test_modules__each_is_there() -> None:
    tests = {path.stem for path in Path(__file__).parent.rglob("test_*.py")}
    assert conftest.ANYWHERE - tests == set()


def test_run__every_kind_once__and_a_failure_names_its_kinds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = tmp_path / "noted"
    (tmp_path / "test_windows.py").write_text(GIVEN.format(noted=str(noted)))
    before = int(states.PEER_ISS)
    code = run_given(tmp_path, [conftest], monkeypatch, times=2)
    said = capsys.readouterr().out
    assert code == 1, said
    assert "It fails with these initial sequence numbers: small, zero" in said
    assert "1 failed, 1 passed" in said
    numbers = [before, *(peer_iss for _, peer_iss in conftest.NUMBERS.values())]
    assert [int(line) for line in noted.read_text().split()] == numbers
    assert int(states.PEER_ISS) == before
