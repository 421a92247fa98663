"""What an answer must be, beside whole: its status, its fields, its body.

    status=200,3xx,400-404    field:etag    field:content-type=text/html    field:server~ng.*
    body=TEXT                 body~REGEX

Owns the grammar of a check and whether an answer passes; `~` searches for a regular expression, `=` compares
all of it. A pure decider.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from gossamer.core.http.client import Response
from gossamer.shards.exitcode import ConfigError

BODY_BYTES_MAX: Final = 1 << 20
"""Of a body, what checks see: the rest is counted and not kept."""
CHECK: Final = re.compile(r"(status|body|field:([!#$%&'*+.^_`|~0-9A-Za-z-]+?))(?:([=~])(.*))?", re.DOTALL)
STATUS_RANGE: Final = re.compile(r"([1-9])xx|([1-9][0-9][0-9])(?:-([1-9][0-9][0-9]))?")
ALLOWED: Final = "status=200,3xx, field:NAME, field:NAME=TEXT, field:NAME~REGEX, body=TEXT, body~REGEX"

Passes = Callable[[Response, bytes], bool]


class Check(msgspec.Struct, frozen=True):
    """One check: as it was written, what it looks at, and the look."""

    text: str
    subject: str
    """status, field or body."""
    passes: Passes


def parse_check(text: str, flag: str = "--check") -> Check:
    """A check as it is written. Raises: ConfigError, in one line."""
    found = CHECK.fullmatch(text)
    if found is None or (found[3] is None and found[2] is None) or (found[1] == "status" and found[3] != "="):
        raise ConfigError(f"{flag}: found {text!r}; allowed: {ALLOWED}")
    subject, name, operator, value = found[1].partition(":")[0], found[2], found[3], found[4]
    if subject == "status":
        return Check(text, subject, status_in(statuses(value, text, flag)))
    if operator is None:
        return Check(text, subject, field_is_there(name.lower()))
    matches = matcher(operator, value, text, flag)
    return Check(text, subject, field_matches(name.lower(), matches) if name else body_matches(matches))


def statuses(value: str, text: str, flag: str) -> frozenset[int]:
    """The statuses of "200,3xx,400-404". Raises: ConfigError."""
    found: set[int] = set()
    for part in value.split(","):
        match = STATUS_RANGE.fullmatch(part.strip())
        if match is None:
            raise ConfigError(f"{flag}: found {text!r}; allowed: statuses as in status=200,3xx,400-404")
        first = int(match[1]) * 100 if match[1] else int(match[2])
        last = first + 99 if match[1] else int(match[3] or first)
        found.update(range(first, last + 1))
    return frozenset(found)


def matcher(operator: str, value: str, text: str, flag: str) -> Callable[[bytes], bool]:
    """Whether octets are, or hold, what was written. Raises: ConfigError for a bad regular expression."""
    if operator == "=":
        wanted = value.encode()
        return lambda octets: octets == wanted
    try:
        search = re.compile(value.encode()).search
    except re.error as error:
        raise ConfigError(f"{flag}: found {text!r}: {error}; allowed: a regular expression") from None
    return lambda octets: search(octets) is not None


def status_in(allowed: frozenset[int]) -> Passes:
    """The status is one of these."""
    return lambda response, _body: response.status in allowed


def field_is_there(name: str) -> Passes:
    """There is such a field."""
    return lambda response, _body: response.field(name) is not None


def field_matches(name: str, matches: Callable[[bytes], bool]) -> Passes:
    """The combined value of a field matches."""
    return lambda response, _body: matches((response.field(name) or "").encode("latin-1"))


def body_matches(matches: Callable[[bytes], bool]) -> Passes:
    """The body matches."""
    return lambda _response, body: matches(body)


def failed_check(checks: tuple[Check, ...], response: Response, body: bytes) -> Check | None:
    """The first that an answer does not pass."""
    return next((check for check in checks if not check.passes(response, body)), None)
