"""The list of a folder as a page: sizes, dates, sorting by links, light and dark, wide and narrow. Pure.

Owns its HTML and its orders; everything that comes from outside is escaped. It runs no script and loads
nothing: sorting is a query, the pictures are in it.
"""

import time
from collections.abc import Sequence
from html import escape
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qs, quote

import msgspec

from gossamer.shards.web.pages import page

SortKey = Literal["name", "size", "modified"]
COLUMNS: Final[tuple[tuple[SortKey, str], ...]] = (
    ("name", "Name"),
    ("size", "Size"),
    ("modified", "Modified"),
)
SIZE_UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB")
QUERY_PAIRS_MAX: Final = 8

STYLE: Final = (
    "body{max-width:60rem;margin:4vh auto}h1{font-size:1.3rem;overflow-wrap:anywhere}"
    "table{table-layout:auto}th{text-align:left;font-weight:500;padding:.4rem 1rem .4rem 0;"
    "border-bottom:2px solid #cfd6df;font-size:.85rem;white-space:nowrap}th a{color:inherit}"
    "th+th,td+td{text-align:right;padding-right:0;padding-left:1rem}td{font-variant-numeric:tabular-nums}"
    "td:first-child{overflow-wrap:anywhere}tbody tr:hover{background:#0a5c8a12}"
    "td a{display:flex;gap:.6rem;align-items:flex-start}"
    "svg{flex:none;width:1.1rem;height:1.1rem;margin-top:.2rem;fill:none;stroke:#8a95a3;stroke-width:1.5}"
    ".d svg{stroke:#0a5c8a;fill:#0a5c8a22}"
    "@media(max-width:34rem){body{padding:0 1rem}td+td+td time i{display:none}"
    "th,td{padding-right:.5rem}th+th,td+td{padding-left:.5rem}td{font-size:.95rem}}"
    "@media(prefers-color-scheme:dark){td+td,small{color:#9ba6b3}"
    "th{border-color:#3a434e}.d svg{stroke:#6db8e8;fill:#6db8e822}"
    "tbody tr:hover{background:#6db8e812}}i{font-style:normal}"
)
FOLDER_PATH: Final = "M2 5.5a1 1 0 0 1 1-1h4.5l2 2H17a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1z"
FILE_PATH: Final = "M5 2.5h6.5L15.5 6.5v11H5zM11.5 2.5v4h4"
UP_PATH: Final = "M10 16V5M5 9.5 10 4.5l5 5"
SYMBOLS: Final = "".join(
    [
        "<svg hidden>",
        *(
            f'<symbol id="{name}" viewBox="0 0 20 20"><path d="{path}"/></symbol>'
            for name, path in (("d", FOLDER_PATH), ("f", FILE_PATH), ("u", UP_PATH))
        ),
        "</svg>",
    ]
)
UP_ROW: Final = (
    '<tr class="d"><td><a href="../"><svg aria-hidden="true"><use href="#u"/></svg>..</a></td>'
    "<td></td><td></td></tr>"
)


class FolderEntry(msgspec.Struct, frozen=True, gc=False):
    """One line of a folder's list."""

    name: str
    is_directory: bool
    size: int
    modified_s: int
    """Seconds since 1970."""
    is_link: bool = False
    """Whether what it leads to is not known yet."""


class Order(NamedTuple):
    """How a list is sorted; folders come first in any case."""

    key: SortKey = "name"
    is_descending: bool = False


BY_NAME: Final = Order()


def order_of(query: str) -> Order:
    """The order that a query asks for; by name where it asks for none that there is."""
    try:
        asked = parse_qs(query.removeprefix("?"), max_num_fields=QUERY_PAIRS_MAX)
    except ValueError:
        return BY_NAME
    wanted = asked.get("sort", [""])[0]
    key = next((key for key, _ in COLUMNS if key == wanted), BY_NAME.key)
    return Order(key, asked.get("order", [""])[0] == "desc")


def in_order(entries: Sequence[FolderEntry], order: Order) -> list[FolderEntry]:
    """The entries as they are shown; equal ones by name."""
    by_name = sorted(entries, key=lambda entry: (entry.name.casefold(), entry.name))
    if order.key == "name" and order.is_descending:
        by_name.reverse()
    elif order.key == "size":
        by_name.sort(key=lambda entry: entry.size, reverse=order.is_descending)
    elif order.key == "modified":
        by_name.sort(key=lambda entry: entry.modified_s, reverse=order.is_descending)
    by_name.sort(key=lambda entry: not entry.is_directory)
    return by_name


def folder_page(name: str, entries: Sequence[FolderEntry], *, is_cut: bool, order: Order = BY_NAME) -> bytes:
    """The list of a folder; `name` is relative to the root, "" for the root."""
    title = f"Index of /{name}/" if name else "Index of /"
    up = [UP_ROW] if name else []
    rows = "".join([*up, *(entry_row(entry) for entry in in_order(entries, order))])
    heads = "".join(column_head(key, text, order) for key, text in COLUMNS)
    body = (
        f"{SYMBOLS}<h1>Index of {crumbs(name)}</h1><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table><p><small>{summary(entries, is_cut=is_cut)}</small></p>"
    )
    return page(title, body, STYLE)


def crumbs(name: str) -> str:
    """The path to a folder, each part of it a link."""
    parts = name.split("/") if name else []
    up = len(parts)
    links = [f'<a href="{"../" * up or "./"}">/</a>']
    for at, part in enumerate(parts, 1):
        href = "../" * (up - at) or "./"
        links.append(f'<a href="{href}">{escape(part)}</a>/')
    return "".join(links)


def column_head(key: SortKey, text: str, order: Order) -> str:
    """The head of a column: a link that sorts by it, the other way round where it is sorted so already."""
    is_sorted = key == order.key
    goes_down = not order.is_descending if is_sorted else key != "name"
    link = f"?sort={key}&amp;order={'desc' if goes_down else 'asc'}"
    state = f' aria-sort="{"descending" if order.is_descending else "ascending"}"' if is_sorted else ""
    arrow = (" \N{DOWNWARDS ARROW}" if order.is_descending else " \N{UPWARDS ARROW}") if is_sorted else ""
    return f'<th scope="col"{state}><a href="{link}">{text}{arrow}</a></th>'


def entry_row(entry: FolderEntry) -> str:
    """One row; the link is quoted so that no name can begin a scheme or leave the folder."""
    slash, kind, mark = ("/", "d", ' class="d"') if entry.is_directory else ("", "f", "")
    link = "./" + quote(entry.name, safe="", errors="surrogateescape") + slash
    size = "" if entry.is_directory else f'<span title="{entry.size:,} bytes">{size_text(entry.size)}</span>'
    shown = f"<span>{escape(entry.name)}{slash}</span>"
    return (
        f'<tr{mark}><td><a href="{link}"><svg aria-hidden="true"><use href="#{kind}"/></svg>{shown}</a></td>'
        f"<td>{size}</td><td>{time_text(entry.modified_s)}</td></tr>"
    )


def size_text(size: int) -> str:
    """A size in three figures.

    >>> [size_text(size) for size in (0, 1023, 1024, 1536, 10_240_000)]
    ['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '9.8 MiB']
    """
    if size < 1024:
        return f"{size} B"
    shown = float(size)
    for unit in SIZE_UNITS:
        shown /= 1024
        if shown < 1000 or unit == SIZE_UNITS[-1]:
            break
    return f"{shown:.1f} {unit}" if shown < 100 else f"{shown:.0f} {unit}"


def time_text(modified_s: int) -> str:
    """A time in UTC, to the minute; its hour is left out where there is no room."""
    try:
        moment = time.gmtime(modified_s)
    except (OverflowError, ValueError, OSError):
        return ""  # A date beyond what people have years for.
    day, hour = time.strftime("%Y-%m-%d", moment), time.strftime("%H:%M", moment)
    return f'<time datetime="{day}T{hour}Z">{day}<i> {hour}</i></time>'


def summary(entries: Sequence[FolderEntry], *, is_cut: bool) -> str:
    """How much there is."""
    if is_cut:
        return f"The first {len(entries):,} names. There is more than is shown."
    folders = sum(entry.is_directory for entry in entries)
    files = len(entries) - folders
    total = size_text(sum(entry.size for entry in entries if not entry.is_directory))
    return f"{counted(folders, 'folder')}, {counted(files, 'file')}, {total}. Times are UTC."


def counted(number: int, what: str) -> str:
    """A number of things."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
