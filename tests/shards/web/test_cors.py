"""CORS: who may read what is served, and what a preflight is answered."""

from typing import Any

import pytest

from gossamer.shards.web.cors import Cors

ORIGIN = "Origin: https://a.example"
ALLOW = "access-control-allow-origin"


def test_any_origin__on_every_answer__and_nothing_varies(bench: Any) -> None:
    bench.rebuild(cors=["*"])
    for target in ("/plain.txt", "/absent", "/folder"):
        got = bench.get(target, ORIGIN)
        assert (got.field(ALLOW), got.field("vary")) == ("*", None)
    assert (
        bench.get("/plain.txt").field("access-control-expose-headers")
        == "Content-Length, Content-Range, ETag"
    )
    assert bench.get("/plain.txt", ORIGIN, "Range: bytes=0-1").field(ALLOW) == "*"


def test_listed_origins__named_back__and_all_answers_vary(bench: Any) -> None:
    bench.rebuild(cors=["https://a.example", "http://localhost:5173"])
    for fields, allowed in (
        ([ORIGIN], "https://a.example"),
        (["Origin: http://localhost:5173"], "http://localhost:5173"),
        (["Origin: https://a.example.evil.example"], None),
        (["Origin: null"], None),
        ([], None),
    ):
        got = bench.get("/plain.txt", *fields)
        assert (got.field(ALLOW), got.field("vary")) == (allowed, "Origin")


def test_preflight__answered__without_a_body(bench: Any) -> None:
    bench.rebuild(cors=["https://a.example"])
    ask = ("Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-a, range, b@d")
    got = bench.get("/any", ORIGIN, *ask, method="OPTIONS")
    assert (got.statuses, got.bodies) == ([204], [b""])
    assert got.field(ALLOW) == "https://a.example"
    assert got.field("access-control-allow-methods") == "GET, HEAD, OPTIONS"
    assert got.field("access-control-allow-headers") == "x-a, range"
    assert got.field("access-control-max-age") == "86400"
    assert bench.get("/any", "Origin: https://b.example", *ask, method="OPTIONS").field(ALLOW) is None
    assert bench.get("/any", ORIGIN, method="OPTIONS").statuses == [405]


def test_off__options_is_refused_and_nothing_is_said(bench: Any) -> None:
    got = bench.get("/plain.txt", ORIGIN, "Access-Control-Request-Method: GET", method="OPTIONS")
    assert (got.statuses, got.field(ALLOW)) == ([405], None)


@pytest.mark.parametrize(
    "origin", ["a.example", "https://a.example/", "https://a.example/x", "", "https://*"]
)
def test_no_origin__refused(origin: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Cors([origin])
