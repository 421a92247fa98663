"""Loading a native application: it works, or one line says why not."""

import sys
from pathlib import Path

import pytest

from gossamer.shards.web.application import ApplicationError, load_application

MODULE = """
from functools import partial
async def handler(stream): ...
async def two(stream, other): ...
def plain(stream): ...
class Site:
    async def serve(self, stream): ...
    async def __call__(self, stream): ...
class Sync:
    def __call__(self, stream): ...
site = Site()
sync = Sync()
number = 3
whole = partial(two, other=3)
half = partial(two)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "made_for_a_test.py").write_text(MODULE)
    (tmp_path / "broken_for_a_test.py").write_text("import surely_absent\n")
    (tmp_path / "raising_for_a_test.py").write_text("raise ValueError('two\\nlines')\n")
    (tmp_path / "misspelt_for_a_test.py").write_text("number = 3\nnumber = = 3\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "made_for_a_test", raising=False)
    return "made_for_a_test"


@pytest.mark.parametrize("attribute", ["handler", "site", "site.serve", "whole"])
def test_loaded(module: str, attribute: str) -> None:
    assert callable(load_application(f"{module}:{attribute}"))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("made_for_a_test:absent", "module 'made_for_a_test' has no 'absent'; it has handler, site, whole"),
        ("made_for_a_test:site.absent", "has no 'site.absent'"),
        (
            "made_for_a_test:two",
            r"is an async function of other arguments \(stream, other\); expected an async",
        ),
        ("made_for_a_test:plain", "is a function that is not async; expected an async function"),
        ("made_for_a_test:Site", r"is a class \(Site\); expected"),
        ("made_for_a_test:sync", "is a Sync; expected"),
        ("made_for_a_test:number", "is a int; expected"),
        ("made_for_a_test:half", "is an async function of other arguments"),
        ("surely_absent:x", "module 'surely_absent' cannot be imported: ModuleNotFoundError"),
        ("surely_absent:x", "No module named 'surely_absent'$"),
        ("broken_for_a_test:x", r"No module named 'surely_absent' \(.*/broken_for_a_test\.py, line 1\)$"),
        ("raising_for_a_test:x", r"ValueError: two lines \(.*/raising_for_a_test\.py, line 1\)$"),
        ("misspelt_for_a_test:x", r"SyntaxError: .*misspelt_for_a_test\.py, line 2\)"),
        ("just_a_name", "expected module:attribute"),
    ],
)
def test_refused__one_line(module: str, target: str, message: str) -> None:
    assert module
    with pytest.raises(ApplicationError, match=message) as error:
        load_application(target)
    assert "\n" not in str(error.value)


def test_the_example_loads() -> None:
    assert load_application("gossamer.shards.web.digest:handler").__name__ == "handler"
