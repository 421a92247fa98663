"""Header fields as a tuple of (name in lower case, value), and as a table of combined values.

Owns how fields are kept; it knows no request and no response.
Source: RFC 9110 5.3 (order and combination), 7.6.1 (Connection).
"""

from collections.abc import Iterable, Mapping
from typing import Final

Fields = tuple[tuple[str, str], ...]

Combined = Mapping[str, str]
"""Name to value; the values of several lines are joined by ", ", which no single-valued field survives: a
second Content-Length or Host is as bad as a malformed one.
"""

NO_OPTIONS: Final[frozenset[str]] = frozenset()


def strip_fields(raw: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Fields as parsed: names to lower case, optional white space around the values dropped."""
    return tuple(
        [(name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")) for name, value in raw]
    )


def combine(fields: Fields) -> Combined:
    """The combined value of every name (RFC 9110 5.3)."""
    table = dict(fields)
    if len(table) == len(fields):
        return table
    table.clear()
    for name, value in fields:
        table[name] = f"{table[name]}, {value}" if name in table else value
    return table


def list_members(text: str) -> list[str]:
    """The members of a list that are tokens or have no comma within them.

    RFC 9110 5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list elements".
    """
    return [member for part in text.split(",") if (member := part.strip(" \t"))]


def connection_options(table: Combined) -> frozenset[str]:
    """The options of Connection, in lower case."""
    combined = table.get("connection")
    return frozenset([option.lower() for option in list_members(combined)]) if combined else NO_OPTIONS
