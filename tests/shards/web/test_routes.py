"""Redirects and rewrites: where a path leads, and never anywhere else."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.web.paths import SitePath, quoted_path, site_path
from gossamer.shards.web.routes import Redirect, redirected, redirects_of, rewrites_of, rewritten

REDIRECTS = redirects_of(
    {
        "/blog/first": "/1",
        "/blog/*": "302 /news/*",
        "/old": "/new",
        "/q": "308 /p?a=b",
        "/shop/*": "https://shop.example/*",
        "/x*": "/*",
        "/*.php": "/*",
        "/ünder": "/u",
        "/home": "303 https://home.example",
    }
)
REWRITES = rewrites_of({"/app/*": "/app/index.html", "/v1/*": "/api/*", "/z*": "/*"})


def redirect(target: str) -> Redirect | None:
    path = site_path(target)
    assert isinstance(path, SitePath)
    return redirected(path, REDIRECTS)


@pytest.mark.parametrize(
    ("target", "status", "location"),
    [
        ("/old", 301, "/new"),
        ("/old?a=1", 301, "/new?a=1"),
        ("/q?x", 308, "/p?a=b"),
        ("/blog/first", 301, "/1"),
        ("/blog/a/b?c", 302, "/news/a/b?c"),
        ("/blog/", 302, "/news/"),
        ("/blog/a%20b%0d%0aX:", 302, "/news/a%20b%0D%0AX%3A"),
        ("/b%6cog/a", 302, "/news/a"),
        ("/./blog//a", 302, "/news/a"),
        ("/shop/a", 301, "https://shop.example/a"),
        ("/home", 303, "https://home.example"),
        ("/x/evil.example/", 301, "/evil.example/"),
        ("/x//evil.example/", 301, "/evil.example/"),
        ("/a/b.php", 301, "/a/b"),
        ("/%C3%BCnder", 301, "/u"),
    ],
)
def test_redirected(target: str, status: int, location: str) -> None:
    assert redirect(target) == Redirect(status, location)


@pytest.mark.parametrize("target", ["/", "/old/", "/older", "/blog", "/a/old", "/OLD"])
def test_no_line_fits__stays(target: str) -> None:
    assert redirect(target) is None


@given(st.text(max_size=30))
def test_redirected__whatever_the_star_takes__the_host_of_the_table(text: str) -> None:
    for pattern, host in (("/x", "a.example"), ("/shop/", "shop.example")):
        path = site_path(pattern + quoted_path(text))
        found = redirected(path, REDIRECTS) if isinstance(path, SitePath) else None
        if found is not None:
            assert found.location.isascii()
            assert found.location.isprintable()
            assert urlsplit(urljoin("http://a.example/", found.location)).hostname == host


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/app/any/thing", "app/index.html"),
        ("/v1/a%25b?q", "api/a%b"),
        ("/other", "other"),
        ("/za", "a"),
    ],
)
def test_rewritten(target: str, name: str) -> None:
    path = site_path(target)
    assert isinstance(path, SitePath)
    found = rewritten(path, REWRITES, hidden_files=False)
    assert isinstance(found, SitePath)
    assert found.name == name


@pytest.mark.parametrize(("target", "status"), [("/z.secret", 404), ("/z..", 400)])
def test_rewritten__to_what_nobody_may_ask_for__refused(target: str, status: int) -> None:
    path = site_path(target)
    assert isinstance(path, SitePath)
    assert rewritten(path, REWRITES, hidden_files=False) == status


@pytest.mark.parametrize(
    ("pattern", "target"),
    [
        ("/a", ""),
        ("/a", "b"),
        ("/a", "//evil.example"),
        ("/a", "/\\evil.example"),
        ("/a", "200 /b"),
        ("/a", "301  /b"),
        ("/a", "ftp://a/"),
        ("/a", "javascript:alert(1)"),
        ("/a*", "https://a.example*"),
        ("/a*", "https://*.example/"),
        ("/a", "/b\r\nX: y"),
        ("/a", "/b*"),
        ("/a*", "/b**"),
        ("/a**", "/b"),
        ("a", "/b"),
        ("", "/b"),
    ],
)
def test_redirects_of__impossible__refused(pattern: str, target: str) -> None:
    with pytest.raises(ValueError, match="allowed: a path"):
        redirects_of({pattern: target})


def test_rewrites_of__elsewhere__refused() -> None:
    for target in ("https://a.example/", "302 /a", "a", "//a"):
        with pytest.raises(ValueError, match="allowed: a path"):
            rewrites_of({"/a": target})
