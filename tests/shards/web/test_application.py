"""Loading a native application: it works, or one line says why not."""

import sys
from pathlib import Path

import pytest

from gossamer.shards.web.application import ApplicationError, load_application
from gossamer.shards.web.application_name import Wanted

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
async def asgi(scope, receive, send): ...
def wrapped(scope, receive, send): return asgi(scope, receive, send)
class Asgi:
    async def __call__(self, scope, receive, send): ...
class Endpoint:
    def __init__(self, scope, receive, send): ...
    def __await__(self): ...
class Old:
    def __init__(self, scope): ...
    async def __call__(self, receive, send): ...
def wsgi(environ, start_response): ...
class Wsgi:
    def __call__(self, environ, start_response): ...
async def anything(*arguments): ...
def whatever(*arguments): ...
def makes(): return asgi
def makes_wsgi(): return Wsgi()
def makes_nothing(): return None
def fails(): raise ValueError("two\\nlines")
async def makes_later(): return asgi
instance = Asgi()
method = instance.__call__
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


LOADED = {
    "handler": "native",
    "site": "native",
    "site.serve": "native",
    "whole": "native",
    "asgi": "asgi",
    "wrapped": "asgi",
    "instance": "asgi",
    "method": "asgi",
    "Endpoint": "asgi",
    "wsgi": "wsgi",
    "Wsgi.__call__": "asgi",
}


def test_loaded__told_apart_by_arguments_and_by_async(module: str) -> None:
    found = {attribute: load_application(f"{module}:{attribute}").interface for attribute in LOADED}
    assert found == LOADED


def test_interface__said__holds(module: str) -> None:
    asked: list[tuple[str, Wanted]] = [
        ("anything", "native"),
        ("anything", "asgi"),
        ("whatever", "asgi"),
        ("whatever", "wsgi"),
        ("wrapped", "asgi"),
        ("handler", "native"),
    ]
    for attribute, wanted in asked:
        assert load_application(f"{module}:{attribute}", wanted).interface == wanted, attribute


def test_factory__what_it_makes_is_loaded(module: str) -> None:
    assert load_application(f"{module}:makes", is_factory=True).interface == "asgi"
    assert load_application(f"{module}:makes_wsgi", is_factory=True).interface == "wsgi"


REFUSED: dict[tuple[str, Wanted, bool], str] = {
    ("anything", "auto", False): "may be called as native or asgi: say which by --interface",
    ("whatever", "auto", False): "may be called as wsgi or asgi: say which by --interface",
    ("Old", "auto", False): r"is a class \(Old\); expected an async function",
    ("handler", "asgi", False): r"other arguments \(stream\); with --interface asgi expected: of three",
    ("asgi", "native", False): "with --interface native expected: async, of one argument, the stream",
    ("asgi", "wsgi", False): "with --interface wsgi expected: not async, of two arguments",
    ("makes_nothing", "auto", True): "is a NoneType; expected an async function",
    (
        "fails",
        "auto",
        True,
    ): r"the factory failed: ValueError: two lines \(.*_test\.py, line [0-9]+\)",
    ("makes_later", "auto", True): "the factory is async; expected a plain function",
    ("handler", "auto", True): "with --factory expected: a function without arguments",
    ("number", "auto", True): "is a int; with --factory expected: a function without arguments",
}


@pytest.mark.parametrize("asked", REFUSED)
def test_interface_or_factory__that_does_not_fit(module: str, asked: tuple[str, Wanted, bool]) -> None:
    attribute, wanted, is_factory = asked
    with pytest.raises(ApplicationError, match=REFUSED[asked]) as error:
        load_application(f"{module}:{attribute}", wanted, is_factory=is_factory)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "made_for_a_test:absent",
            "module 'made_for_a_test' has no 'absent'; it has anything, asgi, handler",
        ),
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
    assert load_application("gossamer.shards.web.digest:handler").interface == "native"
