"""Compressed answers on both stacks, whole and as ranges."""

import gzip
from pathlib import Path

from .conftest import Place
from .test_site_changes import get

TEXT = b"The same words again and again. " * 1000
TAKES = "Accept-Encoding: gzip;q=1.0, *;q=0.5"


def test_compress__text_comes_back_whole_and_as_a_range(place: Place, site: Path) -> None:
    (site / "page.html").write_bytes(TEXT)
    port = place.start("--workers", "1", "--compress").wait_ready().port()
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


def test_precompressed__small_and_large__as_they_lie_there(place: Place, site: Path) -> None:
    large = gzip.compress(bytes(range(256)) * 4000, 0)
    for name, content in (("a.css", TEXT), ("a.css.gz", b"small"), ("b.css", TEXT), ("b.css.gz", large)):
        (site / name).write_bytes(content)
    port = place.start("--workers", "1", "--precompressed").wait_ready().port()
    for name, content in (("a.css", b"small"), ("b.css", large)):
        response, body = get(place, port, f"/{name}", TAKES)
        assert (response.field("content-encoding"), body) == ("gzip", content)
        assert response.field("content-type") == "text/css; charset=utf-8"
        assert get(place, port, f"/{name}")[1] == TEXT


def test_cache_control_and_own_fields__from_the_file(place: Place, tmp_path: Path) -> None:
    config = tmp_path / "gossamer.toml"
    config.write_text('[web]\nfields = { X-Own = "yes" }\ncache_control = { "*.html" = "no-cache" }\n')
    port = place.start("--workers", "1", "--config", str(config)).wait_ready().port()
    response, body = get(place, port)
    assert (response.field("x-own"), response.field("cache-control"), body) == ("yes", "no-cache", b"hello\n")
    missing, _ = get(place, port, "/absent")
    assert (missing.field("x-own"), missing.field("cache-control")) == ("yes", None)
