"""Rights: tried once and by their own attempt; a test without one is skipped and reported at the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from . import rights
from .given import run_given
from .rights import MissingRight, Right

TESTS = """
import pytest

@pytest.mark.needs("refused", "given")
def test_without__skipped(): ...

@pytest.mark.needs("given")
def test_with__runs(): ...

def test_by_fixture__skipped(namespace): ...
"""


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A table of two rights, one of which is refused; what was tried."""
    tried: list[str] = []

    def refuse() -> None:
        tried.append("refused")
        raise MissingRight("not today,\n  nor tomorrow")

    table = {
        "refused": Right("do this", refuse, "ask somebody"),
        "given": Right("do that", lambda: tried.append("given"), "run it"),
    }
    monkeypatch.setattr(rights, "RIGHTS", table)
    rights.obstacle.cache_clear()
    yield tried
    rights.obstacle.cache_clear()


def test_reason__refused__what_and_why_in_one_line_and_tried_once(tries: list[str]) -> None:
    assert rights.reason("refused") == rights.reason("refused")
    assert rights.reason("refused") == "needs to do this: not today, nor tomorrow"
    assert rights.reason("given") == ""
    assert tries == ["refused", "given"]


def test_reason__unknown__key_error(tries: list[str]) -> None:
    with pytest.raises(KeyError):
        rights.reason("no such right")
    assert tries == []


def test_reason__command_that_is_not_installed__its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rights.PACKAGES, "no-such-command", "no-such-package")
    assert rights.reason("no-such-command") == "needs to run no-such-command: it is not installed"
    (line,) = rights.summary([rights.reason("no-such-command")])
    assert line.endswith("To run them: apt-get install no-such-package")


def test_summary__by_right__how_many_and_what_runs_them(tries: list[str]) -> None:
    del tries
    lines = rights.summary(["needs to do this: for a", "needs to do this: for b", "another reason"])
    assert lines == ["2 not run: needs to do this: for a. To run them: ask somebody"]


def test_suite__rights_missing__skipped_and_summed_up_and_exit_code_0(
    tries: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from . import conftest

    monkeypatch.setitem(rights.RIGHTS_OF_FIXTURES, "namespace", "refused")
    (tmp_path / "test_given.py").write_text(TESTS)
    code = run_given(tmp_path, [conftest], monkeypatch)
    said = capsys.readouterr().out
    assert code == 0, said
    assert "2 not run: needs to do this: not today, nor tomorrow. To run them: ask somebody" in said
    assert "1 passed, 2 skipped" in said
    assert tries == ["refused", "given"]
