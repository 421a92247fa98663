"""Raw vectors: octets that a client sends, each with what must come back (README.md has the form)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

FOLDER: Final = Path(__file__).parent
REPEATED: Final = re.compile(rb"\{(\d+)\*([^}]*)\}", re.DOTALL)
WAIT: Final = b"{WAIT}"
"""Here the client waits for an answer before it goes on."""

PROBE: Final = b"GET /index.html HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n"
"""What follows a vector on its connection: it is answered where the connection lives on."""

SITE: Final = {
    "index.html": b"<h1>home</h1>",
    "plain.txt": b"0123456789" * 10,
    "empty.bin": b"",
    "é.txt": b"accent",
    "a b.txt": b"a b",
    "folder/index.html": b"folder",
    "list/one.txt": b"1",
}


class Look(NamedTuple):
    """What is looked at in one response."""

    status: int
    detail: str
    """The length of the body or the part in Content-Range; "" for neither."""


class Vector(NamedTuple):
    """One line of a file."""

    place: str
    rule: str
    pieces: tuple[bytes, ...]
    """What is sent, each piece after the first once something was answered."""
    looks: tuple[Look, ...]
    lives_on: bool


def octets(text: str) -> bytes:
    """Octets as they are written."""
    return REPEATED.sub(
        lambda found: int(found[1]) * found[2],
        re.sub(r"\\x(..)|\\(.)", unescaped, text).encode("latin-1"),
    )


def unescaped(found: re.Match[str]) -> str:
    """The character of one escape."""
    if found[1] is not None:
        return chr(int(found[1], 16))
    return {"r": "\r", "n": "\n", "t": "\t", "\\": "\\"}[found[2]]


def vectors_of(path: Path) -> Iterator[Vector]:
    """The vectors of a file."""
    around, rule = "{}", ""
    for number, line in enumerate(
        path.read_text("ascii" if path.suffix != ".txt" else "utf-8").split("\n"), 1
    ):
        if line.startswith("@ "):
            around = line[2:]
        elif line.startswith("# "):
            rule = line[2:]
        elif line:
            verdict, _, payload = line.partition(" | ")
            *looks, end = verdict.split()
            before, _, after = around.partition("{}")
            sent = octets(before) + octets(payload) + octets(after)
            yield Vector(
                f"{path.name}:{number}",
                rule,
                tuple(sent.split(WAIT)),
                tuple(
                    Look(int(status), detail) for status, _, detail in (each.partition(":") for each in looks)
                ),
                {"+": True, "-": False}[end],
            )


def all_vectors() -> list[Vector]:
    """Those of every file here."""
    return [vector for path in sorted(FOLDER.glob("*.txt")) for vector in vectors_of(path)]


def write_site(folder: Path) -> None:
    """The files that the vectors ask for."""
    for name, content in SITE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
