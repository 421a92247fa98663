"""The sample site: every link in it leads somewhere, and every file has a type."""

import os
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from gossamer.core.http.media_types import DEFAULT_TYPE
from gossamer.shards.web.site import StaticSite

WWW = Path(__file__).parents[3] / "www"


class Links(HTMLParser):
    """Collects where a page leads."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("href", "src") and value]


@pytest.fixture
def sample(bench: Any) -> Any:
    """The bench with the sample site in place of its own."""
    root = os.open(WWW, os.O_RDONLY | os.O_DIRECTORY)
    bench.site = StaticSite(root, clock=bench.clock)
    yield bench
    os.close(root)


def test_every_link__leads_somewhere(sample: Any) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        target = waiting.pop()
        if target in seen:
            continue
        seen.add(target)
        got = sample.get(target)
        assert got.statuses == [200], target
        assert got.field("content-type") != DEFAULT_TYPE, target
        if got.field("content-type").startswith("text/html"):
            waiting += [urljoin(target, link) for link in Links(got.bodies[0].decode()).found]
    assert {"/", "/about/", "/style.css", "/web.svg"} <= seen


def test_absent_page__404_is_generated(sample: Any) -> None:
    assert sample.get("/absent").bodies[0].startswith(b"<!doctype html>")
