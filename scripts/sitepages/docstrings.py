"""Docstrings as reStructuredText, which Sphinx's autodoc wants: code in blocks, labels set apart, names as
references. Pure.

They are written to be read in a terminal (`help`), so what is a paragraph, an example or a name is told as
`moduledocs.prose` tells it for the pages of the repository.
"""

import re
import textwrap
from collections.abc import Callable, Iterator

from moduledocs.prose import CODE, LABELS, NAME, PAGE, blocks, is_code, language, split_example

Place = Callable[[str], str]
"""The dotted name under which the site describes a name; "" for one that it does not."""

SPECIAL = re.compile(r"[\\*|]|(?<=\w)_(?!\w)|__")
OPENS = frozenset(" \n'\"([{<-/:")
CLOSES = frozenset(" \n'\")]}>-/:.,;!?\\")
"""What may stand before and behind markup (reStructuredText, "Inline markup recognition rules")."""


def restructured(docstring: str, place: Place) -> str:
    """A docstring, cleaned of its indentation."""
    return "\n\n".join(_block(part, place) for part in blocks(docstring))


def _block(part: str, place: Place) -> str:
    code = textwrap.dedent(part).rstrip()
    if code.startswith(">>>") or is_code(part):
        kind = "pycon" if code.startswith(">>>") else language(code)
        return f".. code-block:: {kind}\n\n{textwrap.indent(code, '   ')}"
    lead, example = split_example(part)
    return paragraph(lead, place) + (f"\n\n{_block(example, place)}" if example else "")


def paragraph(part: str, place: Place) -> str:
    """Prose, in which nothing is taken for markup by mistake."""
    pieces = [
        piece
        for number, found in enumerate(CODE.split(part))
        for piece in ([_code(found, place)] if number % 2 else _words(found, place))
    ]
    return "".join(_joined(pieces))


def _joined(pieces: list[str]) -> Iterator[str]:
    """Markup stands apart from letters by what prints as nothing."""
    before = " "
    for piece in filter(None, pieces):
        is_markup = _is_markup(piece)
        if (is_markup and before[-1] not in OPENS) or (_is_markup(before) and piece[0] not in CLOSES):
            yield "\\ "
        yield piece
        before = piece


def _is_markup(piece: str) -> bool:
    return piece.startswith(("``", ":py:", ":doc:")) and piece.endswith("`")


def _code(code: str, place: Place) -> str:
    text = " ".join(code.strip("`").split())
    name = place(text.partition("(")[0])
    return f":py:obj:`{text} <{name}>`" if name and "<" not in text else f"``{text}``"


def _words(words: str, place: Place) -> list[str]:
    """Words outside of code, and the names and pages among them."""
    pieces, at = [], 0
    found = sorted([*NAME.finditer(words), *PAGE.finditer(words)], key=lambda each: each.start())
    for each in found:
        if each.start() < at:
            continue
        markup = _page(each[1]) if each.re is PAGE else _name(each[0], place)
        if markup:
            pieces += [_plain(words[at : each.start()]), markup]
            at = each.end()
    return [*pieces, _plain(words[at:])]


def _page(path: str) -> str:
    return f":doc:`/{path.removesuffix('.md')}`"


def _name(name: str, place: Place) -> str:
    found = place(name)
    return f":py:obj:`{name} <{found}>`" if found else ""


def _plain(words: str) -> str:
    escaped = SPECIAL.sub(lambda found: "".join(f"\\{each}" for each in found[0]), words)
    return LABELS.sub(r"*\1:*", escaped)
