"""Which other origins may read what is served: the fields of CORS, and the answer to a preflight. Pure.

Owns who is allowed what: any origin, or those that are listed; GET and HEAD, with whatever fields, never with
credentials.

Source: the Fetch standard, "CORS protocol"; RFC 6454 (origins).
"""

import re
from collections.abc import Sequence
from typing import Final

from gossamer.core.http.fields import list_members
from gossamer.core.http.grammar import ONE_TOKEN
from gossamer.core.http.request import Request
from gossamer.core.http.response import field_lines

ANY: Final = "*"
ORIGIN: Final = re.compile(r"\*|null|[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")
VARY_ORIGIN: Final = field_lines([("Vary", "Origin")])
EXPOSED: Final = ("Access-Control-Expose-Headers", "Content-Length, Content-Range, ETag")
PREFLIGHT_SECONDS: Final = 86_400
FIELDS_MAX: Final = 32
"""Names of fields that a preflight may ask for."""


class Cors:
    """The origins that are allowed."""

    def __init__(self, origins: Sequence[str]) -> None:
        """Raises: ValueError."""
        for origin in origins:
            if ORIGIN.fullmatch(origin) is None:
                raise ValueError(f'found {origin!r}; allowed: "*", or origins such as "https://a.example"')
        self.origins = frozenset(origins)
        self.is_open = ANY in self.origins
        self.open_lines = field_lines([("Access-Control-Allow-Origin", ANY), EXPOSED])

    def lines(self, origin: str | None) -> str:
        """The fields of a response to a request from that origin."""
        if self.is_open:
            return self.open_lines
        if origin not in self.origins or origin is None:
            return VARY_ORIGIN
        return VARY_ORIGIN + field_lines([("Access-Control-Allow-Origin", origin), EXPOSED])


def is_preflight(request: Request) -> bool:
    """Whether a browser asks what it may ask."""
    return (
        request.method == "OPTIONS"
        and request.field("origin") is not None
        and request.field("access-control-request-method") is not None
    )


def preflight_lines(request: Request, methods: Sequence[str]) -> str:
    """What may be asked: it is allowed to name any fields, since none of them changes anything here."""
    wanted = list_members(request.field("access-control-request-headers") or "")
    named = [name for name in wanted[:FIELDS_MAX] if ONE_TOKEN.fullmatch(name)]
    fields = [
        ("Access-Control-Allow-Methods", ", ".join(methods)),
        ("Access-Control-Max-Age", str(PREFLIGHT_SECONDS)),
        *([("Access-Control-Allow-Headers", ", ".join(named))] if named else []),
    ]
    return field_lines(fields)
