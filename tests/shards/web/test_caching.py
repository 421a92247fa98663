"""Cache-Control by pattern, and fields of the site's own."""

from typing import Any

import pytest

from gossamer.shards.web.caching import CachingRules, is_hashed

RULES = CachingRules(
    {"*.html": "no-cache", "/assets/*": "immutable", "app.????.js": "max-age=9", "*.txt": "private"},
    {"*.png": "30d", "*.css": "0s", "*.html": "1h", "*.woff2": "2h"},
    immutable_hashed=True,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("index.html", "no-cache"),
        ("assets/page.html", "no-cache"),
        ("assets/a/b.png", "immutable"),
        ("x/assets/b.txt", "private"),
        ("deep/app.1a2b.js", "max-age=9"),
        ("deep/app.1a2b3.txt", "private"),
        ("a\nb.html", "no-cache"),
    ],
)
def test_cache_control__the_first_that_fits(name: str, value: str) -> None:
    assert RULES.of(name).line == f"Cache-Control: {value}\r\n"
    assert CachingRules({}, {}, immutable_hashed=False).of(name).line == ""


def test_expires__with_max_age_where_nothing_else_is_said() -> None:
    assert RULES.of("a.png") == ("Cache-Control: max-age=2592000\r\n", 2592000)
    assert RULES.of("a.css") == ("Cache-Control: no-cache\r\n", 0)
    assert RULES.of("a.html") == ("Cache-Control: no-cache\r\n", 3600)
    assert RULES.of("a.gif") == ("", -1)


@pytest.mark.parametrize("text", ["soon", "-1s", "never", "11000d", ""])
def test_expires__no_duration__refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"'\*.x': found .*; allowed: a duration such as"):
        CachingRules({}, {"*.x": text}, immutable_hashed=False)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("assets/app.3f2a9c1b.js", True),
        ("main-0123456789abcdef0123456789abcdef.css", True),
        ("chunk_3f2a9c1b.js.map", True),
        ("assets/index-DkX3f9aZ.css", True),
        ("assets/index-D_X3f9-Z.js", True),
        ("assets/logo-DkX3f9aZ.svg", False),
        ("report-20240131.pdf", False),
        ("photo-deadbeef.jpg", False),
        ("photo-Summer24.jpg", False),
        ("app.js", False),
        ("3f2a9c1b.d/app.js", False),
        ("jquery-3.7.1.min.js", False),
    ],
)
def test_is_hashed(name: str, is_one: bool) -> None:
    assert is_hashed(name) is is_one
    line = CachingRules({}, {}, immutable_hashed=True).of(name).line
    assert line == ("Cache-Control: public, max-age=31536000, immutable\r\n" if is_one else "")


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
