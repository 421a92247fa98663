"""How long caches may keep a file: Cache-Control and Expires by pattern, and names with a hash. Pure.

Owns how a pattern is read: with a slash in front it is of the whole path, else of the last name in it; `*` is
any characters, `?` one, `[a-z]` one of those. The first that fits counts.

Source: RFC 9111 5.2, 5.3; RFC 8246 (immutable).
"""

import re
from collections.abc import Mapping
from fnmatch import translate
from typing import Final, Generic, NamedTuple, TypeVar

from gossamer.core.clock import SECOND_US
from gossamer.core.http.response import field_lines
from gossamer.shards.units import parse_duration_us

R = TypeVar("R")

NO_EXPIRES: Final = -1
IMMUTABLE: Final = field_lines([("Cache-Control", "public, max-age=31536000, immutable")])

HASH: Final = re.compile(
    r".*[._-](?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}\.[a-z0-9.]+"
    r"|.*[.-](?=[\w-]{0,7}[0-9])(?=[\w-]{0,7}[a-z])(?=[\w-]{0,7}[A-Z])[A-Za-z0-9_-]{8}"
    r"\.(?:js|mjs|css|map|wasm|woff2?)(?:\.map)?",
    re.ASCII,
)
"""What bundlers call files: app.3f2a9c1b.js, index-DkX3f9aZ.css. At least eight hexadecimal digits, letters
and figures among them, so that no date is one; or exactly eight of base64, both cases and a figure among
them, of code, styles and fonts alone.
"""


class NamePattern(NamedTuple, Generic[R]):
    """One pattern, and what it says."""

    pattern: re.Pattern[str]
    is_of_path: bool
    value: R


class Patterns(Generic[R]):
    """A table of patterns, in its order."""

    def __init__(self, table: Mapping[str, R]) -> None:
        self.patterns: list[NamePattern[R]] = [
            NamePattern(re.compile(translate(pattern)), pattern[0] == "/", value)
            for pattern, value in table.items()
        ]

    def find(self, name: str) -> R | None:
        """What the first says that fits a file beneath the root; None where none does."""
        last = name.rpartition("/")[2]
        for each in self.patterns:
            if each.pattern.match("/" + name if each.is_of_path else last):
                return each.value
        return None


class Caching(NamedTuple):
    """What is said of a file to caches."""

    line: str = ""
    """Of Cache-Control, as it is sent."""
    expires_s: int = NO_EXPIRES
    """How long after its answer a copy expires; NO_EXPIRES where that is not said."""


class CachingRules:
    """The tables of a site."""

    def __init__(
        self, cache_control: Mapping[str, str], expires: Mapping[str, str], *, immutable_hashed: bool
    ) -> None:
        """Raises: ValueError for an Expires that is no duration."""
        self.lines: Patterns[str] = Patterns(
            {pattern: field_lines([("Cache-Control", value)]) for pattern, value in cache_control.items()}
        )
        self.expires: Patterns[int] = Patterns(
            {pattern: expires_of(pattern, text) for pattern, text in expires.items()}
        )
        self.immutable_hashed = immutable_hashed

    def of(self, name: str) -> Caching:
        """What is said of a file beneath the root."""
        line = self.lines.find(name)
        seconds = self.expires.find(name)
        if line is None and self.immutable_hashed and is_hashed(name):
            return Caching(IMMUTABLE)
        if seconds is None:
            return Caching(line or "")
        return Caching(line if line is not None else lifetime_line(seconds), seconds)


def expires_of(pattern: str, text: str) -> int:
    """The seconds of a duration. Raises: ValueError."""
    try:
        seconds = parse_duration_us(text) // SECOND_US
    except ValueError:
        seconds = NO_EXPIRES
    if not 0 <= seconds <= 10 * 31_536_000:
        raise ValueError(f'{pattern!r}: found {text!r}; allowed: a duration such as "12h" or "30d"')
    return seconds


def lifetime_line(seconds: int) -> str:
    """The Cache-Control that says what such an Expires says."""
    return field_lines([("Cache-Control", f"max-age={seconds}" if seconds else "no-cache")])


def is_hashed(name: str) -> bool:
    """Whether the last name of a path has a hash of its content in it."""
    return HASH.fullmatch(name.rpartition("/")[2]) is not None
