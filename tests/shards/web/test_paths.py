"""Targets to names: whatever is asked for, the name stays beneath the root."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.web.paths import SitePath, site_path


@pytest.mark.parametrize(
    ("target", "name", "is_folder", "query"),
    [
        ("/", "", True, ""),
        ("/?a", "", True, "?a"),
        ("/a/b.txt", "a/b.txt", False, ""),
        ("/a/b/", "a/b", True, ""),
        ("/a//b/./c", "a/b/c", False, ""),
        ("/a/../b", "b", False, ""),
        ("/a/..", "", True, ""),
        ("/a/b/..", "a", True, ""),
        ("/a/.", "a", True, ""),
        ("/%61%2E%74xt?x=%00", "a.txt", False, "?x=%00"),
        ("/caf%C3%A9", "café", False, ""),
        ("/a..b/...c"[:5], "a..b", False, ""),
    ],
)
def test_names(target: str, name: str, is_folder: bool, query: str) -> None:
    assert site_path(target) == SitePath(name, is_folder, query)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/..", 400),
        ("/a/../..", 400),
        ("/%2e%2e", 400),
        ("/%2E%2E%2F", 404),
        ("/a%00", 400),
        ("/a%2", 400),
        ("/a%gg", 400),
        ("*", 400),
        ("", 400),
        ("/.git/config", 404),
        ("/a/%2egit", 404),
        ("/...", 404),
        ("/a%2Fb", 404),
        ("/a\\b", 404),
        ("/a%5Cb", 404),
    ],
)
def test_refused(target: str, status: int) -> None:
    assert site_path(target) == status


def test_hidden_files__by_option__well_known_always() -> None:
    assert site_path("/.a", hidden_files=True) == SitePath(".a", False, "")
    assert site_path("/.well-known/x") == SitePath(".well-known/x", False, "")
    assert site_path("/..", hidden_files=True) == 400


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (SitePath("a b/é", False, "?q"), "/a%20b/%C3%A9/?q"),
        (SitePath("", True, ""), "/"),
        (SitePath("a\r\nb", False, ""), "/a%0D%0Ab/"),
    ],
)
def test_folder_target__is_quoted(path: SitePath, target: str) -> None:
    assert path.folder_target == target


SEGMENTS = st.lists(
    st.sampled_from(["..", ".", "", "a", "%2e", "%2e.", "%2f", "%5c", "%00", "%c3%a9", ".x", "b c"])
)


@given(SEGMENTS)
def test_any_path__beneath_the_root_or_refused(segments: list[str]) -> None:
    path = site_path("/" + "/".join(segments))
    if isinstance(path, SitePath):
        parts = path.name.split("/") if path.name else []
        assert not set(parts) & {"", ".", ".."}
        assert "\0" not in path.name
        assert not path.folder_target.startswith("//")
    else:
        assert path in (400, 404)


@given(st.binary(max_size=60).map(lambda octets: octets.decode("latin-1")))
def test_any_target__a_name_or_a_status(text: str) -> None:
    assert isinstance(site_path(text), SitePath | int)


@pytest.mark.parametrize("end", ["%20", "/.x", "//", "%", "\xe9"])
def test_any_length__linear(end: str) -> None:
    """Steps that double with each letter never end here."""
    for path in ("/" + "a" * 2000 + end, "/" + "a-b." * 500 + end, "/" + "a/" * 1000 + end):
        site_path(path)
