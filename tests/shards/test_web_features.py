"""What a configured site answers on both stacks, as processes of an ordinary user serve it."""

from base64 import b64encode
from pathlib import Path

from gossamer.shards.web.passwords import password_line

from .conftest import Place, wait_until
from .test_site_changes import build, get

CONFIG = """
[log]
access_log = true
access_log_file = "{folder}/access.log"
access_log_format = "{{client}} {{user}} {{status}} {{target}} {{stack}}"
[web]
error_pages = {{ 404 = "404.html" }}
redirects = {{ "/old/*" = "302 /new/*" }}
rewrites = {{ "/api/*" = "/index.html" }}
clean_urls = true
cors = ["https://a.example"]
expires = {{ "*.html" = "1h" }}
auth = {{ "/private/" = "{folder}/users" }}
early_hints = {{ "/" = ["</style.css>; rel=preload"] }}
trusted_proxies = ["127.0.0.0/8"]
[web.sites]
"b.example" = "{folder}/other"
"""
ADA = f"Authorization: Basic {b64encode(b'ada:secret').decode()}"


def test_features__of_one_configuration__all_at_once(place: Place, tmp_path: Path) -> None:
    site = tmp_path / "site"
    for folder, content in ((site, b"home\n"), (site / "private", b"mine\n")):
        build(folder, content)
    build(tmp_path / "other", b"other\n")
    (site / "404.html").write_bytes(b"lost\n")
    (site / "about.html").write_bytes(b"about\n")
    (tmp_path / "users").write_text(password_line("ada", "secret", b"salt" * 4))
    (tmp_path / "users").chmod(0o600)
    config = tmp_path / "config.toml"
    config.write_text(CONFIG.format(folder=tmp_path))
    server = place.start("--config", str(config), "--workers", "1", target=str(site)).wait_ready()
    port = server.port()
    answered = [
        (response.status, body, response.field("location"), response.field("access-control-allow-origin"))
        for response, body in (
            get(place, port, "/", "X-Forwarded-For: 192.0.2.1", "Origin: https://a.example"),
            get(place, port, "/about", "Origin: https://b.example"),
            get(place, port, "/old/a"),
            get(place, port, "/api/7"),
            get(place, port, "/absent"),
            get(place, port, "/private/", ADA),
            get(place, port, "http://b.example/"),
        )
    ]
    assert [(status, body) for status, body, _, _ in answered if status != 302] == [
        (200, b"home\n"),
        (200, b"about\n"),
        (200, b"home\n"),
        (404, b"lost\n"),
        (200, b"mine\n"),
        (200, b"other\n"),
    ]
    assert answered[2][2] == "/new/a"
    assert [origin for *_, origin in answered] == ["https://a.example", *[None] * 6]
    response, _ = get(place, port, "/private/", ADA.replace("YWRh", "Ym9i"))
    assert (response.status, response.field("www-authenticate")) == (
        401,
        'Basic realm="/private/", charset="UTF-8"',
    )
    with place.connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n")
        heard = b"".join(iter(lambda: client.recv(65536), b""))
    assert heard.startswith(
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 200 "
    )
    lines = wait_until(
        lambda: len(found := (tmp_path / "access.log").read_text().splitlines()) == 9 and found, "all lines"
    )
    assert lines[0] == f"192.0.2.1 - 200 / {place.stack}"
    assert lines[5] == f"127.0.0.1 ada 200 /private/ {place.stack}"
    assert lines[7] == f"127.0.0.1 - 401 /private/ {place.stack}"
