"""Redirects and rewrites by a table: which path leads where. Pure.

    "/old" = "/new"                    301 Moved Permanently
    "/blog/*" = "302 /news/*"          the star is the rest of the path, and stands for it in the target
    "/shop/*" = "https://shop.example/*"

Owns how a table is read and applied. A path is compared as it is decoded and normalised, so no way of writing
it gets past; what a star took is quoted again. A redirect keeps the query unless its target has one. An exact
path counts before those with a star, and these in the order of the table.

Source: RFC 9110 15.4.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from gossamer.shards.web.paths import SitePath, quoted_path, quoted_query, site_path

PERMANENT: Final = 301
STATUSES: Final = ("301", "302", "303", "307", "308")
PATTERN: Final = re.compile(r"/[^*\x00-\x1f\x7f]*\*?[^*\x00-\x1f\x7f]*")
PATH: Final = re.compile(r"/(?![/\\])[!-)+-~]*\*?[!-)+-~]*|/\*?")
"""What a target may be: a path with a star at most, which is no other host's."""
URL: Final = re.compile(r"https?://[0-9A-Za-z.:\[\]_-]+(?:/[!-)+-~]*\*?[!-)+-~]*)?")
"""Or a URL; a star within its host were whoever asks for it."""


class Redirect(NamedTuple):
    """An answer that sends the client elsewhere."""

    status: int
    location: str


class PathRoute(NamedTuple):
    """One line of a table."""

    before: str
    """What stands before the star, or all of it."""
    behind: str | None
    """What stands behind it; None where there is no star."""
    target: str
    status: int = PERMANENT


class Routes:
    """A table, read: exact paths, and patterns with a star."""

    def __init__(self, routes: list[PathRoute]) -> None:
        self.exact = {route.before: route for route in routes if route.behind is None}
        self.starred = [route for route in routes if route.behind is not None]

    def match(self, path: str) -> tuple[PathRoute, str] | None:
        """The route of a path, and what its star took."""
        exact = self.exact.get(path)
        if exact is not None:
            return exact, ""
        for route in self.starred:
            before, behind = route.before, route.behind or ""
            if len(path) >= len(before) + len(behind) and path.startswith(before) and path.endswith(behind):
                return route, path[len(before) : len(path) - len(behind)]
        return None


def redirects_of(table: Mapping[str, str]) -> Routes:
    """The redirects of a table. Raises: ValueError."""
    return Routes([redirect_of(pattern, text) for pattern, text in table.items()])


def redirect_of(pattern: str, text: str) -> PathRoute:
    """One redirect. Raises: ValueError."""
    status, _, target = text.rpartition(" ")
    if status not in ("", *STATUSES) or not (PATH.fullmatch(target) or URL.fullmatch(target)):
        raise ValueError(
            f"{pattern!r}: found {text!r}; allowed: a path or an http(s) URL with at most one star, behind "
            f'the host, perhaps after {", ".join(STATUSES)}, as in "302 /news/*"'
        )
    return route_of(pattern, target, int(status or PERMANENT))


def rewrites_of(table: Mapping[str, str]) -> Routes:
    """The rewrites of a table. Raises: ValueError."""
    for pattern, target in table.items():
        if PATH.fullmatch(target) is None:
            raise ValueError(f'{pattern!r}: found {target!r}; allowed: a path, as in "/app/index.html"')
    return Routes([route_of(pattern, target, PERMANENT) for pattern, target in table.items()])


def route_of(pattern: str, target: str, status: int) -> PathRoute:
    """A route, if pattern and target go together. Raises: ValueError."""
    if PATTERN.fullmatch(pattern) is None or ("*" in target and "*" not in pattern):
        raise ValueError(
            f"found {pattern!r}; allowed: a path with a star at most, and one if its target has one"
        )
    before, star, behind = pattern.partition("*")
    return PathRoute(before, behind if star else None, target, status)


def path_text(path: SitePath) -> str:
    """The path as it is compared: with the slash of a folder."""
    return f"/{path.name}/" if path.is_folder and path.name else "/" + path.name


def redirected(path: SitePath, routes: Routes) -> Redirect | None:
    """Where a path is sent; None where it stays. Never to another host but one that the table names."""
    found = routes.match(path_text(path))
    if found is None:
        return None
    route, taken = found
    location = filled(route.target, quoted_path(taken))
    query = "" if "?" in location else quoted_query(path.query)
    return Redirect(route.status, location + query)


def rewritten(path: SitePath, routes: Routes, hidden_files: bool) -> SitePath | int:
    """The path that is looked up instead, or the status that refuses it."""
    found = routes.match(path_text(path))
    if found is None:
        return path
    route, taken = found
    target = filled(route.target, quoted_path(taken))
    return site_path(target if "?" in target else target + path.query, hidden_files)


def filled(target: str, taken: str) -> str:
    """A target with what the star took; a path never begins with two slashes, which were a host."""
    before, star, behind = target.partition("*")
    if star and before.endswith("/"):
        taken = taken.lstrip("/")
    return before + taken + behind if star else target
