"""The pages that no file holds: short error pages, and what all such pages look like.

Owns their HTML; everything that comes from outside is escaped. It knows no request and no disk.
"""

from functools import lru_cache
from html import escape
from typing import Final

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


def page(title: str, body: str, style: str = "") -> bytes:
    """A whole document; `title` is escaped here, `body` is HTML, `style` is added to what all have."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}{style}</style></head>'
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
