"""Fields of HTTP/2 and the heads of HTTP/1.1, each as the other: what is about a connection of one of them
alone is left out. Pure.

Source: RFC 9113 8.2.2, 8.2.3, 8.3.1.
"""

from collections.abc import Iterable, Sequence
from typing import Final

OUR_WORDING: Final = frozenset({"host", "cookie", "expect"})
"""Fields that are written otherwise, or not at all: nobody waits for 100 (Continue)."""
OF_THE_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}
)
NO_REQUEST: Final = b"GET / HTTP/1.1\r\n\r\n"
"""What a request with a line end within a field is taken for: RFC 9112 3.2, "A server MUST respond with a 400
(Bad Request) status code to any HTTP/1.1 request message that lacks a Host header field"."""


def octets_of(fields: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """Fields as they are sent, names in lower case, without those that are about a connection of HTTP/1.1
    (RFC 9113 8.2.2)."""
    return [
        (name.lower().encode("ascii"), value.encode("latin-1"))
        for name, value in fields
        if name.lower() not in OF_THE_CONNECTION
    ]


def head_of(fields: Sequence[tuple[str, str]], *, has_ended: bool) -> bytes:
    """The head of a field block, written as that of HTTP/1.1. RFC 9113 8.3.1.

    What the fields are named, and which pseudo-fields there are, the package has judged.
    """
    pseudo = {name: value for name, value in fields if name.startswith(":")}
    method, path = pseudo.get(":method", ""), pseudo.get(":path", "")
    authority = pseudo.get(":authority")
    hosts = {value for name, value in fields if name == "host"} | ({authority} - {None})
    lines = [f"host: {host}" for host in sorted(filter(None, hosts))]  # two that differ are 400
    lines += [f"{name}: {value}" for name, value in fields if name[:1] != ":" and name not in OUR_WORDING]
    cookies = [value for name, value in fields if name == "cookie"]
    if cookies:
        # RFC 9113 8.2.3: crumbs are joined before they reach whoever knows no HTTP/2.
        lines.append(f"cookie: {'; '.join(cookies)}")
    if not has_ended and not any(name == "content-length" for name, _ in fields):
        lines.append("transfer-encoding: chunked")
    target = (authority or "") if method == "CONNECT" else path
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines])
    if head.count("\r") != len(lines) or head.count("\n") != len(lines) or "\0" in head:
        return NO_REQUEST
    return f"{head}\r\n\r\n".encode("latin-1")
