"""Text to tokens.

Owns what a token looks like, and comments: `// ...`, `/* ... */`, and `# ...` at the head of a line. It knows
nothing of events.

Source: the published lexical rules of the tool (numbers, words, strings, back-quoted commands, %{ code }%).
"""

import re
from enum import Enum
from typing import Final

import msgspec

from gossamer.core.packetdrill.errors import ScriptError


class TokenKind(Enum):
    """What kind of token it is. The value is its name in an error."""

    OPTION = "an option --name=value"
    FLOAT = "a number with a point"
    HEX = "a hexadecimal number"
    INTEGER = "an integer"
    WORD = "a word"
    STRING = "a string"
    COMMAND = "a command in back-quotes"
    CODE = "code in %{ }%"
    ELLIPSIS = "'...'"
    MARK = "a mark"
    END = "the end of the script"


class ScriptToken(msgspec.Struct, frozen=True, gc=False):
    """A token. `text` is without its delimiters."""

    kind: TokenKind
    text: str
    line: int

    def __str__(self) -> str:
        if self.kind is TokenKind.END:
            return TokenKind.END.value
        return f"'{self.text[:40]}'"


RULES: Final = (
    ("SPACE", r"[ \t\r\f\n]+"),
    ("COMMENT", r"//[^\n]*|/\*.*?\*/|(?m:^[ \t]*\#[^\n]*)"),
    ("OPTION", r"--[A-Za-z0-9_]+(?:=(?:\"[^\"\n]*\"|`[^`]*`|[^\s\"`])*)?"),
    ("CODE", r"%\{.*?\}%"),
    ("COMMAND", r"`(?:\\.|[^`])*`"),
    ("STRING", r"\"(?:\\.|[^\"])*\""),
    ("ELLIPSIS", r"\.\.\."),
    ("FLOAT", r"-?[0-9]*\.[0-9]+"),
    ("HEX", r"0x[0-9a-fA-F]+"),
    ("INTEGER", r"-?[0-9]+(?![A-Za-z0-9_])"),
    ("WORD", r"[A-Za-z0-9_]+"),
    ("MARK", r"[^\s]"),
)
"""In the order in which they are tried."""

PATTERN: Final = re.compile("|".join(f"(?P<{name}>{rule})" for name, rule in RULES), re.DOTALL)
SILENT: Final = frozenset({"SPACE", "COMMENT"})
DELIMITERS: Final = {TokenKind.CODE: 2, TokenKind.COMMAND: 1, TokenKind.STRING: 1, TokenKind.OPTION: 0}
"""Characters at either end that are not part of the text."""

UNENDED: Final = {"`": "a closing back-quote", '"': "a closing quotation mark"}


def tokens(text: str, script: str) -> list[ScriptToken]:
    """All tokens of a script, an END behind them. Raises: ScriptError."""
    found: list[ScriptToken] = []
    line = 1
    for match in PATTERN.finditer(text):
        name, piece = match.lastgroup or "MARK", match.group()
        if name not in SILENT:
            found.append(_token(name, piece, line, script))
        line += piece.count("\n")
    found.append(ScriptToken(TokenKind.END, "", line))
    return found


def _token(name: str, piece: str, line: int, script: str) -> ScriptToken:
    kind = TokenKind[name]
    if kind is TokenKind.MARK and piece in UNENDED:
        raise ScriptError(script, line, f"expected {UNENDED[piece]}, found {TokenKind.END.value}")
    width = DELIMITERS.get(kind, 0)
    return ScriptToken(kind, piece[width:-width] if width else piece, line)
