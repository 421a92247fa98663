"""The list of a folder in a browser: nothing sticks out at any width, and dark where that is wanted."""

import re
import subprocess
import zlib
from html import escape
from pathlib import Path

import pytest

from gossamer.shards.web.folder_page import FolderEntry, folder_page

pytestmark = pytest.mark.needs("chromium")

ENTRIES = [
    FolderEntry("archive", True, 4096, 1_700_000_000),
    FolderEntry("annual report - final, really final (copy).pdf", False, 48_213, 1_700_000_000),
    FolderEntry("a_name_without_any_spaces_that_goes_on_and_on_and_on_for_a_while" * 2, False, 1 << 30, 0),
]
WIDTHS = (320, 390, 1100)

FRAMES = """<!doctype html><body>{frames}<pre></pre><script>
onload = () => {{
  const seen = [...document.querySelectorAll("iframe")].map(frame => {{
    const page = frame.contentDocument, root = page.documentElement
    const head = page.querySelector("h1").getBoundingClientRect()
    return [frame.width, root.scrollWidth <= root.clientWidth, head.height < 120].join(" ")
  }})
  document.querySelector("pre").textContent = seen.join("\\n")
}}
</script>"""


def chromium(folder: Path, page: Path, *options: str) -> str:
    command = [
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'user'}",
    ]
    done = subprocess.run(
        [*command, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout


def test_list__phone_and_desktop__nothing_sticks_out(tmp_path: Path) -> None:
    page = folder_page("docs/deep", ENTRIES, is_cut=False).decode()
    frames = "".join(
        f'<iframe width="{width}" height="400" srcdoc="{escape(page)}"></iframe>' for width in WIDTHS
    )
    (tmp_path / "frames.html").write_text(FRAMES.format(frames=frames))
    found = re.search("<pre>(.*?)</pre>", chromium(tmp_path, tmp_path / "frames.html", "--dump-dom"), re.S)
    assert found is not None
    assert found[1].splitlines() == [f"{width} true true" for width in WIDTHS]


def test_list__a_browser_that_is_dark__dark(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(folder_page("", ENTRIES, is_cut=False))
    picture = tmp_path / "picture.png"
    chromium(
        *(tmp_path, tmp_path / "page.html", f"--screenshot={picture}", "--window-size=800,500"),
        "--blink-settings=preferredColorScheme=0",
    )
    assert first_pixel(picture.read_bytes()) == (0x14, 0x18, 0x1D)


def first_pixel(png: bytes) -> tuple[int, int, int]:
    """The colour of the first pixel, which filters leave as it is: nothing stands left of it or above."""
    at, data = 8, b""
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        data += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    row = zlib.decompress(data)
    return row[1], row[2], row[3]
