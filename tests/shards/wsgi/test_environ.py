"""What a WSGI application is told of its request."""

import pytest

from gossamer.core.http.forwarded import networks_of
from gossamer.core.http.request import Request, parse_request
from gossamer.shards.web.ends import Ends, Proxies
from gossamer.shards.wsgi.environ import Environ, environ_of

ENDS = Ends(peer=("192.0.2.7", 50000), local=("192.0.2.1", 8080))
UNIX = Ends(peer=("", 0), local=("/run/socket", 0))


def environ(line: str, *fields: str, ends: Ends = ENDS, script_name: str = "", trusted: str = "") -> Environ:
    head = "".join(f"{each}\r\n" for each in (line, *fields, ""))
    request = parse_request(head.encode("latin-1"))
    assert isinstance(request, Request), request
    proxies = Proxies(networks_of([trusted])) if trusted else Proxies()
    return environ_of(request, ends, script_name, proxies)


def test_request__is_told_in_full() -> None:
    fields = ["Host: example.com", "Content-Type: a/b", "Content-Length: 3", "X-One: 1", "X-One: 2"]
    assert environ("POST /a%20b/%C3%A9?q=%20 HTTP/1.1", *fields) == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a b/\xc3\xa9",
        "QUERY_STRING": "q=%20",
        "REQUEST_URI": "/a%20b/%C3%A9?q=%20",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "192.0.2.1",
        "SERVER_PORT": "8080",
        "REMOTE_ADDR": "192.0.2.7",
        "REMOTE_PORT": "50000",
        "CONTENT_TYPE": "a/b",
        "CONTENT_LENGTH": "3",
        "HTTP_HOST": "example.com",
        "HTTP_X_ONE": "1, 2",
        "wsgi.url_scheme": "http",
    }


@pytest.mark.parametrize(
    ("line", "fields", "wanted"),
    [
        ("GET / HTTP/1.0", [], {"SERVER_PROTOCOL": "HTTP/1.0", "HTTP_HOST": None, "CONTENT_LENGTH": None}),
        ("OPTIONS * HTTP/1.1", ["Host: a"], {"PATH_INFO": "/", "REQUEST_URI": "*"}),
        ("GET http://b/c HTTP/1.1", ["Host: a"], {"PATH_INFO": "/c"}),
        ("PUT / HTTP/1.1", ["Host: a", "Transfer-Encoding: chunked"], {"CONTENT_LENGTH": None}),
        ("PUT / HTTP/1.1", ["Host: a", "Content-Length: 007"], {"CONTENT_LENGTH": "7"}),
        # Two names that would be one key; and the name that programs take for their own proxy.
        ("GET / HTTP/1.1", ["Host: a", "X_User: eve", "X-User: ann"], {"HTTP_X_USER": "ann"}),
        ("GET / HTTP/1.1", ["Host: a", "X_User: eve"], {"HTTP_X_USER": None}),
        ("GET / HTTP/1.1", ["Host: a", "Proxy: http://eve"], {"HTTP_PROXY": None}),
    ],
)
def test_keys__of_requests_that_are_unlike_others(
    line: str, fields: list[str], wanted: dict[str, str | None]
) -> None:
    found = environ(line, *fields)
    assert {key: found.get(key) for key in wanted} == wanted


def test_mounted__the_path_in_front_is_the_script_name() -> None:
    found = environ("GET /b?c HTTP/1.1", "Host: a", script_name="/api")
    assert (found["SCRIPT_NAME"], found["PATH_INFO"], found["REQUEST_URI"]) == ("/api", "/b", "/api/b?c")


def test_unix_socket__has_a_name_and_a_port_and_no_client() -> None:
    found = environ("GET / HTTP/1.1", "Host: a", ends=UNIX)
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("localhost", "80")
    assert "REMOTE_ADDR" not in found


def test_proxy__is_believed_where_it_is_trusted() -> None:
    fields = ["Host: a", "X-Forwarded-For: 198.51.100.9", "X-Forwarded-Proto: https"]
    trusted = environ("GET / HTTP/1.1", *fields, trusted="192.0.2.0/24")
    assert (trusted["REMOTE_ADDR"], trusted["wsgi.url_scheme"]) == ("198.51.100.9", "https")
    other = environ("GET / HTTP/1.1", *fields)
    assert (other["REMOTE_ADDR"], other["wsgi.url_scheme"]) == ("192.0.2.7", "http")
