"""The straight way: it answers what the conversation would, by the same bytes, and leaves it the rest."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gossamer.shards.web.conversation import Conversation

TARGETS = st.sampled_from(
    [
        "/plain.txt",
        "/beside.txt",
        "/empty.bin",
        "/big.bin",
        "/folder",
        "/folder/",
        "/folder/index.html",
        "/absent",
        "/.secret",
        "/folder/../plain.txt",
        "/plain.txt?query",
        "/pl%61in.txt",
        "/plain.txt/",
    ]
)
FIELDS = st.lists(
    st.sampled_from(
        [
            "Accept: */*",
            "Accept-Encoding: gzip",
            "Accept-Encoding: br;q=0, identity",
            "Range: bytes=0-3",
            "If-None-Match: *",
            "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT",
            "Connection: close",
            "Content-Length: 0",
            "Expect: 100-continue",
        ]
    ),
    max_size=2,
    unique=True,
)
REQUESTS = st.lists(
    st.tuples(
        TARGETS,
        FIELDS,
        st.sampled_from(["GET", "GET", "GET", "HEAD"]),
        st.sampled_from(["1.1", "1.1", "1.1", "1.0"]),
        st.sampled_from([0, 500_000, 1_000_000]),
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The heads that came to a conversation."""
    heads: list[bytes] = []
    run = Conversation.run

    async def counting(self: Conversation, data: bytes) -> bool:
        heads.append(data)
        return await run(self, data)

    monkeypatch.setattr(Conversation, "run", counting)
    return heads


def conversed(bench: Any, counted: list[bytes], target: str, *fields: str) -> int:
    """How many heads are conversed about for a target, once its fields are known by another."""
    bench.get("/folder/index.html", *fields)
    counted.clear()
    assert bench.get(target, *fields).statuses
    return len(counted)


@pytest.mark.parametrize("target", ["/plain.txt", "/empty.bin"])
def test_plain_get__fields_known__straight(bench: Any, counted: list[bytes], target: str) -> None:
    assert conversed(bench, counted, target, "Accept: */*") == 0
    statistics = bench.site.statistics()
    assert (statistics["requests_total"], statistics["cache_misses_total"]) == (2, 2)


@pytest.mark.parametrize(
    ("target", "field"),
    [
        ("/absent", "Accept: */*"),
        ("/big.bin", "Accept: */*"),
        ("/folder", "Accept: */*"),
        ("/plain.txt", "Range: bytes=0-3"),
        ("/plain.txt", "Connection: close"),
        ("/plain.txt?a", "Accept: */*"),
        ("/.secret", "Accept: */*"),
    ],
)
def test_anything_else__conversation(bench: Any, counted: list[bytes], target: str, field: str) -> None:
    assert conversed(bench, counted, target, field) == 1


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
def test_compressed__straight_too(bench: Any, counted: list[bytes], accepted: str) -> None:
    bench.rebuild(compress=True, compress_min_bytes=10)
    field = f"Accept-Encoding: {accepted}"
    assert conversed(bench, counted, "/plain.txt", field) == 0
    got = bench.get("/plain.txt", field)
    assert got.field("content-encoding") == ("gzip" if accepted == "gzip" else None)
    assert got.field("vary") == "Accept-Encoding"


def test_coding_that_is_large__conversation(bench: Any, counted: list[bytes]) -> None:
    bench.write("plain.txt.gz", bytes(300_000))
    bench.rebuild(precompressed=True)
    before = len(os.listdir("/proc/self/fd"))
    assert conversed(bench, counted, "/plain.txt", "Accept-Encoding: gzip") == 1
    assert len(os.listdir("/proc/self/fd")) == before


def test_fields_unknown__conversation(bench: Any, counted: list[bytes]) -> None:
    bench.get("/plain.txt")
    assert len(counted) == 1


def test_long_line_or_head__conversation(bench: Any, counted: list[bytes]) -> None:
    bench.rebuild(request_line_bytes_max=40)
    assert conversed(bench, counted, "/" + "a" * 40) == 1
    assert bench.get("/" + "a" * 40).statuses == [414]


def test_file_changes__compared_with_the_disk_after_its_time(bench: Any) -> None:
    bench.get("/folder/index.html")
    assert bench.get("/plain.txt").bodies == [b"0123456789" * 10]
    bench.write("plain.txt", b"other", mtime=1_700_000_001)
    bench.clock.advance(bench.options.cache_fresh_us)
    assert bench.get("/plain.txt").bodies == [b"other"]


def test_file_shrinks_while_it_is_read__an_answer_of_its_length(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.get("/folder/index.html")
    preadv, cuts = os.preadv, [0]

    def cutting(fd: int, buffers: Any, offset: int, flags: int = 0) -> int:
        if cuts:
            bench.write("plain.txt", b"cut")
            cuts.pop()
        return preadv(fd, buffers, offset, flags)

    monkeypatch.setattr(os, "preadv", cutting)
    assert bench.get("/plain.txt").bodies == [b"cut"]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(REQUESTS, st.sampled_from([{}, {"compress": True, "precompressed": True, "compress_min_bytes": 0}]))
def test_any_requests__the_same_bytes_as_by_conversation(
    bench: Any, build: Any, requests: list[tuple[str, list[str], str, str, int]], options: dict[str, bool]
) -> None:
    bench.write("beside.txt", b"x" * 100)
    bench.write("beside.txt.gz", b"coded")

    def played(*, straight: bool) -> list[Any]:
        found: list[Any] = []
        site = bench.rebuild(access_log=lambda _stream, *note: found.append(note), **options)
        if not straight:
            site.parse.plain_get = lambda _data: None
        for target, fields, method, version, pause_us in requests:
            stream = bench.stream(build(target, *fields, method=method, version=version))
            bench.serve(stream)
            found.append((stream.sent, stream.events))
            bench.clock.advance(pause_us)
        return [*found, site.statistics()]

    assert played(straight=True) == played(straight=False)
