"""What a WSGI application answers, judged as PEP 3333 asks: `start_response` and the pieces. Pure.

Owns when `start_response` may be called, what it may say, and when the head goes. How the body is framed is
`core.http.outgoing`'s. What is wrong is a `WsgiError` of one line, raised in the application where it is.

Source: PEP 3333, "The start_response() Callable", "Handling the Content-Length Header".
"""

import re
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType
from typing import Any, Final

from gossamer.core.errors import GossamerError
from gossamer.core.http.outgoing import ChosenFields, OutgoingBody, OutgoingError, Requested, chosen_fields

ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
Write = Callable[[bytes], object]
StartResponse = Callable[..., Write]

STATUS: Final = re.compile(r"(?P<status>[2-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
"""No 1xx: they end no request."""

HOP_BY_HOP: Final = frozenset(
    {"keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"}
)
"""PEP 3333, "Other HTTP Features": the server's own matter. Connection and Transfer-Encoding are judged with
the framing."""


class WsgiError(GossamerError):
    """An application did what PEP 3333 does not allow; one line says what was found and what is allowed."""


class WsgiResponse:
    """One answer, from nothing to its last piece.

    `start` is what an application calls, but for the `write` that it gets; `piece` makes bytes to be sent of
    each of the body's, with the head before the first that is not empty.
    """

    __slots__ = ("_asked", "_body", "_fields", "_own", "is_begun", "status")

    def __init__(self, asked: Requested, own: str) -> None:
        """`own` are the lines of what every answer says that does not say it itself."""
        self._asked = asked
        self._own = own
        self.status: int = 0
        self._fields: ChosenFields | None = None
        self._body: OutgoingBody | None = None
        self.is_begun: bool = False
        """Whether the head has been given."""

    @property
    def keep_alive(self) -> bool:
        """Whether the connection lives on after it, as far as the head has said."""
        return self._body is not None and self._body.keep_alive

    @property
    def wants_body(self) -> bool:
        """Whether pieces are sent at all: HEAD has none, nor have 204 and 304."""
        return self._asked.method != "HEAD" and self.status not in (204, 304)

    @property
    def sent_bytes(self) -> int:
        """How much of the body was given."""
        return 0 if self._body is None or not self.wants_body else self._body.sent_bytes

    def start(self, status: Any, headers: Any, exc_info: Any = None) -> None:
        """`start_response`. Raises: WsgiError; the error of `exc_info`, once the head has gone."""
        try:
            if exc_info:
                if self.is_begun:
                    # "If exc_info is provided, and the HTTP headers have already been sent, start_response
                    # must raise an error, and should re-raise using the exc_info tuple."
                    raise exc_info[1].with_traceback(exc_info[2])
            elif self._fields is not None:
                raise WsgiError("start_response: called again; allowed: once, or with exc_info")
            self.status, self._fields = read_status(status), read_headers(headers)
        finally:
            del exc_info  # "Avoid circular ref."

    def piece(self, data: Any) -> bytes:
        """A piece of the body as it is sent; b"" for an empty one, which does not begin the answer.

        Raises: WsgiError, also for more than Content-Length has said.
        """
        if type(data) is not bytes:
            raise WsgiError(f"the body: found {type(data).__name__}; allowed: bytes")
        return self._framed(data, is_last=False) if data else b""

    def whole(self, data: bytes) -> bytes:
        """The whole answer, of a body that is known at once. Raises: WsgiError."""
        if not self.is_begun:
            # RFC 9110 8.6: to HEAD it is the length that GET would be told, and nobody has said that.
            is_known = bool(data) or self._asked.method != "HEAD"
            head = self._begin(len(data) if is_known else None)
            return head + self._framed(data, is_last=True)
        return self._framed(data, is_last=True)

    def end(self) -> bytes:
        """What stands behind the last piece. Raises: WsgiError for less than Content-Length has said."""
        return self.whole(b"")

    def begin_file(self, available_bytes: int) -> tuple[bytes, int]:
        """The head of an answer whose body is a file's, and how much of that is sent: as much as there is, or
        as Content-Length says. Raises: WsgiError where it says more.
        """
        said = None if self._fields is None else self._fields.length
        count = available_bytes if said is None else said
        if count > available_bytes:
            raise WsgiError(f"the file: found {available_bytes} bytes; allowed: its content-length, {said}")
        head = self._begin(count)
        return head, count if self.wants_body else 0

    def skip(self, count: int) -> None:
        """So much of the body went otherwise."""
        assert self._body is not None
        self._body.around(count, is_last=False)

    def _framed(self, data: bytes, *, is_last: bool) -> bytes:
        head = b"" if self.is_begun else self._begin(None)
        assert self._body is not None
        try:
            return head + self._body.frame(data, is_last=is_last)
        except OutgoingError as error:
            raise WsgiError(str(error)) from None

    def _begin(self, whole_bytes: int | None) -> bytes:
        if self._fields is None:
            raise WsgiError("the body: begun before start_response was called")
        try:
            self._body = OutgoingBody(self._asked, self.status, self._fields, whole_bytes)
        except OutgoingError as error:
            raise WsgiError(str(error)) from None
        self.is_begun = True
        own = own_lines(self._own, has_date=self._fields.has_date, has_server=self._fields.has_server)
        return self._body.head(self.status, self._fields, own, self._asked.minor)


@lru_cache(maxsize=16)
def own_lines(lines: str, *, has_date: bool, has_server: bool) -> bytes:
    """The fields that every answer has, but for those that one says itself."""
    said = ("Date:",) * has_date + ("Server:",) * has_server
    kept = [line for line in lines.splitlines(keepends=True) if not line.startswith(said)]
    return "".join(kept).encode("latin-1")


def read_status(status: Any) -> int:
    """The number of "200 OK"; the phrase is ours to say, since no client may act on it. Raises: WsgiError."""
    match = STATUS.fullmatch(status) if type(status) is str else None
    if match is None:
        raise WsgiError(
            f"start_response: status: found {status!r:.80}; allowed: a str as '200 OK', 200 and more"
        )
    return int(match["status"])


def read_headers(headers: Any) -> ChosenFields:
    """The fields. Raises: WsgiError."""
    if type(headers) is not list:
        raise WsgiError(f"start_response: headers: found {type(headers).__name__}; allowed: a list")
    lines = []
    for pair in headers:
        if type(pair) is not tuple or len(pair) != 2 or not type(pair[0]) is type(pair[1]) is str:
            raise WsgiError(f"start_response: headers: found {pair!r:.80}; allowed: a tuple of two str")
        if pair[0].lower() in HOP_BY_HOP:
            raise WsgiError(f"start_response: headers: found {pair[0]}; allowed: no hop-by-hop field")
        lines.append(f"{pair[0]}: {pair[1]}\r\n")
    try:
        return chosen_fields("".join(lines).encode("latin-1"), len(lines))
    except (OutgoingError, UnicodeEncodeError) as error:
        raise WsgiError(f"start_response: headers: {error}") from None
