"""Tokens: what is distinguished, and the lines they stand in."""

import pytest

from gossamer.core.packetdrill.errors import ScriptError
from gossamer.core.packetdrill.tokens import TokenKind, tokens


def texts(text: str) -> list[tuple[TokenKind, str]]:
    return [(token.kind, token.text) for token in tokens(text, "x")[:-1]]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("+.1...0.2", [(TokenKind.MARK, "+"), (TokenKind.FLOAT, ".1"), (TokenKind.ELLIPSIS, "..."),
                       (TokenKind.FLOAT, "0.2")]),
        ("0...1", [(TokenKind.INTEGER, "0"), (TokenKind.ELLIPSIS, "..."), (TokenKind.INTEGER, "1")]),
        ("1:11(10)", [(TokenKind.INTEGER, "1"), (TokenKind.MARK, ":"), (TokenKind.INTEGER, "11"),
                      (TokenKind.MARK, "("), (TokenKind.INTEGER, "10"), (TokenKind.MARK, ")")]),
        ("S. 0", [(TokenKind.WORD, "S"), (TokenKind.MARK, "."), (TokenKind.INTEGER, "0")]),
        ("0xffff 12ab -1", [(TokenKind.HEX, "0xffff"), (TokenKind.WORD, "12ab"), (TokenKind.INTEGER, "-1")]),
        ("%{ assert a } b }% `x y`", [(TokenKind.CODE, " assert a } b "), (TokenKind.COMMAND, "x y")]),
        ('--a=b --c "d"', [(TokenKind.OPTION, "--a=b"), (TokenKind.OPTION, "--c"), (TokenKind.STRING, "d")]),
    ],
)  # fmt: skip
def test_text__is_cut_into_tokens(text: str, kinds: list[tuple[TokenKind, str]]) -> None:
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
