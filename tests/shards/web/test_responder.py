"""What a folder answers by its tables: own error pages, fallback, index files, clean URLs, routes."""

import os
from typing import Any

LARGE = os.urandom(300_000)


def test_error_pages__own_body_with_the_status(bench: Any) -> None:
    bench.write("404.html", b"<h1>lost</h1>")
    bench.write("405.txt", b"no")
    bench.rebuild(error_pages={"404": "404.html", "405": "405.txt", "403": "absent.html"})
    got = bench.get("/absent")
    assert (got.statuses, got.bodies) == ([404], [b"<h1>lost</h1>"])
    assert (got.field("content-type"), got.field("etag")) == ("text/html; charset=utf-8", None)
    assert bench.get("/absent", "If-None-Match: *", "Range: bytes=0-1").bodies == [b"<h1>lost</h1>"]
    head = bench.get("/absent", method="HEAD")
    assert (head.bodies, head.field("content-length")) == ([b""], "13")
    other = bench.get("/plain.txt", method="DELETE")
    assert (other.bodies, other.field("allow"), other.field("content-type")) == (
        [b"no"],
        "GET, HEAD",
        "text/plain; charset=utf-8",
    )
    assert b"403 Forbidden" in bench.get("/list/").bodies[0]
    assert bench.get("/404.html").statuses == [200]


def test_error_pages__of_what_cannot_be_read_too(bench: Any) -> None:
    bench.write("400.html", b"what?")
    bench.rebuild(error_pages={"400": "400.html"})
    bench.get("/")
    assert bench.talk(b"nonsense\r\n\r\n").bodies == [b"what?"]


def test_error_page__changes_and_goes__within_its_time(bench: Any) -> None:
    page = bench.write("404.html", b"one")
    bench.rebuild(error_pages={"404": "404.html"})
    assert bench.get("/absent").bodies == [b"one"]
    bench.write("404.html", b"two", mtime=1_700_000_001)
    bench.clock.advance(1_000_000)
    assert bench.get("/absent").bodies == [b"two"]
    page.unlink()
    bench.clock.advance(1_000_000)
    assert b"404 Not Found" in bench.get("/absent").bodies[0]
    bench.write("404.html", LARGE)
    bench.clock.advance(1_000_000)
    before = len(os.listdir("/proc/self/fd"))
    assert b"404 Not Found" in bench.get("/absent").bodies[0]
    assert len(os.listdir("/proc/self/fd")) == before


def test_fallback__for_names_without_a_dot_alone(bench: Any) -> None:
    bench.rebuild(fallback="index.html")
    for target in ("/user/7", "/deep/er?x=1", "/absent/"):
        got = bench.get(target)
        assert (got.statuses, got.bodies) == ([200], [b"<h1>home</h1>\n"])
    assert bench.get("/app.js").statuses == [404]
    assert bench.get("/plain.txt").bodies == [b"0123456789" * 10]
    assert bench.get("/list/").statuses == [403]
    etag = bench.get("/user/7").field("etag")
    assert bench.get("/user/8", f"If-None-Match: {etag}").statuses == [304]
    bench.rebuild(fallback="absent.html")
    assert bench.get("/user/7").statuses == [404]


def test_index_files__the_first_that_is_there(bench: Any) -> None:
    bench.write("both/index.htm", b"htm")
    bench.write("both/index.html", b"html")
    bench.write("list/index.htm", b"htm")
    bench.rebuild(index_files=["index.html", "index.htm"])
    assert bench.get("/both/").bodies == [b"html"]
    assert bench.get("/list/").bodies == [b"htm"]
    bench.rebuild(index_files=[], autoindex=True)
    assert b"Index of /both/" in bench.get("/both/").bodies[0]


def test_clean_urls__a_page_by_its_name_without_the_ending(bench: Any) -> None:
    bench.write("about.html", b"about")
    bench.write("folder.html", b"page of folder")
    bench.write("large.html", LARGE)
    bench.rebuild(clean_urls=True)
    assert bench.get("/about").bodies == [b"about"]
    assert bench.get("/about").field("content-type") == "text/html; charset=utf-8"
    assert bench.get("/folder").bodies == [b"page of folder"]
    assert bench.get("/folder/").bodies == [b"folder"]
    assert bench.get("/list").field("location") == "/list/"
    assert bench.get("/plain.txt").statuses == [200]
    before = len(os.listdir("/proc/self/fd"))
    for target, location in (
        ("/about.html?a=b", "/about?a=b"),
        ("/about/", "/about"),
        ("/index.html", "/"),
        ("/folder/index.html", "/folder/"),
        ("/large.html", "/large"),
    ):
        got = bench.get(target)
        assert (got.statuses, got.field("location")) == ([301], location)
    assert len(os.listdir("/proc/self/fd")) == before
    assert [bench.get(target).statuses for target in ("/absent", "/absent.html", "/absent/")] == [[404]] * 3


def test_clean_urls__what_a_table_leads_to__served_as_it_is(bench: Any) -> None:
    bench.rebuild(clean_urls=True, fallback="index.html", rewrites={"/app/*": "/index.html"})
    for target in ("/app/x.js", "/absent"):
        got = bench.get(target)
        assert (got.statuses, got.bodies) == ([200], [b"<h1>home</h1>\n"])


def test_clean_urls_off__nothing_of_it(bench: Any) -> None:
    bench.write("about.html", b"about")
    assert bench.get("/about").statuses == [404]
    assert bench.get("/about.html").statuses == [200]


def test_routes__asked_before_any_file(bench: Any) -> None:
    bench.rebuild(redirects={"/plain.txt": "/moved", "/a/*": "307 /b/*"}, rewrites={"/b/*": "/plain.txt"})
    for _ in range(2):  # The second time its fields are known, as on the straight way.
        got = bench.get("/plain.txt")
        assert (got.statuses, got.field("location")) == ([301], "/moved")
    assert bench.get("/a/x").field("location") == "/b/x"
    assert bench.get("/b/x").bodies == [b"0123456789" * 10]
    assert bench.get("/b/.x").statuses == [404]


def test_expires__from_the_answer_on__in_304_too(bench: Any) -> None:
    bench.rebuild(expires={"*.txt": "1h"}, cache_fresh_us=1_000_000)
    got = bench.get("/plain.txt")
    assert got.field("cache-control") == "max-age=3600"
    first = got.field("expires")
    assert first == "Tue, 02 Oct 2096 08:06:40 GMT"
    bench.wall_us += 60_000_000
    bench.clock.advance(1_000_000)
    got = bench.get("/plain.txt", f"If-None-Match: {got.field('etag')}")
    assert (got.statuses, got.field("expires")) == ([304], "Tue, 02 Oct 2096 08:07:40 GMT")
    assert bench.get("/plain.txt", "Range: bytes=0-1").field("expires") == "Tue, 02 Oct 2096 08:07:40 GMT"
    assert bench.get("/index.html").field("expires") is None


def test_symlinks__as_the_policy_says__in_lists_too(bench: Any) -> None:
    (bench.folder / "list" / "in.txt").symlink_to("../plain.txt")
    (bench.folder / "list" / "out.txt").symlink_to("/etc/hostname")
    for policy, statuses in (("inside", [200, 404]), ("none", [404, 404]), ("follow", [200, 200])):
        bench.rebuild(symlinks=policy, autoindex=True)
        assert [bench.get(f"/list/{name}.txt").statuses[0] for name in ("in", "out")] == statuses
        (page,) = bench.get("/list/").bodies
        assert [b'"./%s.txt"' % name in page for name in (b"in", b"out")] == [
            each == 200 for each in statuses
        ]
