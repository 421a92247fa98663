"""The list of a folder: whatever a name holds, the page stays what it is; sorted as it is asked for."""

from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.shards.web.folder_page import (
    BY_NAME,
    FolderEntry,
    Order,
    folder_page,
    in_order,
    order_of,
    size_text,
    time_text,
)


class Tags(HTMLParser):
    """Counts elements and collects links and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href" and tag == "a"]


def parse(page: bytes) -> Tags:
    tags = Tags()
    tags.feed(page.decode())
    return tags


@given(st.text(min_size=1, max_size=30).filter(lambda name: "/" not in name and "\0" not in name))
def test_folder_page__a_name_adds_no_element__and_its_link_leads_to_it(name: str) -> None:
    plain = parse(folder_page("", [FolderEntry("a", False, 1, 0)], is_cut=False))
    odd = parse(folder_page("", [FolderEntry(name, False, 1, 0)], is_cut=False))
    assert odd.tags == plain.tags
    assert odd.links[-1].startswith("./")
    assert unquote(odd.links[-1][2:], errors="surrogatepass") == name or not name.isprintable()


def test_folder_page__parent_and_folders() -> None:
    page = parse(folder_page("a/b", [FolderEntry("c", True, 0, 0)], is_cut=True))
    assert [link for link in page.links if link[0] != "?"] == ["../../", "../", "./", "../", "./c/"]


def test_folder_page__a_name_that_is_no_utf8() -> None:
    page = folder_page("", [FolderEntry("\udcff", False, 1, 0)], is_cut=False)
    assert parse(page).links[-1] == "./%FF"


ENTRIES = [
    FolderEntry("b.txt", False, 1, 30),
    FolderEntry("A.txt", False, 3, 10),
    FolderEntry("c.txt", False, 2, 20),
    FolderEntry("z", True, 4096, 5),
    FolderEntry("y", True, 4096, 50),
]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", "y z A.txt b.txt c.txt"),
        ("?sort=name&order=desc", "z y c.txt b.txt A.txt"),
        ("?sort=size", "y z b.txt c.txt A.txt"),
        ("?sort=size&order=desc", "y z A.txt c.txt b.txt"),
        ("?sort=modified&order=desc", "y z b.txt c.txt A.txt"),
        ("?order=asc&sort=modified", "z y A.txt c.txt b.txt"),
        ("?sort=owner", "y z A.txt b.txt c.txt"),
        ("?" + "a=b&" * 100, "y z A.txt b.txt c.txt"),
        ("?sort=%ff%00&order", "y z A.txt b.txt c.txt"),
    ],
)
def test_order__as_the_query_asks__folders_first(query: str, names: str) -> None:
    assert " ".join(entry.name for entry in in_order(ENTRIES, order_of(query))) == names


def test_heads__lead_to_each_order_and_back() -> None:
    page = parse(folder_page("", ENTRIES, is_cut=False, order=Order("size", is_descending=True)))
    heads = [order_of(link) for link in page.links if link[0] == "?"]
    assert heads == [BY_NAME, Order("size"), Order("modified", is_descending=True)]


def test_page__no_script_nothing_loaded__sorted_column_is_said() -> None:
    page = folder_page("a", ENTRIES, is_cut=False)
    assert {"script", "link", "img", "iframe"}.isdisjoint(parse(page).tags)
    assert b"http" not in page
    assert page.count(b'aria-sort="ascending"') == 1
    assert b"2 folders, 3 files, 6 B" in page
    assert b"The first 5 names" in folder_page("", ENTRIES, is_cut=True)


def test_texts_of_sizes_and_times() -> None:
    assert [size_text(size) for size in (999_999, 1_048_575, 1 << 40, 1 << 70)] == [
        "977 KiB",
        "1.0 MiB",
        "1.0 TiB",
        "1048576 PiB",
    ]
    assert time_text(0) == '<time datetime="1970-01-01T00:00Z">1970-01-01<i> 00:00</i></time>'
    assert time_text(1 << 62) == ""
