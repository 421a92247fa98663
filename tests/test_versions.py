"""The policy of docs/versions.md: nothing public goes before it was deprecated, and that says so."""

import re
import tomllib
from pathlib import Path

import pytest

import gossamer
from gossamer import public
from gossamer.core import native

from .surface import surface

ROOT = Path(__file__).parent.parent
LISTED = ROOT / "tests" / "public_surface.txt"
WAY_OUT = (
    "public as the last release had it, and gone: deprecate it first (docs/versions.md); before the first "
    "release, or for what came after the last: .venv/bin/python -m tests.surface > tests/public_surface.txt"
)


def is_kept(line: str, now: set[str]) -> bool:
    """Whether it is there, perhaps with further parameters at its end."""
    begun = line.removesuffix(")")
    return line in now or any(
        each.startswith(begun if begun.endswith("(") else f"{begun}, ") for each in now if line.endswith(")")
    )


def gone(listed: list[str], now: list[str]) -> list[str]:
    there = set(now)
    by_name: dict[str, set[str]] = {}
    for line in there:
        by_name.setdefault(line.partition("(")[0], set()).add(line)
    return [line for line in listed if not is_kept(line, by_name.get(line.partition("(")[0], set()))]


@pytest.mark.skipif(native.is_native(), reason="native records do not name their parameters")
def test_public__as_the_last_release_had_it__is_there() -> None:
    listed, now = LISTED.read_text().splitlines(), surface()
    assert len(listed) > 1000
    assert gone(listed, now) == [], WAY_OUT


def test_public__name_parameter_option_or_key_goes__is_named() -> None:
    now = ["[server] port", "gossamer.run(main, debug)", "gossamer serve", "gossamer serve --port"]
    assert gone(now, [*now, "gossamer serve --more"]) == []
    assert gone(["gossamer.run(main)", "gossamer.run()"], now) == []
    for line in (
        "[server] host",
        "gossamer.run(other)",
        "gossamer.run(main, debug, more)",
        "gossamer serve --host",
    ):
        assert gone([line], now) == [line]


def test_deprecated__a_name__is_what_stands_in_its_place_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(public.DEPRECATED, "go", ("run", "0.2"))
    for _ in range(2):
        with pytest.warns(
            DeprecationWarning, match=r"^gossamer\.go is deprecated since 0\.2; use gossamer\.run$"
        ) as seen:
            assert gossamer.go is gossamer.run  # type: ignore[attr-defined]
        assert seen[0].filename == __file__
    with pytest.raises(AttributeError, match="no attribute 'come'"):
        gossamer.come  # type: ignore[attr-defined]  # noqa: B018


def test_deprecated__what_is__has_a_successor_and_a_version_that_came() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for name, (instead, since) in public.DEPRECATED.items():
        assert instead in public.__all__, name
        assert name not in public.__all__, name
        assert tuple(map(int, re.findall(r"\d+", since))) <= tuple(map(int, version.split("."))), name
