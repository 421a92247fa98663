"""Which mount a request is for, and what is left of its head."""

import pytest

from gossamer.shards.web.mounts import MountTable, path_of

TABLE = MountTable("root", {"/api": "api", "/api/v2": "v2", "/caf\u00e9": "cafe", "/deep/est/place": "deep"})


@pytest.mark.parametrize(
    ("target", "part", "left"),
    [
        ("/", "root", "/"),
        ("/index.html?q", "root", "/index.html?q"),
        ("/api/x?q=/api", "api", "/x?q=/api"),
        ("/api/", "api", "/"),
        ("/api", "api", "/"),
        ("/api?q", "api", "/?q"),
        ("/apix", "root", "/apix"),
        ("/x/api", "root", "/x/api"),
        # The longest that fits.
        ("/api/v2/x", "v2", "/x"),
        ("/api/v2", "v2", "/"),
        ("/api/v20/x", "api", "/v20/x"),
        ("/deep/est/place/x", "deep", "/x"),
        ("/deep/est", "root", "/deep/est"),
        # Whole segments, as they are meant.
        ("/%61pi/x%2Fy", "api", "/x%2Fy"),
        ("/caf%C3%A9/x", "cafe", "/x"),
        ("/api%2Fv2/x", "root", "/api%2Fv2/x"),
        ("//api/x", "root", "//api/x"),
        ("/api//x", "api", "//x"),
        ("/API/x", "root", "/API/x"),
        ("/x/../api/y", "root", "/x/../api/y"),
        # The absolute-form; and what has no path.
        ("http://a/api/x", "api", "http://a/x"),
        ("http://a/api", "api", "http://a/"),
        ("http://a", "root", "http://a"),
        ("*", "root", "*"),
        ("a:1", "root", "a:1"),
    ],
)
def test_request__is_of_the_longest_path_in_front(target: str, part: str, left: str) -> None:
    rest = b" HTTP/1.1\r\nHost: a\r\nReferer: /api/z\r\n\r\n"
    found = TABLE.find(b"GET " + target.encode() + rest)
    assert (found.part, found.head) == (part, b"GET " + left.encode() + rest)
    assert found.is_bare == (part != "root" and target.partition("?")[0].rpartition("/")[2] in ("api", "v2"))


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\r\n",
        b"GET\r\n\r\n",
        b"GET \r\n\r\n",
        b"GET /api\r\n\r\n",
        b"GET /api",
        b"\x16\x03\x01",
        b"A B C",
    ],
)
def test_no_request__is_the_roots_as_it_is(head: bytes) -> None:
    found = TABLE.find(head)
    assert (found.part, found.head) == ("root", head)
    assert path_of(head) == (0, 0)


def test_no_mounts__everything_is_the_roots() -> None:
    table: MountTable[str] = MountTable("root", {})
    assert table.find(b"GET /api HTTP/1.1\r\n\r\n").part == "root"
