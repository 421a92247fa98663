"""What a configured site answers on both stacks, as processes of an ordinary user serve it: each key once."""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from gossamer.core.http.client import Response
from gossamer.shards.web.passwords import password_line

from ..parts import ask_each
from .conftest import Place, Server, wait_until
from .test_site_changes import build, get

Ask = Callable[..., tuple[Response, bytes]]

CONFIG = """
[log]
access_log = true
access_log_file = "fd:3"
access_log_format = "{{client}} {{user}} {{status}} {{target}} {{stack}}"
[web]
autoindex = true
index_files = ["index.html", "index.htm"]
error_pages = {{ 404 = "404.html" }}
redirects = {{ "/old/*" = "302 /new/*" }}
rewrites = {{ "/api/*" = "/index.html" }}
clean_urls = true
media_types = {{ ".own" = "text/x-own" }}
fields = {{ Strict-Transport-Security = "max-age=31536000", Content-Security-Policy = "default-src 'self'" }}
cache_control = {{ "*.txt" = "no-cache" }}
expires = {{ "*.html" = "1h" }}
immutable_hashed = true
cors = ["https://a.example"]
auth = {{ "/private/" = "{folder}/users" }}
early_hints = {{ "/" = ["</style.css>; rel=preload"] }}
trusted_proxies = ["127.0.0.0/8"]
[web.sites]
"b.example" = "{folder}/other"
"""
RELOADED = """
[log]
access_log = true
access_log_file = "fd:3"
access_log_format = "combined"
[web]
fallback = "index.html"
symlinks = "{symlinks}"
trusted_proxies = ["{trusted}"]
client_field = "Forwarded"
"""
OWN_FIELDS = {
    "strict-transport-security": "max-age=31536000",
    "content-security-policy": "default-src 'self'",
}
IMMUTABLE = "public, max-age=31536000, immutable"
TYPES = {
    "a.own": "text/x-own",
    "a.docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "a.m3u8": "application/vnd.apple.mpegurl",
    "a.woff2": "font/woff2",
}


def basic(password: str) -> str:
    return f"Authorization: Basic {b64encode(b'ada:' + password.encode()).decode()}"


def make_site(folder: Path) -> Path:
    site = folder / "site"
    for each, content in ((site, b"home\n"), (site / "private", b"mine\n"), (folder / "other", b"other\n")):
        build(each, content)
    for name in ("second", "list"):
        (site / name).mkdir()
    (folder / "outside.txt").write_bytes(b"outside\n")
    for name, content in (
        *(("404.html", b"lost\n"), ("about.html", b"about\n"), ("plain.txt", b"plain\n")),
        *(("second/index.htm", b"htm\n"), ("app.3f2a9c1b.js", b"js\n"), *((name, b"") for name in TYPES)),
        *(("list/small", b"1"), ("list/large", b"1" * 100), ("list/middle", b"1" * 10)),
    ):
        (site / name).write_bytes(content)
    (site / "in.txt").symlink_to("plain.txt")
    (site / "out.txt").symlink_to("../outside.txt")
    (folder / "users").write_text(password_line("ada", "secret", b"salt" * 4))
    (folder / "users").chmod(0o600)
    return site


def test_features__each_answers_as_its_key_says__and_after_a_reload_as_it_says_then(
    place: Place, folder: Path
) -> None:
    site, config, log = make_site(folder), folder / "config.toml", folder / "access.log"
    config.write_text(CONFIG.format(folder=folder))
    with_log = ("sh", "-c", f'exec "$@" 3>>{log}', "sh")
    server = place.start("--config", str(config), target=str(site), prefix=with_log).wait_ready()
    ask = partial(get, place, server.port())
    ask_each((part.__name__, partial(part, ask)) for part in PARTS)
    hints_come_before_the_page(place, server.port())
    wait_until(lambda: f"192.0.2.1 - 200 / {place.stack}\n" in log.read_text(), "whom the proxy names")
    for line in ("127.0.0.1 ada 200 /private/", "127.0.0.1 - 401 /private/"):
        assert f"{line} {place.stack}\n" in log.read_text()
    for symlinks, trusted, statuses in (("none", "127.0.0.1", [404, 404]), ("follow", "::1", [200, 200])):
        config.write_text(RELOADED.format(symlinks=symlinks, trusted=trusted))
        reloaded_answers_as_it_says_then(server, ask, statuses)
    wait_until(lambda: log.read_text().count(" /user/7 ") == 2, "two lines of the combined format")
    clients = [line.split()[0] for line in log.read_text().splitlines() if " /user/7 " in line]
    assert clients == ["192.0.2.9", "127.0.0.1"], "believed is who is listed"
    assert log.read_text().count('" 200 5 "http://b.example/" "Mine/1"\n') == 2


def reloaded_answers_as_it_says_then(server: Server, ask: Ask, statuses: list[int]) -> None:
    (old,) = server.worker_pids()
    assert server.command("reload").returncode == 0
    wait_until(lambda: not psutil.pid_exists(old), "whoever knew the old configuration has ended")
    assert [ask(f"/{name}.txt")[0].status for name in ("in", "out")] == statuses
    by = ("Forwarded: for=192.0.2.9", "Referer: http://b.example/", "User-Agent: Mine/1")
    response, body = ask("/user/7", *by)
    assert (response.status, body) == (200, b"home\n")
    assert ask("/absent.js")[0].status == 404


def errors_have_a_page_of_the_site(ask: Ask) -> None:
    response, body = ask("/absent")
    assert (response.status, body) == (404, b"lost\n")


def folder_is_answered_by_the_first_index_file(ask: Ask) -> None:
    assert [ask(target)[1] for target in ("/", "/second/")] == [b"home\n", b"htm\n"]


def folder_without_one_is_a_list_as_it_is_asked_for(ask: Ask) -> None:
    response, body = ask("/list/?sort=size&order=desc")
    names = [b'"./large"', b'"./middle"', b'"./small"']
    assert response.status == 200
    assert sorted(names, key=body.index) == names


def clean_urls_are_served_and_the_others_lead_to_them(ask: Ask) -> None:
    assert ask("/about")[1] == b"about\n"
    assert ask("/about.html")[0].field("location") == "/about"


def table_redirects_and_rewrites(ask: Ask) -> None:
    response, _ = ask("/old/a")
    assert (response.status, response.field("location")) == (302, "/new/a")
    assert ask("/api/7")[1] == b"home\n"


def fields_of_the_site_stand_in_errors_too(ask: Ask) -> None:
    for target in ("/", "/absent"):
        response, _ = ask(target)
        assert {name: response.field(name) for name in OWN_FIELDS} == OWN_FIELDS


def caching_is_by_pattern_and_by_hash(ask: Ask) -> None:
    found = {target: ask(target)[0] for target in ("/plain.txt", "/", "/app.3f2a9c1b.js", "/a.woff2")}
    said = [response.field("cache-control") for response in found.values()]
    assert said == ["no-cache", "max-age=3600", IMMUTABLE, None]
    assert [target for target, response in found.items() if response.field("expires")] == ["/"]


def media_types_are_the_own_and_those_of_today(ask: Ask) -> None:
    assert {name: ask(f"/{name}")[0].field("content-type") for name in TYPES} == TYPES


def origins_that_are_listed_may_read_and_are_told_before(ask: Ask) -> None:
    allow = "access-control-allow-origin"
    for origin, allowed in (("https://a.example", "https://a.example"), ("https://b.example", None)):
        response, _ = ask("/", f"Origin: {origin}")
        assert (response.status, response.field(allow)) == (200, allowed)
        asked = (f"Origin: {origin}", "Access-Control-Request-Method: GET")
        response, body = ask("/plain.txt", *asked, method="OPTIONS")
        assert (response.status, response.field(allow), body) == (204, allowed, b"")


def links_are_followed_inside_the_folder(ask: Ask) -> None:
    assert ask("/in.txt")[1] == b"plain\n"
    assert ask("/out.txt")[0].status == 404


def host_says_which_site(ask: Ask) -> None:
    assert ask("http://b.example/")[1] == b"other\n"


def password_opens_its_folder_alone(ask: Ask) -> None:
    assert ask("/private/", basic("secret"))[1] == b"mine\n"
    for fields in ((), (basic("wrong"),)):
        response, _ = ask("/private/", *fields)
        said = response.field("www-authenticate")
        assert (response.status, said) == (401, 'Basic realm="/private/", charset="UTF-8"')


def proxy_names_a_client(ask: Ask) -> None:
    assert ask("/", "X-Forwarded-For: 192.0.2.1")[0].status == 200


PARTS = (
    *(errors_have_a_page_of_the_site, folder_is_answered_by_the_first_index_file),
    *(folder_without_one_is_a_list_as_it_is_asked_for, clean_urls_are_served_and_the_others_lead_to_them),
    *(table_redirects_and_rewrites, fields_of_the_site_stand_in_errors_too),
    *(caching_is_by_pattern_and_by_hash, media_types_are_the_own_and_those_of_today),
    *(origins_that_are_listed_may_read_and_are_told_before, links_are_followed_inside_the_folder),
    *(host_says_which_site, password_opens_its_folder_alone, proxy_names_a_client),
)


def hints_come_before_the_page(place: Place, port: int) -> None:
    with place.connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n")
        heard = b"".join(iter(lambda: client.recv(65536), b""))
    assert heard.startswith(
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 "
    )
