"""What an application is told of a request."""

from gossamer.core.http.forwarded import networks_of
from gossamer.core.http.request import Request, parse_request
from gossamer.core.tls.facts import TlsFacts
from gossamer.shards.asgi.scope import http_scope, lifespan_scope, socket_scope
from gossamer.shards.web.ends import Ends, Proxies

ENDS = Ends(("198.51.100.7", 40000), ("192.0.2.1", 80))
PROXY = Ends(("10.0.0.1", 40000), ("192.0.2.1", 80))


def request(target: str, *lines: str, method: str = "GET", version: str = "1.1") -> Request:
    head = "\r\n".join([f"{method} {target} HTTP/{version}", "Host: h.example", *lines, "", ""])
    found = parse_request(head.encode("latin-1"))
    assert isinstance(found, Request)
    return found


def test_http__every_key() -> None:
    asked = request("/a%20b/%C3%A4?x=%20&y", "X-Two: 1", "x-two: 2", method="POST")
    scope = http_scope(asked, ENDS, state={"db": 1})
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/a b/ä",
        "raw_path": b"/a%20b/%C3%A4",
        "query_string": b"x=%20&y",
        "root_path": "",
        "headers": [(b"host", b"h.example"), (b"x-two", b"1"), (b"x-two", b"2")],
        "client": ("198.51.100.7", 40000),
        "server": ("192.0.2.1", 80),
        "extensions": {
            "http.response.early_hint": {},
            "http.response.pathsend": {},
            "http.response.trailers": {},
            "http.response.zerocopysend": {},
        },
        "state": {"db": 1},
    }


def test_http__targets_and_versions() -> None:
    cases = {
        "/": ("/", b"/", b""),
        "/?": ("/", b"/", b""),
        "/%2e%2e//x": ("/..//x", b"/%2e%2e//x", b""),
        "/%ff%zz": ("/\ufffd%zz", b"/%ff%zz", b""),
        "/\xe4?\xe4": ("/\ufffd", b"/\xe4", b"\xe4"),
        "http://other.example/p?q": ("/p", b"/p", b"q"),
    }
    found = {}
    for target in cases:
        scope = http_scope(request(target), ENDS)
        found[target] = (scope["path"], scope["raw_path"], scope["query_string"])
    assert found == cases
    assert http_scope(request("*", method="OPTIONS"), ENDS)["path"] == "*"
    assert http_scope(request("/", version="1.0"), ENDS)["http_version"] == "1.0"


def test_http__state__is_each_requests_own_and_absent_without_lifespan() -> None:
    state = {"n": [1]}
    one, other = http_scope(request("/"), ENDS, state=state), http_scope(request("/"), ENDS, state=state)
    one["state"]["new"] = 1
    assert other["state"] == {"n": [1]}
    assert one["state"]["n"] is other["state"]["n"]
    assert "state" not in http_scope(request("/"), ENDS)


def test_http__root_path__stands_before_what_was_asked() -> None:
    scope = http_scope(request("/items?q"), ENDS, root_path="/api/ä")
    assert (scope["root_path"], scope["path"]) == ("/api/ä", "/api/ä/items")
    assert scope["raw_path"] == "/api/ä/items".encode()


def test_http__unix_socket__its_path_and_no_client() -> None:
    scope = http_scope(request("/"), Ends(("", 0), ("/run/app.sock", 0)))
    assert (scope["client"], scope["server"]) == (None, ("/run/app.sock", None))
    assert http_scope(request("/"), Ends(("", 0), ("", 0)))["server"] is None


def test_http__proxies__believed_where_they_are_trusted() -> None:
    trusted = networks_of(["10.0.0.0/8"])
    x_forwarded, forwarded = Proxies(trusted), Proxies(trusted, "forwarded")
    said = ("X-Forwarded-For: 6.6.6.6, 203.0.113.9", "X-Forwarded-Proto: https")
    said_by_rfc = ('Forwarded: for="[2001:db8::1]:99";proto=https',)
    cases = {
        "trusted": (said, PROXY, x_forwarded, (("203.0.113.9", 0), "https")),
        "not trusted": (said, ENDS, x_forwarded, (("198.51.100.7", 40000), "http")),
        "none are": (said, PROXY, Proxies(), (("10.0.0.1", 40000), "http")),
        "says nothing": ((), PROXY, x_forwarded, (("10.0.0.1", 40000), "http")),
        "nonsense": (("X-Forwarded-Proto: gopher",), PROXY, x_forwarded, (("10.0.0.1", 40000), "http")),
        "two": (("X-Forwarded-Proto: https, http",), PROXY, x_forwarded, (("10.0.0.1", 40000), "http")),
        "the other field": (said, PROXY, forwarded, (("10.0.0.1", 40000), "http")),
        "forwarded": (said_by_rfc, PROXY, forwarded, (("2001:db8::1", 0), "https")),
        "no scheme": (("Forwarded: for=203.0.113.9",), PROXY, forwarded, (("203.0.113.9", 0), "http")),
    }
    found = {}
    for name, (lines, ends, proxies, _) in cases.items():
        scope = http_scope(request("/", *lines), ends, proxies=proxies)
        found[name] = (scope["client"], scope["scheme"])
    assert found == {name: case[3] for name, case in cases.items()}


def test_lifespan__its_state_is_handed_on_as_it_is() -> None:
    state: dict[str, object] = {}
    scope = lifespan_scope(state)
    assert scope["type"] == "lifespan"
    assert scope["state"] is state


def test_scope__of_a_connection_through_tls__its_scheme_and_the_extension() -> None:
    facts = TlsFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", 0x1301)
    scope = http_scope(request("/"), Ends(*ENDS_ONLY, "https", facts))
    assert scope["scheme"] == "https"
    assert scope["extensions"]["tls"] == {
        "server_cert": None,
        "client_cert_chain": (),
        "client_cert_name": None,
        "client_cert_error": None,
        "tls_version": 0x0304,
        "cipher_suite": 0x1301,
    }
    subject = ((("organizationName", "A, B"),), (("commonName", " a+b "),))
    shown = TlsFacts("TLSv1.2", "x", 1, peer_certificate={"subject": subject}, peer_certificate_pem="PEM")
    told = http_scope(request("/"), Ends(*ENDS_ONLY, "https", shown))["extensions"]["tls"]
    assert (told["client_cert_chain"], told["client_cert_name"]) == (("PEM",), "CN=\\ a\\+b\\ ,O=A\\, B")
    assert "tls" not in http_scope(request("/"), ENDS)["extensions"]
    told["tls_version"] = None  # It is the application's.
    ends = Ends(*ENDS_ONLY, "https", shown)
    socket = socket_scope(http_scope(request("/"), ends), ())
    assert (socket["scheme"], socket["extensions"]["tls"]["tls_version"]) == ("wss", 0x0303)


ENDS_ONLY = ENDS.peer, ENDS.local
