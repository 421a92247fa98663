"""Headless Chromium, for pages that are to be looked at: whether anything sticks out, and how dark it is."""

import re
import subprocess
import zlib
from collections.abc import Sequence
from html import escape
from pathlib import Path

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

FILES = """<!doctype html><body>{frames}<pre></pre><script>
onload = () => {{
  const seen = [...document.querySelectorAll("iframe")].map(frame => {{
    const root = frame.contentDocument.documentElement
    return frame.dataset.name + " " + Math.max(root.scrollWidth, frame.contentDocument.body.scrollWidth)
  }})
  document.querySelector("pre").textContent = seen.join("\\n")
}}
</script>"""


def chromium(folder: Path, page: Path, *options: str) -> str:
    """What it prints of a page; what it keeps lies in the folder."""
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


def how_it_fits(folder: Path, page: str, widths: Sequence[int]) -> list[str]:
    """For each width "width true true": whether nothing sticks out, and the heading is not broken up."""
    frames = "".join(
        f'<iframe width="{width}" height="400" srcdoc="{escape(page)}"></iframe>' for width in widths
    )
    (folder / "frames.html").write_text(FRAMES.format(frames=frames))
    found = re.search("<pre>(.*?)</pre>", chromium(folder, folder / "frames.html", "--dump-dom"), re.S)
    assert found is not None
    return found[1].splitlines()


def widths_of_files(folder: Path, pages: Sequence[Path], width: int) -> list[str]:
    """For each file "name width": how wide its page is, on a screen of that width."""
    frames = "".join(
        f'<iframe width="{width}" height="800" data-name="{page.name}" src="{page.as_uri()}"></iframe>'
        for page in pages
    )
    (folder / "files.html").write_text(FILES.format(frames=frames))
    said = chromium(folder, folder / "files.html", "--allow-file-access-from-files", "--dump-dom")
    found = re.search("<pre>(.*?)</pre>", said, re.S)
    assert found is not None
    return found[1].splitlines()


def first_pixel_in_the_dark(folder: Path, page: str) -> tuple[int, int, int]:
    """The colour of a page's corner, in a browser that wants dark pages."""
    (folder / "page.html").write_text(page)
    picture = folder / "picture.png"
    chromium(
        *(folder, folder / "page.html", f"--screenshot={picture}", "--window-size=800,500"),
        "--blink-settings=preferredColorScheme=0",
    )
    return first_pixel(picture.read_bytes())


def first_pixel(png: bytes) -> tuple[int, int, int]:
    """The colour of the first pixel, which filters leave as it is: nothing stands left of it or above."""
    at, data = 8, b""
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        data += png[at + 8 : at + 8 + length] if png[at + 4 : at + 8] == b"IDAT" else b""
        at += 12 + length
    row = zlib.decompress(data)
    return row[1], row[2], row[3]
