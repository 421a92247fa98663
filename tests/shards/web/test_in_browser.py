"""The list of a folder in a browser: nothing sticks out at any width, and dark where that is wanted."""

from pathlib import Path

import pytest

from gossamer.shards.web.folder_page import FolderEntry, folder_page

from ...browser import first_pixel_in_the_dark, how_it_fits

pytestmark = pytest.mark.needs("chromium")

ENTRIES = [
    FolderEntry("archive", True, 4096, 1_700_000_000),
    FolderEntry("annual report - final, really final (copy).pdf", False, 48_213, 1_700_000_000),
    FolderEntry("a_name_without_any_spaces_that_goes_on_and_on_and_on_for_a_while" * 2, False, 1 << 30, 0),
]
WIDTHS = (320, 390, 1100)


def test_list__phone_and_desktop__nothing_sticks_out(tmp_path: Path) -> None:
    page = folder_page("docs/deep", ENTRIES, is_cut=False).decode()
    assert how_it_fits(tmp_path, page, WIDTHS) == [f"{width} true true" for width in WIDTHS]


def test_list__a_browser_that_is_dark__dark(tmp_path: Path) -> None:
    page = folder_page("", ENTRIES, is_cut=False).decode()
    assert first_pixel_in_the_dark(tmp_path, page) == (0x14, 0x18, 0x1D)
