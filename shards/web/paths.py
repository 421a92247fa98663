"""Request targets to names beneath the root: decoding and normalising, as a pure function.

Owns which names may be asked for. That nothing outside the root is opened is the kernel's part (openat2,
RESOLVE_BENEATH); this module is the fence before that wall. Source: RFC 3986 2.1, 5.2.4, 6.2.2; RFC 8615.
"""

import os
import re
from typing import Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
PLAIN_PATH: Final = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?)?")
"""A path that needs no work: no escapes, no empty or dot segments. A slash stands between two segments: where
it might be left out, each letter could begin one, and n letters before an escape would take 2^n steps.
"""

PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))
"""What may stand in a Location as it came: anything else of a query is an octet of UTF-8."""

WELL_KNOWN: Final = ".well-known"


class SitePath(msgspec.Struct, frozen=True, gc=False):
    """A name beneath the root."""

    name: str
    """Relative, without a leading or trailing slash; "" is the root itself."""
    is_folder: bool
    """Whether the target ended with a slash."""
    query: str
    """With its question mark, or ""."""

    @property
    def folder_target(self) -> str:
        """The target with the slash that was missing, for a redirect. Never begins with two slashes."""
        return quoted_path(f"/{self.name}/" if self.name else "/") + quoted_query(self.query)


def quoted_path(path: str) -> str:
    """A path as it stands in a URL."""
    return quote(path, safe="/~", errors="surrogateescape")


def quoted_query(query: str) -> str:
    """A query as it came, what is no ASCII quoted."""
    return quote(query, safe=PRINTABLE, encoding="latin-1")


def site_path(target: str, hidden_files: bool = False) -> SitePath | int:
    """The name that an origin-form target asks for, or the status that refuses it (400, 404)."""
    path, mark, query = target.partition("?")
    if PLAIN_PATH.fullmatch(path):
        return SitePath(path.strip("/"), path.endswith("/"), mark + query)
    if not path.startswith("/") or BAD_ESCAPE.search(path):
        return 400
    segments = normal_segments(
        [os.fsdecode(unquote_to_bytes(part.encode("latin-1"))) for part in path[1:].split("/")]
    )
    if segments is None:
        return 400
    if any(not is_servable(segment, hidden_files) for segment in segments):
        return 404
    is_folder = path.endswith(("/", "/.", "/..")) or not segments
    return SitePath("/".join(segments), is_folder, mark + query)


def normal_segments(segments: list[str]) -> list[str] | None:
    """Without empty and dot segments; None when they lead above the root or hold a NUL."""
    normal: list[str] = []
    for segment in segments:
        if "\0" in segment:
            return None
        if segment == "..":
            if not normal:
                return None
            normal.pop()
        elif segment not in ("", "."):
            normal.append(segment)
    return normal


def is_servable(segment: str, hidden_files: bool) -> bool:
    """No name that is served holds an encoded slash or a backslash; dot files only when the site says so."""
    if "/" in segment or "\\" in segment:
        return False
    return hidden_files or not segment.startswith(".") or segment == WELL_KNOWN
