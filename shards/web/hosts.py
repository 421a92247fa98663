"""Several sites in one server: which of them a Host means. Pure.

    "a.example"      that host, on any port
    "*.b.example"    every host beneath b.example, unless a longer name fits

Owns how hosts are compared; any other host, and none, mean the site without a name.

Source: RFC 9110 7.2; RFC 4343 (names without regard to case).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Generic, TypeVar

S = TypeVar("S")

HOST_NAME: Final = (
    r"^(?:\*\.)?(?:[0-9a-z_](?:[0-9a-z_-]{0,62})(?:\.[0-9a-z_][0-9a-z_-]{0,62}){0,20}|\[[0-9a-f:.]+\])\Z"
)
PORT: Final = re.compile(r":[0-9]{0,5}\Z")
ANY: Final = "*"


class Hosts(Generic[S]):
    """Sites by the names of their hosts."""

    def __init__(self, default: S, sites: Mapping[str, S]) -> None:
        self.default = default
        self.sites = dict(sites)

    def find(self, host: str) -> S:
        """The site of a host, as it came in a request."""
        if not self.sites:
            return self.default
        for name in names_of(host):
            site = self.sites.get(name)
            if site is not None:
                return site
        return self.default


@lru_cache(maxsize=256)
def names_of(host: str) -> tuple[str, ...]:
    """The names by which a host may stand in the table, the longest first.

    >>> names_of("WWW.a.Example.:8080")
    ('www.a.example', '*.a.example', '*.example')
    """
    name = PORT.sub("", host).lower().removesuffix(".")
    labels = name.split(".")
    return (name, *(".".join((ANY, *labels[at:])) for at in range(1, len(labels))))
