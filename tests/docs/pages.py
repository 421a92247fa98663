"""A page of docs/ as a reader uses it: its files are saved as printed, and its commands say what is printed.

A block marked `python` whose first line is `# name.py` is saved under that name; one of the same name is
appended, two lines below. Of a block marked `console`, each line that begins with `$ ` is run, and what it
prints must be the lines below it, in which `...` stands for anything.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"# (\w+\.py)\n")


class Command(msgspec.Struct, frozen=True):
    """A line that the reader types, and what the page says that it prints."""

    line: str
    expected: str

    def is_printed_by(self, output: str) -> bool:
        """Whether the page is right."""
        pattern = ".*?".join(re.escape(part) for part in self.expected.split("..."))
        return re.fullmatch(pattern, output, re.DOTALL) is not None


def blocks(page: str) -> list[tuple[str, str]]:
    """The blocks of a page: "python" or "console", and the text."""
    return [(found[1], found[2]) for found in BLOCK.finditer((DOCS / page).read_text())]


def save_files(page: str, folder: Path) -> None:
    """Save the page's files."""
    written: set[str] = set()
    for kind, text in blocks(page):
        name = NAME.match(text)
        if kind == "python" and name is not None:
            blank = "\n\n" if name[1] in written else ""
            with (folder / name[1]).open("a" if blank else "w") as file:
                file.write(blank + text[name.end() :])
            written.add(name[1])


def commands(page: str) -> list[Command]:
    """The page's commands, in their order."""
    found = []
    for kind, text in blocks(page):
        if kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, expected = part.partition("\n")
                found.append(Command(line, expected))
    return found


def run(command: Command, folder: Path) -> str:
    """Run it where the page's files are; what it prints on both streams."""
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        command.line,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": "", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout
