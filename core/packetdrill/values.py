"""Expressions to values: numbers, text, lists, and `...`."""

from typing import Final

from gossamer.core.packetdrill.errors import Mismatch, Unsupported
from gossamer.core.packetdrill.script import (
    Applied,
    Array,
    Braces,
    Either,
    Expression,
    Integer,
    Named,
    Text,
    Whatever,
    Word,
)
from gossamer.core.packetdrill.symbols import ASSERTION_WORDS, NUMBERS

FUNCTIONS: Final = frozenset({"htons", "htonl", "ntohs", "ntohl"})
"""They change the order of octets, which numbers here do not have."""

ALIASES: Final = {"EWOULDBLOCK": "EAGAIN", "ENOTSUP": "EOPNOTSUPP"}


class Reader:
    """Reads expressions. `definitions` are those of --define."""

    def __init__(self, definitions: dict[str, str]) -> None:
        self._definitions = definitions

    def word(self, expression: Expression) -> str:
        """The name of a symbol, "" for anything else."""
        if not isinstance(expression, Word):
            return ""
        return self._definitions.get(expression.name, expression.name)

    def number(self, expression: Expression, default: int | None = None) -> int:
        """A number; `default` for `...`. Raises: Unsupported for a word without a number here, Mismatch."""
        if isinstance(expression, Integer):
            return expression.value
        if isinstance(expression, Whatever) and default is not None:
            return default
        if isinstance(expression, Either):
            value = 0
            for part in expression.parts:
                value |= self.number(part)
            return value
        if isinstance(expression, Word):
            return self._symbol(expression)
        if isinstance(expression, Applied) and expression.name in FUNCTIONS and expression.arguments:
            return self.number(expression.arguments[0])
        raise Mismatch("expected a number among the arguments")

    def _symbol(self, word: Word) -> int:
        name = self.word(word)
        if name in NUMBERS:
            return NUMBERS[name]
        if name in ASSERTION_WORDS:
            return ASSERTION_WORDS[name]
        try:
            return int(name, 0)
        except ValueError:
            raise Unsupported(name) from None

    def errno(self, name: str) -> str:
        """The name of an error, as it is called here."""
        name = self._definitions.get(name, name)
        return ALIASES.get(name, name)

    def text(self, expression: Expression) -> str | None:
        """A string, given as such or as a word."""
        if isinstance(expression, Text):
            return expression.value.split("\\0", 1)[0]
        return self.word(expression) or None

    def items(self, expression: Expression) -> tuple[Expression, ...]:
        """What stands in brackets or braces; the thing itself when it stands in none."""
        if isinstance(expression, Array | Braces):
            return expression.items
        return (expression,)

    def port(self, address: Expression) -> int | None:
        """The port of {sa_family=..., sin_port=htons(80), ...}, None when it is left open."""
        if not isinstance(address, Braces):
            return None
        field = address.field("sin_port") or address.field("sin6_port")
        return None if field is None or isinstance(field, Whatever) else self.number(field)

    def is_any(self, expression: Expression) -> bool:
        """Whether it is `...`."""
        return isinstance(expression, Whatever)

    def named(self, expression: Expression, name: str) -> Expression | None:
        """A field of a struct."""
        if isinstance(expression, Braces):
            return expression.field(name)
        if isinstance(expression, Named) and expression.name == name:
            return expression.value
        return None
