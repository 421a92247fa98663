"""Header fields that a user adds to the requests of a run: "Name: value".

Owns what of that is allowed. Which fields frame a message, and so are ours alone, stands here.

Source: RFC 9110 5.1, 5.5; RFC 9112 6.
"""

from collections.abc import Iterable
from typing import Final

from gossamer.core.http.grammar import FIELD_LINE
from gossamer.shards.exitcode import ConfigError

OURS: Final = frozenset({"connection", "content-length", "transfer-encoding", "expect", "upgrade"})
"""They say where a message ends, or what becomes of its connection."""


def parse_fields(lines: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Fields by name and value, in their order. Raises: ConfigError, in one line."""
    return tuple(map(parse_field, lines))


def parse_field(line: str) -> tuple[str, str]:
    """One field. Raises: ConfigError."""
    try:
        match = FIELD_LINE.fullmatch(line.encode("latin-1"))
    except UnicodeEncodeError:
        match = None
    if match is None:
        raise ConfigError(f"--header: found {line!r}; allowed: a field as in 'Accept: text/html'")
    name, value = match[1].decode("ascii"), match[2].decode("latin-1").strip(" \t")
    if name.lower() in OURS:
        raise ConfigError(f"--header: found {name}; allowed: any field but {', '.join(sorted(OURS))}")
    return name, value


def authority_of(fields: Iterable[tuple[str, str]], authority: str) -> str:
    """What Host says: the last field of that name, or the URL's authority."""
    return next((value for name, value in reversed(tuple(fields)) if name.lower() == "host"), authority)
