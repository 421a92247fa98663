"""Compressed answers on both stacks, whole and as ranges."""

import gzip
from pathlib import Path

from .conftest import Place
from .test_site_changes import get

TEXT = b"The same words again and again. " * 1000
TAKES = "Accept-Encoding: gzip;q=1.0, *;q=0.5"


def test_coded__compressed_precompressed_and_with_own_fields__whole_and_as_a_range(
    place: Place, site: Path, tmp_path: Path
) -> None:
    large = gzip.compress(bytes(range(256)) * 4000, 0)
    for name, content in (
        *(("page.html", TEXT), ("a.css", TEXT), ("a.css.gz", b"small"), ("b.css", TEXT), ("b.css.gz", large)),
    ):
        (site / name).write_bytes(content)
    config = tmp_path / "gossamer.toml"
    config.write_text('[web]\nfields = { X-Own = "yes" }\ncache_control = { "*.html" = "no-cache" }\n')
    options = ("--compress", "--precompressed", "--config", str(config))
    port = place.start(*options).wait_ready().port()
    text_comes_back_whole_and_as_a_range(place, port)
    for name, content in (("a.css", b"small"), ("b.css", large)):
        a_precompressed_one_is_sent_as_it_lies_there(place, port, name, content)
    cache_control_and_own_fields_are_the_files(place, port)


def text_comes_back_whole_and_as_a_range(place: Place, port: int) -> None:
    plain, body = get(place, port, "/page.html")
    assert (plain.field("content-encoding"), plain.field("vary"), body) == (None, "Accept-Encoding", TEXT)
    coded, body = get(place, port, "/page.html", TAKES)
    assert (coded.field("content-encoding"), coded.field("vary")) == ("gzip", "Accept-Encoding")
    assert gzip.decompress(body) == TEXT
    part, some = get(place, port, "/page.html", TAKES, "Range: bytes=1-5", f"If-Range: {coded.field('etag')}")
    assert (part.status, some) == (206, body[1:6])
    whole, again = get(
        place, port, "/page.html", TAKES, "Range: bytes=1-5", f"If-Range: {plain.field('etag')}"
    )
    assert (whole.status, again) == (200, body)


def a_precompressed_one_is_sent_as_it_lies_there(place: Place, port: int, name: str, content: bytes) -> None:
    response, body = get(place, port, f"/{name}", TAKES)
    assert (response.field("content-encoding"), body) == ("gzip", content)
    assert response.field("content-type") == "text/css; charset=utf-8"
    assert get(place, port, f"/{name}")[1] == TEXT


def cache_control_and_own_fields_are_the_files(place: Place, port: int) -> None:
    response, body = get(place, port)
    assert (response.field("x-own"), response.field("cache-control"), body) == ("yes", "no-cache", b"hello\n")
    missing, _ = get(place, port, "/absent")
    assert (missing.field("x-own"), missing.field("cache-control")) == ("yes", None)
