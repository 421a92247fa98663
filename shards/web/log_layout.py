"""How a line of the access log looks: a format that is a name, or a text with names in braces. Pure.

    common      {client} - {user} [{time}] "{request}" {status} {bytes}
    combined    the same, and "{referer}" "{user_agent}"
    json        an object with all of the names, a line each

Owns the names and how each is written. Everything that a peer sent is escaped: no peer writes a line of a
log, nor ends a text in it.

Source: the common and combined log formats of the NCSA and Apache servers; RFC 8259.
"""

import json
import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.http.forwarded import Networks, client_address, hops_of

NONE: Final = "-"
SHOWN_BYTES_MAX: Final = 1024
"""Of a request line, and of each field."""

PLAIN: Final = re.compile(rb"[\x20-\x21\x23-\x5b\x5d-\x7e]*")
"""All that is printed as it is: printable ASCII without the quote and the backslash."""

BY_NAME: Final = {
    "common": '{client} - {user} [{time}] "{request}" {status} {bytes}',
    "combined": '{client} - {user} [{time}] "{request}" {status} {bytes} "{referer}" "{user_agent}"',
}
JSON: Final = "json"
REFERENCE: Final = re.compile(r"\{([^{}]*)\}")


class Note(msgspec.Struct, frozen=True, gc=False):
    """What is noted of a response."""

    peer: str
    wall_us: int
    head: bytes
    """Of the request: all of it, or its first line where the format asks for no more."""
    status: int
    body_bytes: int
    duration_us: int
    user: str = ""
    """Who has shown a password; "" for nobody."""


class Where(NamedTuple):
    """What is the same for all lines of a worker."""

    worker: int = 0
    stack: str = "kernel"
    trusted: Networks = ()
    """Proxies whose word is taken for whom they heard."""
    field: str = "x-forwarded-for"
    """Where they say it."""
    scheme: str = "http"
    """Of what the port speaks."""


Value = str | int | bytes | None
"""Octets are what a peer sent; None is what is not known."""
Writer = Callable[[Note, Where], Value]


def client(note: Note, where: Where) -> str:
    """Who asked, as far as trusted proxies say."""
    value = field_of(note.head, where.field) if where.trusted else None
    if value is None:
        return note.peer
    return client_address(note.peer, hops_of(where.field, value.decode("latin-1")), where.trusted)


def request_line(head: bytes) -> bytes:
    """The first line, as far as it is shown."""
    end = head.find(b"\r\n", 0, SHOWN_BYTES_MAX)
    return head[:end] if end >= 0 else head[:SHOWN_BYTES_MAX]


def part_of_line(at: int) -> Writer:
    """Method, target or version."""

    def write(note: Note, _where: Where) -> bytes | None:
        parts = request_line(note.head).split(b" ")
        return parts[at] if len(parts) == 3 else None

    return write


def field_writer(name: str) -> Writer:
    """A field of the request."""
    return lambda note, _where: field_of(note.head, name)


@lru_cache(maxsize=8)
def common_time(second: int) -> str:
    """The time as the common format has it, in UTC."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(second))


def iso_time(wall_us: int) -> str:
    """The time as ISO 8601 has it, in UTC, to the microsecond."""
    second, us = divmod(wall_us, SECOND_US)
    return f"{iso_second(second)}.{us:06}Z"


@lru_cache(maxsize=8)
def iso_second(second: int) -> str:
    """Its part without the fraction."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


VALUES: Final[dict[str, Writer]] = {
    "client": client,
    "peer": lambda note, _where: note.peer,
    "user": lambda note, _where: note.user or None,
    "time": lambda note, _where: common_time(note.wall_us // SECOND_US),
    "iso_time": lambda note, _where: iso_time(note.wall_us),
    "request": lambda note, _where: request_line(note.head),
    "method": part_of_line(0),
    "target": part_of_line(1),
    "version": part_of_line(2),
    "status": lambda note, _where: note.status,
    "bytes": lambda note, _where: note.body_bytes,
    "duration_us": lambda note, _where: note.duration_us,
    "host": field_writer("host"),
    "referer": field_writer("referer"),
    "user_agent": field_writer("user-agent"),
    "worker": lambda _note, where: where.worker,
    "stack": lambda _note, where: where.stack,
    "scheme": lambda _note, where: where.scheme,
}
OF_FIELDS: Final = frozenset({"host", "referer", "user_agent"})
"""Those that are read from the fields of a request."""
OURS: Final = frozenset(
    {"client", "peer", "time", "iso_time", "status", "bytes", "duration_us", "worker", "stack", "scheme"}
)
"""Those that are always known, and hold nothing of what a peer has chosen."""
NOT_IN_JSON: Final = frozenset({"time", "request"})
"""What other names say in parts."""


class Layout(NamedTuple):
    """A format, read."""

    line: Callable[[Note, Where], str]
    asks_for_fields: bool
    """Whether more of a head than its first line is needed, whoever is trusted."""


def layout_of(text: str) -> Layout:
    """The layout that a format means. Raises: ValueError, with what is allowed."""
    if text == JSON:
        return Layout(json_line, asks_for_fields=True)
    template = BY_NAME.get(text, text)
    names = REFERENCE.findall(template)
    unknown = [name for name in names if name not in VALUES]
    if unknown or not names or not template.isprintable():
        found = f"{{{unknown[0]}}}" if unknown else repr(text[:40])
        raise ValueError(
            f"found {found}; allowed: common, combined, json, or a line with any of "
            + " ".join(f"{{{name}}}" for name in VALUES)
        )
    return Layout(template_line(template), not OF_FIELDS.isdisjoint(names))


def template_line(template: str) -> Callable[[Note, Where], str]:
    """A function that fills a template."""
    parts = REFERENCE.split(template)
    form = "%s".join(literal.replace("%", "%%") for literal in parts[::2])
    writers = [VALUES[name] if name in OURS else shown(VALUES[name]) for name in parts[1::2]]
    return lambda note, where: form % tuple([write(note, where) for write in writers])


def shown(write: Writer) -> Writer:
    """The same value, as it stands within a line."""
    return lambda note, where: text_of(write(note, where))


def text_of(value: Value) -> str:
    """A value within a line: of octets printable ASCII as it is, the quote and everything else as \\xNN."""
    if value is None:
        return NONE
    if not isinstance(value, bytes):
        return str(value)
    if PLAIN.fullmatch(value):
        return value.decode("ascii")
    return "".join(chr(byte) if PLAIN.fullmatch(bytes((byte,))) else f"\\x{byte:02x}" for byte in value)


def json_line(note: Note, where: Where) -> str:
    """All of it as one object; what is not known is null, octets that are no UTF-8 are \\xNN."""
    values = {name: write(note, where) for name, write in VALUES.items() if name not in NOT_IN_JSON}
    return json.dumps(values, default=lambda octets: octets.decode("utf-8", "backslashreplace"))


def field_of(head: bytes, name: str) -> bytes | None:
    """The field of that name of a head, its lines joined; None where there is none."""
    found = field_pattern(name).findall(head)
    return b", ".join(found)[:SHOWN_BYTES_MAX] if found else None


@lru_cache(maxsize=16)
def field_pattern(name: str) -> re.Pattern[bytes]:
    """Finds the values of a field."""
    return re.compile(rb"\r\n(?i:" + re.escape(name.encode("ascii")) + rb"):[ \t]*([^\r\n]*)")
