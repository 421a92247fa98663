"""Header fields as a tuple of (name in lower case, value), and the few questions asked of it.

Owns how fields are kept; it knows no request and no response.
Source: RFC 9110 5.3 (order and combination), 7.6.1 (Connection).
"""

from collections.abc import Iterable
from typing import Final

Fields = tuple[tuple[str, str], ...]

NO_OPTIONS: Final[frozenset[str]] = frozenset()


def strip_fields(raw: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Fields as parsed: names to lower case, optional white space around the values dropped."""
    return tuple((name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")) for name, value in raw)


def field_values(fields: Fields, name: str) -> list[str]:
    """The value of every field line of that name, in order."""
    return [value for key, value in fields if key == name]


def field(fields: Fields, name: str) -> str | None:
    """The combined value of a list-based field; None when it is absent."""
    values = field_values(fields, name)
    return ", ".join(values) if values else None


def connection_options(fields: Fields) -> frozenset[str]:
    """The options of Connection, in lower case."""
    return frozenset(
        option.strip(" \t").lower()
        for value in field_values(fields, "connection")
        for option in value.split(",")
    )
