"""Pages: whatever a name holds, the page stays what it is."""

from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.http.response import REASONS
from gossamer.shards.web.pages import FolderEntry, error_page, folder_page


class Tags(HTMLParser):
    """Counts elements and collects links and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]


def parse(page: bytes) -> Tags:
    tags = Tags()
    tags.feed(page.decode())
    return tags


@given(st.text(min_size=1, max_size=30).filter(lambda name: "/" not in name and "\0" not in name))
def test_folder_page__a_name_adds_no_element__and_its_link_leads_to_it(name: str) -> None:
    plain = parse(folder_page("", [FolderEntry("a", False, 1, "now")], is_cut=False))
    odd = parse(folder_page("", [FolderEntry(name, False, 1, "now")], is_cut=False))
    assert odd.tags == plain.tags
    assert odd.links[0].startswith("./")
    assert unquote(odd.links[0][2:], errors="surrogatepass") == name or not name.isprintable()


def test_folder_page__parent_and_folders() -> None:
    page = parse(folder_page("a/b", [FolderEntry("c", True, 0, "")], is_cut=True))
    assert page.links == ["../", "./c/"]


def test_folder_page__a_name_that_is_no_utf8() -> None:
    page = folder_page("", [FolderEntry("\udcff", False, 1, "")], is_cut=False)
    assert parse(page).links == ["./%FF"]


@pytest.mark.parametrize("status", [status for status in REASONS if status >= 300])
def test_error_page__names_status_and_reason(status: int) -> None:
    assert f"<h1>{status} {REASONS[status]}</h1>".encode() in error_page(status, "s")
    assert len(error_page(status, "s")) < 1024
