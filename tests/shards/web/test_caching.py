"""Cache-Control by pattern, and fields of the site's own."""

from typing import Any

import pytest

from gossamer.shards.web.caching import caching_of, caching_rules

RULES = caching_rules(
    {"*.html": "no-cache", "/assets/*": "immutable", "app.????.js": "max-age=9", "*": "private"}
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("index.html", "no-cache"),
        ("assets/page.html", "no-cache"),
        ("assets/a/b.png", "immutable"),
        ("x/assets/b.png", "private"),
        ("deep/app.1a2b.js", "max-age=9"),
        ("deep/app.1a2b3.js", "private"),
        ("a\nb.html", "no-cache"),
    ],
)
def test_caching_of__the_first_that_fits(name: str, value: str) -> None:
    assert caching_of(name, RULES) == f"Cache-Control: {value}\r\n"
    assert caching_of(name, ()) == ""


def test_site__200_206_304_and_codings_have_it__errors_have_not(bench: Any) -> None:
    bench.write("page.html", b"words " * 1000)
    bench.rebuild(cache_control={"*.html": "no-cache"}, compress=True)
    whole = bench.get("/page.html")
    etag = whole.field("etag")
    asked = (
        whole,
        bench.get("/page.html", "Range: bytes=0-0"),
        bench.get("/page.html", f"If-None-Match: {etag}"),
        bench.get("/page.html", "Accept-Encoding: gzip"),
    )
    assert [got.statuses[0] for got in asked] == [200, 206, 304, 200]
    assert {got.field("cache-control") for got in asked} == {"no-cache"}
    assert bench.get("/absent.html").field("cache-control") is None
    assert bench.get("/plain.txt").field("cache-control") is None


def test_site__own_fields__on_every_response_straight_and_hot_too(bench: Any, build: Any) -> None:
    bench.rebuild(fields={"X-Own": "yes", "Content-Security-Policy": "default-src 'self'"})
    one = build("/plain.txt")
    got = bench.talk(one, one, one, build("/absent"), build("/folder"), b"BAD\r\n\r\n")
    assert got.statuses == [200, 200, 200, 404, 301, 400]
    assert {got.field("x-own", at) for at in range(6)} == {"yes"}
    assert {got.field("content-security-policy", at) for at in range(6)} == {"default-src 'self'"}
