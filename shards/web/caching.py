"""Cache-Control by pattern: how long caches may keep a file. Pure.

Owns how a pattern is read: with a slash in front it is of the whole path, else of the last name in it; `*` is
any characters, `?` one, `[a-z]` one of those. The first that fits counts.
"""

import re
from collections.abc import Mapping, Sequence
from fnmatch import translate
from typing import NamedTuple

from gossamer.core.http.response import field_lines


class CachingRule(NamedTuple):
    """One pattern."""

    pattern: re.Pattern[str]
    is_of_path: bool
    line: str
    """The field as it is sent."""


def caching_rules(table: Mapping[str, str]) -> tuple[CachingRule, ...]:
    """The rules of a table of patterns, in its order."""
    return tuple(
        CachingRule(
            re.compile(translate(pattern)), pattern[0] == "/", field_lines([("Cache-Control", value)])
        )
        for pattern, value in table.items()
    )


def caching_of(name: str, rules: Sequence[CachingRule]) -> str:
    """The line for a file beneath the root; "" where no rule fits."""
    for rule in rules:
        if rule.pattern.match("/" + name if rule.is_of_path else name.rpartition("/")[2]):
            return rule.line
    return ""
