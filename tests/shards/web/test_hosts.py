"""Several sites: by Host, each with its folder; nothing of one under the name of another."""

import re
from typing import Any

import pytest

from gossamer.shards.web.answer import file_facts
from gossamer.shards.web.hosts import HOST_NAME, Hosts
from gossamer.shards.web.variants import facts_among_codings

HOSTS = Hosts(0, {"a.example": 1, "*.example": 2, "*.b.example": 3, "[::1]": 4})


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("a.example", 1),
        ("A.Example.:8080", 1),
        ("x.a.example", 2),
        ("example", 0),
        ("b.example", 2),
        ("x.y.b.example", 3),
        ("[::1]:80", 4),
        ("127.0.0.1", 0),
        ("evil-a.example", 2),
        ("", 0),
        (".", 0),
        ("." * 255, 0),
    ],
)
def test_find__the_longest_name_that_fits(host: str, site: int) -> None:
    assert HOSTS.find(host) == site


def test_names__that_can_stand_in_the_table() -> None:
    good = ["a.example", "*.a.example", "localhost", "xn--bcher-kva.example", "[::1]", "10.0.0.1"]
    bad = ["", "A.example", "a.example:80", "*", "*.*", "a..b", "a/b", "a b", "a.*.b"]
    assert [name for name in good if not re.match(HOST_NAME, name)] == []
    assert [name for name in bad if re.match(HOST_NAME, name)] == []


def ask(bench: Any, host: str, target: str = "/page.txt") -> tuple[int, bytes]:
    got = bench.talk(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode())
    return got.statuses[0], got.bodies[0]


def test_sites__each_host_its_folder__on_every_way(bench: Any) -> None:
    for name in ("one", "two"):
        bench.write(f"{name}/page.txt", name.encode())
        bench.write(f"{name}/404.html", b"lost in " + name.encode())
    folders = {"one.example": bench.folder / "one", "*.two.example": bench.folder / "two"}
    sites = {host: str(folder) for host, folder in folders.items()}
    bench.write("page.txt", b"the target")
    bench.rebuild(sites=sites, error_pages={"404": "404.html"})
    for _ in range(3):  # conversed about, hot, and straight once its second is over
        assert ask(bench, "one.example") == (200, b"one")
        assert ask(bench, "WWW.two.example:80") == (200, b"two")
        assert ask(bench, "other.example") == (200, b"the target")
        bench.clock.advance(600_000)
    assert ask(bench, "one.example", "/absent") == (404, b"lost in one")
    assert ask(bench, "a.two.example", "/absent") == (404, b"lost in two")
    assert ask(bench, "x", "http://one.example/page.txt") == (200, b"one")
    assert ask(bench, "one.example", "/../two/page.txt")[0] == 400
    statistics = bench.site.statistics()
    assert (statistics["cache_entries"], statistics["cache_misses_total"]) == (5, 5)


def test_sites__a_coding_of_one_is_no_file_of_another(bench: Any) -> None:
    bench.write("1", b"text " * 1000)
    bench.write("one/gzip", b"a file of that name")
    sites = {"one.example": str(bench.folder / "one")}
    bench.rebuild(sites=sites, compress=True)
    library = bench.site.responders[0].library
    library.facts_of = lambda _name, status: facts_among_codings(file_facts(status, "text/plain", 0))
    coded = bench.get("/1", "Accept-Encoding: gzip")
    assert coded.field("content-encoding") == "gzip"
    assert ask(bench, "one.example", "/gzip") == (200, b"a file of that name")


def test_sites__one_changes__nothing_old_of_any(bench: Any) -> None:
    bench.write("one/page.txt", b"old")
    bench.rebuild(sites={"one.example": str(bench.folder / "one")})
    assert ask(bench, "one.example") == (200, b"old")
    bench.write("one/page.txt", b"new")
    bench.site.forget()
    assert ask(bench, "one.example") == (200, b"new")
