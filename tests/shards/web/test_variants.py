"""Codings of a file: beside it or made here; each a representation of its own, for who takes it."""

import gc
import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from gossamer.core.errors import BoundExceeded
from gossamer.shards.web.encoders import encoders

TEXT = b"The same words again and again. " * 100
ANY = "Accept-Encoding: br, zstd, gzip"
GZIP = "Accept-Encoding: gzip"


def of(got: Any) -> tuple[int, str | None, str | None]:
    """Status, coding and Vary of the first response."""
    return got.statuses[0], got.field("content-encoding"), got.field("vary")


@pytest.fixture
def compressing(bench: Any) -> Any:
    """A site that compresses."""
    bench.write("page.html", TEXT)
    bench.rebuild(compress=True)
    return bench


@pytest.fixture
def prepared(bench: Any) -> Any:
    """A site with files that were compressed before."""
    for name, content in (("app.js", TEXT), ("app.js.gz", gzip.compress(TEXT)), ("app.js.br", b"brotli")):
        bench.write(name, content)
    bench.rebuild(precompressed=True)
    return bench


def test_off__nothing_is_coded_and_nothing_varies(bench: Any) -> None:
    bench.write("page.html", TEXT)
    bench.write("page.html.gz", b"no")
    assert of(bench.get("/page.html", ANY)) == (200, None, None)


def test_compress__what_the_client_wants_most__and_it_comes_back(compressing: Any) -> None:
    got = compressing.get("/page.html", GZIP)
    assert of(got) == (200, "gzip", "Accept-Encoding")
    assert gzip.decompress(got.bodies[0]) == TEXT
    assert len(got.bodies[0]) == int(got.field("content-length")) < len(TEXT)
    assert of(compressing.get("/page.html", ANY))[1] == next(iter(encoders()))
    assert of(compressing.get("/page.html")) == (200, None, "Accept-Encoding")
    assert compressing.get("/page.html").bodies == [TEXT]


@pytest.mark.parametrize("coding", encoders())
def test_compress__each_coding__decoded_by_its_library(compressing: Any, coding: str) -> None:
    got = compressing.get("/page.html", f"Accept-Encoding: {coding}")
    assert of(got)[1] == coding
    if coding == "gzip":
        assert gzip.decompress(got.bodies[0]) == TEXT
    elif coding == "br":
        assert pytest.importorskip("brotli").decompress(got.bodies[0]) == TEXT
    else:
        decoded = pytest.importorskip("zstandard").ZstdDecompressor().decompress(got.bodies[0])
        assert decoded == TEXT


def test_compress__each_coding_has_its_etag__304_of_its_own(compressing: Any) -> None:
    plain, coded = compressing.get("/page.html"), compressing.get("/page.html", GZIP)
    assert plain.field("etag") != coded.field("etag")
    for fields, mine, other in (([], plain, coded), ([GZIP], coded, plain)):
        same = compressing.get("/page.html", *fields, f"If-None-Match: {mine.field('etag')}")
        assert of(same) == (304, None, "Accept-Encoding")
        assert compressing.get("/page.html", *fields, f"If-None-Match: {other.field('etag')}").statuses == [
            200
        ]


def test_compress__ranges__of_the_coding_and_never_of_another(compressing: Any) -> None:
    plain, coded = compressing.get("/page.html"), compressing.get("/page.html", GZIP)
    part = compressing.get("/page.html", GZIP, "Range: bytes=5-9", f"If-Range: {coded.field('etag')}")
    assert of(part) == (206, "gzip", "Accept-Encoding")
    assert part.bodies == [coded.bodies[0][5:10]]
    assert part.field("content-range") == f"bytes 5-9/{len(coded.bodies[0])}"
    for condition in (plain.field("etag"), plain.field("last-modified")):
        whole = compressing.get("/page.html", GZIP, "Range: bytes=5-9", f"If-Range: {condition}")
        assert (whole.statuses, whole.bodies) == ([200], coded.bodies)
    several = compressing.get("/page.html", GZIP, "Range: bytes=0-0,5-6")
    assert (several.statuses, several.bodies) == ([200], coded.bodies)


def test_compress__once_for_each_state_of_a_file(compressing: Any) -> None:
    made: list[int] = []
    library = compressing.site.responders[0].library
    library.variants.encoders = {"gzip": lambda body: made.append(1) or gzip.compress(body)}
    for _ in range(3):
        compressing.get("/page.html", GZIP)
        compressing.clock.advance(2_000_000)
    assert len(made) == 1
    compressing.write("page.html", TEXT + b"more", mtime=1_700_000_001)
    assert gzip.decompress(compressing.get("/page.html", GZIP).bodies[0]) == TEXT + b"more"
    assert len(made) == 2


def test_compress__nothing_saved__as_it_is_and_not_tried_again(compressing: Any) -> None:
    made: list[int] = []
    compressing.site.responders[0].library.variants.encoders = {"gzip": lambda body: made.append(1) or body}
    for _ in range(2):
        assert of(compressing.get("/page.html", GZIP)) == (200, None, "Accept-Encoding")
        compressing.clock.advance(2_000_000)
    assert len(made) == 1


@pytest.mark.parametrize("busy", ["too many", "the pool is full"])
def test_compress__no_room__as_it_is(compressing: Any, busy: str) -> None:
    variants = compressing.site.responders[0].library.variants

    def full(_body: bytes) -> bytes:
        raise BoundExceeded("the queue of the pool is full")

    if busy == "too many":
        variants.being_made = {"a", "b", "c", "d"}
    else:
        variants.encoders = {"gzip": full}
    assert compressing.get("/page.html", GZIP).bodies == [TEXT]


def test_compress__small_or_compressed_by_itself__as_it_is(compressing: Any) -> None:
    compressing.write("small.txt", b"x" * 1023)
    compressing.write("image.png", b"x" * 5000)
    assert of(compressing.get("/small.txt", GZIP)) == (200, None, "Accept-Encoding")
    assert of(compressing.get("/image.png", GZIP)) == (200, None, None)
    assert of(compressing.get("/big.bin", GZIP)) == (200, None, None)


def test_compress__head__says_what_get_would(compressing: Any) -> None:
    head, got = (compressing.get("/page.html", GZIP, method=method) for method in ("HEAD", "GET"))
    assert (of(head), head.field("content-length")) == (of(got), got.field("content-length"))
    assert head.bodies == [b""]


def test_compress__kept_within_the_bounds_of_the_cache(bench: Any) -> None:
    bench.rebuild(compress=True, cache_bytes_max=10_000)
    for number in range(20):
        bench.write(f"{number}.txt", os.urandom(500) + TEXT)
        assert of(bench.get(f"/{number}.txt", GZIP))[1] == "gzip"
    assert bench.site.statistics()["cache_bytes"] <= 10_000


def test_precompressed__by_weight__with_the_type_of_the_file(prepared: Any) -> None:
    got = prepared.get("/app.js", ANY)
    assert (of(got), got.bodies) == ((200, "br", "Accept-Encoding"), [b"brotli"])
    assert got.field("content-type") == "text/javascript; charset=utf-8"
    assert of(prepared.get("/app.js", "Accept-Encoding: br;q=0.1, gzip"))[1] == "gzip"
    assert of(prepared.get("/app.js", "Accept-Encoding: zstd")) == (200, None, "Accept-Encoding")
    assert prepared.get("/app.js.gz").field("content-type") == "application/gzip"
    assert prepared.get("/app.js.gz").field("content-encoding") is None


def test_precompressed__of_the_index_of_a_folder(prepared: Any) -> None:
    prepared.write("index.html.gz", b"coded")
    assert of(prepared.get("/", GZIP))[1] == "gzip"


def test_precompressed__older_than_the_file__not_used(prepared: Any) -> None:
    prepared.write("app.js", TEXT + b"new", mtime=1_700_000_001)
    assert of(prepared.get("/app.js", ANY)) == (200, None, "Accept-Encoding")


def test_precompressed__large_ones__streamed_and_every_file_closed(prepared: Any) -> None:
    large = os.urandom(300_000)
    for name, content in (
        ("large.css", large * 2),
        ("large.css.gz", large),
        ("old.css", large),
        ("old.css.gz", large),
    ):
        prepared.write(name, content)
    prepared.write("old.css", large, mtime=1_800_000_000)
    gc.collect()  # what a test before has left open is closed now, not meanwhile
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert prepared.get("/large.css", ANY).bodies == [large]
    assert prepared.get("/large.css").bodies == [large * 2]
    assert of(prepared.get("/old.css", ANY))[1] is None
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_precompressed__a_folder_of_that_name__as_it_is(prepared: Any) -> None:
    (prepared.folder / "plain.txt.gz").mkdir()
    assert of(prepared.get("/plain.txt", GZIP)) == (200, None, "Accept-Encoding")


def test_both__what_lies_there_first__else_made(prepared: Any) -> None:
    prepared.write("other.txt", TEXT)
    prepared.rebuild(precompressed=True, compress=True)
    assert prepared.get("/app.js", ANY).bodies == [b"brotli"]
    assert of(prepared.get("/other.txt", GZIP))[1] == "gzip"
