"""Content codings: which of those that there are a client wants most.

Owns RFC 9110 12.5.3, as a pure function; it compresses nothing.
"""

import re
from functools import lru_cache
from typing import Final

from gossamer.core.http.fields import list_members

MEMBERS_MAX: Final = 32
"""More members than that say nothing: the file is sent as it is."""

REMEMBERED_CHARACTERS_MAX: Final = 256

MEMBER: Final = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)
"""A coding and its weight (RFC 9110 12.4.2)."""

ALIASES: Final = {"x-gzip": "gzip"}
"""RFC 9110 8.4.1.3: "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"."""


def wanted_codings(accepted: str | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """`weighed_codings`, remembered: what clients say repeats."""
    if accepted is not None and len(accepted) > REMEMBERED_CHARACTERS_MAX:
        return weighed_codings(accepted, offered)
    return remembered_codings(accepted, offered)


@lru_cache(maxsize=256)
def remembered_codings(accepted: str | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The same of what is short."""
    return weighed_codings(accepted, offered)


def weighed_codings(accepted: str | None, offered: tuple[str, ...]) -> tuple[str, ...]:
    """The offered codings that the client takes, what it wants most first; among equals as they are offered.

    Without the field a client takes any coding, says RFC 9110 12.5.3; but those that say nothing are mostly
    programs that decode nothing, so they get the file as it is. So does who wants that more than a coding.
    """
    weights = weights_of(accepted) if accepted else {}
    rest = weights.get("*", 0.0)
    least = weights.get("identity", 0.0)
    weighed = [(weights.get(coding, rest), coding) for coding in offered]
    taken = [(weight, coding) for weight, coding in weighed if weight > 0 and weight >= least]
    return tuple([coding for _, coding in sorted(taken, key=lambda each: -each[0])])


def weights_of(accepted: str) -> dict[str, float]:
    """The weight of each coding that is named; what is no member of the list says nothing."""
    members = list_members(accepted)
    weights: dict[str, float] = {}
    for member in members if len(members) <= MEMBERS_MAX else ():
        match = MEMBER.fullmatch(member)
        if match is not None:
            name = match[1].lower()
            weights[ALIASES.get(name, name)] = float(match[2] or 1)
    return weights
