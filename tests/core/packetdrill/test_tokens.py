"""Tokens: what is told apart, and the lines they stand in."""

import pytest

from gossamer.core.packetdrill.errors import ScriptError
from gossamer.core.packetdrill.tokens import Kind, tokens


def texts(text: str) -> list[tuple[Kind, str]]:
    return [(token.kind, token.text) for token in tokens(text, "x")[:-1]]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("+.1...0.2", [(Kind.MARK, "+"), (Kind.FLOAT, ".1"), (Kind.ELLIPSIS, "..."), (Kind.FLOAT, "0.2")]),
        ("0...1", [(Kind.INTEGER, "0"), (Kind.ELLIPSIS, "..."), (Kind.INTEGER, "1")]),
        ("1:11(10)", [(Kind.INTEGER, "1"), (Kind.MARK, ":"), (Kind.INTEGER, "11"), (Kind.MARK, "("),
                      (Kind.INTEGER, "10"), (Kind.MARK, ")")]),
        ("S. 0", [(Kind.WORD, "S"), (Kind.MARK, "."), (Kind.INTEGER, "0")]),
        ("0xffff 12ab -1", [(Kind.HEX, "0xffff"), (Kind.WORD, "12ab"), (Kind.INTEGER, "-1")]),
        ("%{ assert a } b }% `x y`", [(Kind.CODE, " assert a } b "), (Kind.COMMAND, "x y")]),
        ('--a=b --c "d"', [(Kind.OPTION, "--a=b"), (Kind.OPTION, "--c"), (Kind.STRING, "d")]),
    ],
)  # fmt: skip
def test_text__is_cut_into_tokens(text: str, kinds: list[tuple[Kind, str]]) -> None:
    assert texts(text) == kinds


def test_lines__are_counted_through_comments_strings_and_code() -> None:
    found = tokens("a // b\n/* c\nd */ e\n%{ f\n}% g\n# h\ni", "x")
    assert [(token.text, token.line) for token in found] == [
        ("a", 1),
        ("e", 3),
        (" f\n", 4),
        ("g", 5),
        ("i", 7),
        ("", 7),
    ]


def test_quotation_mark_without_end__is_named() -> None:
    with pytest.raises(ScriptError, match="x:2: expected a closing back-quote"):
        tokens("\n`a", "x")
