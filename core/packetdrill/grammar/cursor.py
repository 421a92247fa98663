"""Where the parser stands in the tokens, and how it complains."""

from typing import NoReturn

from gossamer.core.packetdrill.errors import ScriptError
from gossamer.core.packetdrill.tokens import ScriptToken, TokenKind


class Cursor:
    """A place in a list of tokens, which ends with END."""

    def __init__(self, tokens: list[ScriptToken], script: str) -> None:
        self.definitions: dict[str, str] = {}
        """What --define gave a name."""
        self._tokens = tokens
        self._at = 0
        self.script = script
        self.depth = 0
        """Brackets that are open."""

    @property
    def token(self) -> ScriptToken:
        """The token to be read next."""
        return self._tokens[self._at]

    @property
    def line(self) -> int:
        """Its line."""
        return self.token.line

    def ahead(self, count: int) -> ScriptToken:
        """The token `count` further on, or END."""
        return self._tokens[min(self._at + count, len(self._tokens) - 1)]

    def take(self) -> ScriptToken:
        """Read a token."""
        token = self.token
        if token.kind is not TokenKind.END:
            self._at += 1
        return token

    def is_mark(self, text: str) -> bool:
        """Whether the next token is that mark."""
        return self.token.kind is TokenKind.MARK and self.token.text == text

    def is_word(self, *texts: str) -> bool:
        """Whether the next token is one of these words."""
        return self.token.kind is TokenKind.WORD and self.token.text in texts

    def skip_mark(self, text: str) -> bool:
        """Read that mark if it is there."""
        return self.is_mark(text) and bool(self.take())

    def skip_word(self, *texts: str) -> bool:
        """Read one of these words if it is there."""
        return self.is_word(*texts) and bool(self.take())

    def skip(self, kind: TokenKind) -> bool:
        """Read a token of that kind if it is there."""
        return self.token.kind is kind and bool(self.take())

    def expect_mark(self, text: str) -> None:
        """Read that mark. Raises: ScriptError."""
        if not self.skip_mark(text):
            self.complain(f"'{text}'")

    def expect(self, kind: TokenKind) -> ScriptToken:
        """Read a token of that kind. Raises: ScriptError."""
        if self.token.kind is not kind:
            self.complain(kind.value)
        return self.take()

    def integer(self, name: str, most: int) -> int:
        """Read an integer 0 .. most. Raises: ScriptError."""
        token = self.token
        if token.kind not in (TokenKind.INTEGER, TokenKind.HEX):
            self.complain(f"{name}, {TokenKind.INTEGER.value}")
        value = int(token.text, 0 if token.kind is TokenKind.HEX else 10)
        if not 0 <= value <= most:
            self.complain(f"{name} from 0 to {most}")
        self.take()
        return value

    def complain(self, expected: str) -> NoReturn:
        """Raises: ScriptError."""
        raise ScriptError(self.script, self.line, f"expected {expected}, found {self.token}")
