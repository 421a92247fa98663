"""The pages that no file holds: short error pages and the list of a folder.

Owns their HTML; everything that comes from outside is escaped. It knows no request and no disk.
"""

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Final
from urllib.parse import quote

import msgspec

from gossamer.core.http.response import REASONS

HTML: Final = "text/html; charset=utf-8"

STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:12vh auto;padding:0 1.5rem;color:#223}"
    "h1{font-weight:600;letter-spacing:-.02em}small,td+td{color:#778}table{border-collapse:collapse;width:100%}"
    "td{padding:.3rem 1rem .3rem 0;border-bottom:1px solid #e4e8ee}td+td{text-align:right;white-space:nowrap}"
    "a{color:#0a5c8a;text-decoration:none}a:hover{text-decoration:underline}"
    "@media(prefers-color-scheme:dark){body{background:#14181d;color:#d5dbe2}td{border-color:#2a313a}"
    "a{color:#6db8e8}}"
)


class FolderEntry(msgspec.Struct, frozen=True, gc=False):
    """One line of a folder's list."""

    name: str
    is_directory: bool
    size: int
    modified: str
    """As it is to be shown."""


def page(title: str, body: str) -> bytes:
    """A whole document; `title` is escaped here, `body` is HTML."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    ).encode("utf-8", "replace")


@lru_cache(maxsize=64)
def error_page(status: int, server: str) -> bytes:
    """The short body of an error or a redirect; the same for everybody, so nothing sent is ever echoed. It
    names the server as its field does, or not at all.
    """
    reason = REASONS[status]
    signed = f"<small>{escape(server)}</small>" if server else ""
    return page(f"{status} {reason}", f"<h1>{status} {reason}</h1>{signed}")


def folder_page(name: str, entries: Sequence[FolderEntry], is_cut: bool) -> bytes:
    """The list of a folder; `name` is relative to the root, "" for the root."""
    title = f"Index of /{name}/" if name else "Index of /"
    rows = [] if not name else ['<tr><td><a href="../">../</a></td><td></td><td></td></tr>']
    rows += [entry_row(entry) for entry in entries]
    note = "<p><small>There is more than is shown.</small></p>" if is_cut else ""
    return page(title, f"<h1>{escape(title)}</h1><table>{''.join(rows)}</table>{note}")


def entry_row(entry: FolderEntry) -> str:
    """One row; the link is quoted so that no name can begin a scheme or leave the folder."""
    slash = "/" if entry.is_directory else ""
    link = "./" + quote(entry.name, safe="", errors="surrogateescape") + slash
    size = "" if entry.is_directory else f"{entry.size:,}"
    shown = escape(entry.name) + slash
    return f'<tr><td><a href="{link}">{shown}</a></td><td>{size}</td><td>{escape(entry.modified)}</td></tr>'
