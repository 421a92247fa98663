"""Response heads: status lines and fields, as bytes.

Owns the reason phrases and the order of fields; it knows no file and no clock (a date comes as text).
Source: RFC 9110 15, RFC 9112 4.
"""

from collections.abc import Sequence
from typing import Final

REASONS: Final = {
    100: "Continue",
    101: "Switching Protocols",
    103: "Early Hints",
    200: "OK",
    201: "Created",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    411: "Length Required",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    417: "Expectation Failed",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}

STATUS_LINES: Final = {status: f"HTTP/1.1 {status} {reason}\r\n" for status, reason in REASONS.items()}

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

CLOSE: Final = ("Connection", "close")
KEEP_ALIVE: Final = ("Connection", "keep-alive")
"""Said to HTTP/1.0 clients that asked for it; HTTP/1.1 keeps alive by itself."""


def response_head(status: int, fields: Sequence[tuple[str, str]]) -> bytes:
    """The head, its empty line included. A field value with a control character is our own bug: assertion."""
    return head_of_lines(status, field_lines(fields))


def field_lines(fields: Sequence[tuple[str, str]]) -> str:
    """Fields as they are sent, each with its CRLF. A field value that would be a line of its own is our own
    bug: assertion.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in fields])
    assert lines.count("\r") == lines.count("\n") == len(fields), "a field value that splits the response"
    return lines


def head_of_lines(status: int, lines: str) -> bytes:
    """The head of what `field_lines` made, its empty line included."""
    return f"{STATUS_LINES[status]}{lines}\r\n".encode("latin-1")


def closing_answer(status: int, text: str, fields: Sequence[tuple[str, str]] = ()) -> bytes:
    """A whole answer of one line of text, after which the connection closes."""
    body = f"{text}\n".encode()
    own = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), CLOSE]
    return response_head(status, [*own, *fields]) + body
