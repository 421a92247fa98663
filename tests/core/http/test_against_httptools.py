"""Our strict reader beside llhttp, by httptools: of requests that break no rule both find the same."""

from typing import Any

import httptools
import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.reader import RequestReader
from gossamer.core.http.request import Request, RequestParser

TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
PCHARS = "-._~!$&'()*+,;=:@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/?"


class Seen(msgspec.Struct):
    """A request, as either has read it."""

    method: str
    target: str
    minor: int
    keep_alive: bool
    fields: list[tuple[str, str]]
    body: bytes = b""


class Requests:
    """What httptools calls back, for any number of requests."""

    def __init__(self) -> None:
        self.all: list[Seen] = []
        self.parser: Any = httptools.HttpRequestParser(self)
        self.target = b""
        self.fields: list[tuple[str, str]] = []

    def on_message_begin(self) -> None:
        self.target, self.fields = b"", []

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.decode().lower(), value.decode("latin-1").strip(" \t")))

    def on_headers_complete(self) -> None:
        parser = self.parser
        minor = int(parser.get_http_version().removeprefix("1."))
        method, keeps = parser.get_method().decode(), parser.should_keep_alive()
        self.all.append(Seen(method, self.target.decode(), minor, keeps, self.fields))

    def on_body(self, body: bytes) -> None:
        self.all[-1].body += body


def by_httptools(data: bytes) -> list[Seen]:
    seen = Requests()
    seen.parser.feed_data(data)
    return seen.all


def by_ours(pieces: list[bytes]) -> list[Seen]:
    reader = RequestReader(RequestParser())
    found: list[Seen] = []
    is_in_body = False
    for piece in pieces:
        reader.receive(piece)
        while reader.has_input or is_in_body:
            if is_in_body:
                part = reader.next_body()
                assert part is None or isinstance(part, bytes), part
                if part is None:
                    break
                found[-1].body += part
                is_in_body = bool(part)
                continue
            request = reader.next_request()
            if request is None:
                break
            assert isinstance(request, Request), request
            fields = [(name.lower(), value) for name, value in request.fields]
            found.append(Seen(request.method, request.target, request.minor, request.keep_alive, fields))
            is_in_body = request.has_body
    return found


names = st.text(TOKEN, min_size=1, max_size=12).map(lambda name: f"x-{name}")
values = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f") | st.just("\t"), max_size=30
)
spaces = st.sampled_from(["", " ", "\t "])
bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=4)


@st.composite
def requests(draw: st.DrawFn, *, is_last: bool) -> bytes:
    """One that breaks no rule."""
    method = draw(st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]))
    target = "*" if method == "OPTIONS" and draw(st.booleans()) else "/" + draw(st.text(PCHARS, max_size=20))
    minor = draw(st.sampled_from([0, 1])) if is_last else 1
    fields = draw(st.lists(st.tuples(names, values), max_size=5))
    connection = draw(st.sampled_from(["", "close", "keep-alive", "Close"])) if is_last else ""
    lines = [f"{method} {target} HTTP/1.{minor}", "Host: a.example"]
    lines += [f"{name}:{draw(spaces)}{value}" for name, value in fields]
    lines += [f"Connection: {connection}"] if connection else []
    pieces, is_chunked = draw(bodies), minor == 1 and draw(st.booleans())
    if is_chunked:
        lines.append("Transfer-Encoding: chunked")
        body = b"".join(b"%x;n=v\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        body += draw(st.sampled_from([b"0\r\n\r\n", b"000\r\n\r\n"]))
    else:
        body = b"".join(pieces)
        lines += [f"Content-Length: {len(body)}"] if body or draw(st.booleans()) else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


conversations = st.tuples(st.lists(requests(is_last=False), max_size=3), requests(is_last=True))


@given(conversations, st.lists(st.integers(1, 60), max_size=8))
def test_valid_requests__one_behind_the_other__both_find_the_same(
    asked: tuple[list[bytes], bytes], cuts: list[int]
) -> None:
    data = b"".join([*asked[0], asked[1]])
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(data[at : at + cut])
        at += cut
    found = by_ours([piece for piece in [*pieces, data[at:]] if piece])
    assert found == by_httptools(data)
    assert len(found) == len(asked[0]) + 1
