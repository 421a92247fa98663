"""Docstrings as Markdown: code in fences, labels set apart, names linked to their pages."""

import ast
import re
import textwrap
from collections.abc import Iterator

from moduledocs.names import Links

LABELS = re.compile(r"\b(Raises|Bounds|Units|Source|Shapes|Returns|Differs):")
CODE = re.compile(r"(``.+?``|`[^`]+`)", re.DOTALL)
NAME = re.compile(
    r"\b(?:[A-Z][a-z]+(?:[A-Z][a-z]*)+(?:\.[a-z_]+)?"  # BoundExceeded, TcpStream.on_urgent
    r"|[A-Z][a-z]+\.[a-z_]+"  # Stream.recv
    r"|[A-Z]+(?:_[A-Z]+)+)\b"  # WAITERS_MAX
)
"""Such a word is a name, in backquotes or not."""

PAGE = re.compile(r"\bdocs/([\w-]+\.md)")
"""Another page of the documentation."""


def markdown(docstring: str, links: Links) -> str:
    """A docstring, cleaned of its indentation, as Markdown."""
    return "\n\n".join(block(part, links) for part in blocks(docstring))


def blocks(docstring: str) -> Iterator[str]:
    """Its paragraphs; what is indented, or an example, is one with what follows it of the same kind."""
    held: list[str] = []
    for part in re.split(r"\n\s*\n", docstring.strip("\n")):
        if held and is_code(held[0]) and part.startswith("    ") and not part.lstrip().startswith(">>>"):
            held.append(part)
        else:
            if held:
                yield "\n\n".join(held)
            held = [part]
    if held:
        yield "\n\n".join(held)


def is_code(part: str) -> bool:
    """Whether a part of a docstring is indented."""
    return part.startswith("    ")


def block(part: str, links: Links) -> str:
    """One paragraph, or one piece of code in a fence."""
    code = textwrap.dedent(part)
    if code.startswith(">>>"):
        return f"```pycon\n{code.rstrip()}\n```"
    if is_code(part):
        return f"```{language(code)}\n{code.rstrip()}\n```"
    lead, example = split_example(part)
    return paragraph(lead, links) + (f"\n\n{block(example, links)}" if example else "")


def split_example(part: str) -> tuple[str, str]:
    """A paragraph, and the indented lines that follow it without an empty one between."""
    lines = part.split("\n")
    at = next((number for number, line in enumerate(lines) if line.startswith(("    ", ">>>"))), len(lines))
    return "\n".join(lines[:at]), "\n".join(lines[at:])


def language(code: str) -> str:
    """What a piece of code is, for its colours."""
    try:
        ast.parse(code)
    except SyntaxError:
        return "text"
    return "python"


def paragraph(part: str, links: Links) -> str:
    """Prose: names linked, labels set apart, and nothing in it taken for Markdown by mistake."""
    pieces = CODE.split(part)
    return "".join(
        linked_code(piece, links) if number % 2 else linked_words(piece, links)
        for number, piece in enumerate(pieces)
    )


def linked_code(code: str, links: Links) -> str:
    """`CancelScope`, `Stream.recv` or `core.loop.program.run`, as a link where there is a page."""
    name = code.strip("`").partition("(")[0]
    return linked(code, name, links)


def linked(text: str, name: str, links: Links) -> str:
    """A text as a link to where its name, or the name before its last dot, is described."""
    place = links.get(name) or links.get(name.rpartition(".")[0])
    return f"[{text}]({place})" if place else text


def linked_words(words: str, links: Links) -> str:
    """Words outside of code."""
    plain = re.sub(r"[*<]|__", lambda found: "".join(f"\\{each}" for each in found.group()), words)
    plain = LABELS.sub(r"*\1:*", plain)
    plain = NAME.sub(lambda found: linked(found.group(), found.group(), links), plain)
    return PAGE.sub(r"[docs/\1](../\1)", plain)
