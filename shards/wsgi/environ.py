"""The environ of a request: what a WSGI application is told of it. Pure.

Owns each key that says something of the request, and what of its fields is not handed on; `wsgi.input` and
its like are put in by whoever runs the application.

Source: PEP 3333, "environ Variables" and "URL Reconstruction"; RFC 3875 4.1.
"""

from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from gossamer.core.http.request import CHUNKED, Request
from gossamer.shards.web.ends import NO_PROXIES, Ends, Proxies, client_of, is_network

Environ = dict[str, Any]

PROTOCOLS: Final = ("HTTP/1.0", "HTTP/1.1")
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
NO_NAME: Final = "localhost"
"""SERVER_NAME of a Unix socket: PEP 3333 lets neither it nor SERVER_PORT be empty."""

OWN_KEYS: Final = frozenset({"content-type", "content-length"})
"""Fields whose keys have no HTTP_ in front."""

NOT_HANDED_ON: Final = frozenset({"proxy"})
"""HTTP_PROXY is taken by many programs for the proxy that they are to use themselves (CVE-2016-5385)."""


@lru_cache(maxsize=1024)
def key_of(name: str) -> str:
    """The key of a field, by its name in lower case; "" where it has none.

    "X-User" and "X_User" would be one key: so that nobody who may send the second passes for the first, names
    with an underscore are not handed on.
    """
    if name in OWN_KEYS or name in NOT_HANDED_ON or "_" in name:
        return ""
    return "HTTP_" + name.upper().replace("-", "_")


def environ_of(request: Request, ends: Ends, script_name: str = "", proxies: Proxies = NO_PROXIES) -> Environ:
    """What there is to say of a request. `script_name` is where the application stands, which whoever passes
    the request on has taken off its target.
    """
    client, scheme = client_of(request, ends, proxies)
    path, _, query = request.target.partition("?")
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": script_name,
        "PATH_INFO": decoded(path),
        "QUERY_STRING": query,
        "REQUEST_URI": script_name + request.target,
        "SERVER_PROTOCOL": "HTTP/2.0" if ends.version else PROTOCOLS[request.minor],
        "wsgi.url_scheme": scheme,
    }
    for name, value in request.table.items():
        key = key_of(name)
        if key:
            environ[key] = value
    if ends.version:
        environ.pop("HTTP_TRANSFER_ENCODING", None)  # Its framing is not that of HTTP/1.1.
    environ["SERVER_NAME"], environ["SERVER_PORT"] = server_of(ends, scheme)
    if client is not None:
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
    content_type = request.field("content-type")
    if content_type is not None:
        environ["CONTENT_TYPE"] = content_type
    if request.body_bytes != CHUNKED and request.field("content-length") is not None:
        environ["CONTENT_LENGTH"] = str(request.body_bytes)
    return environ


def decoded(path: str) -> str:
    """A path with its percent-encoding undone, each octet as a character ("Unicode Issues").

    "OPTIONS *" is about no path: the application is asked at its root.
    """
    if not path.startswith("/"):
        return "/"
    return unquote_to_bytes(path.encode("latin-1")).decode("latin-1") if "%" in path else path


def server_of(ends: Ends, scheme: str) -> tuple[str, str]:
    """SERVER_NAME and SERVER_PORT."""
    if is_network(ends.local):
        return ends.local[0], str(ends.local[1])
    return NO_NAME, str(DEFAULT_PORTS[scheme])
