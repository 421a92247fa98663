"""The report of a run in a browser: nothing sticks out at any width, and dark where that is wanted."""

from pathlib import Path

import pytest

from gossamer.core.clock import SECOND_US
from gossamer.loadtest.environment import environment
from gossamer.loadtest.output.written import FORMATS
from gossamer.loadtest.result import result_of
from gossamer.loadtest.summary import whole_summary

from ...browser import first_pixel_in_the_dark, how_it_fits
from ..virtual_server import perform, random_fates

pytestmark = pytest.mark.needs("chromium")

WIDTHS = (320, 390, 1280)


@pytest.fixture(scope="module")
def page() -> str:
    run = perform(random_fates(1, 2_000), rate=300.0, duration_us=3 * SECOND_US)
    url = "http://a-name-of-a-host-that-is-rather-long.example/and/a/path/" + "x" * 60
    return FORMATS[".html"](whole_summary(result_of(run), url, "kernel", environment()))


def test_report__phone_and_desktop__nothing_sticks_out(tmp_path: Path, page: str) -> None:
    assert [line.split()[:2] for line in how_it_fits(tmp_path, page, WIDTHS)] == [
        [str(width), "true"] for width in WIDTHS
    ]


def test_report__a_browser_that_is_dark__dark(tmp_path: Path, page: str) -> None:
    assert max(first_pixel_in_the_dark(tmp_path, page)) < 0x30
