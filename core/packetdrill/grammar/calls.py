"""Socket calls and the expressions in them: `accept(3, ..., ...) = 4`, `read(4, ..., 10) = -1 EAGAIN (Try
again)`, `poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1`.

It does not know what a word means.
"""

from typing import Final

from gossamer.core.packetdrill.grammar.cursor import Cursor
from gossamer.core.packetdrill.script import (
    Applied,
    Array,
    Braces,
    Call,
    Either,
    Expression,
    Integer,
    Named,
    Text,
    Whatever,
    Word,
)
from gossamer.core.packetdrill.tokens import TokenKind

DEPTH_MAX: Final = 32


def call(cursor: Cursor, end_us: int | None) -> Call:
    """A call, from its name on."""
    name = cursor.expect(TokenKind.WORD).text
    cursor.expect_mark("(")
    arguments = _list(cursor, ")")
    cursor.expect_mark("=")
    result = _term(cursor, applied=False)
    errno = ""
    if cursor.token.kind is TokenKind.WORD:
        errno = cursor.take().text
    if cursor.skip_mark("("):
        _note(cursor)
    return Call(name, arguments, result, errno, end_us)


def _note(cursor: Cursor) -> None:
    """(Resource temporarily unavailable), for people."""
    while not cursor.skip_mark(")"):
        if cursor.token.kind is TokenKind.END:
            cursor.complain("')'")
        cursor.take()


def _list(cursor: Cursor, closing: str) -> tuple[Expression, ...]:
    """a, b, c up to the closing mark."""
    if cursor.skip_mark(closing):
        return ()
    if cursor.depth >= DEPTH_MAX:
        cursor.complain(f"brackets at most {DEPTH_MAX} deep")
    cursor.depth += 1
    items = [expression(cursor)]
    while cursor.skip_mark(","):
        items.append(expression(cursor))
    if not cursor.is_mark(closing):
        cursor.complain(f"',' or '{closing}'")
    cursor.take()
    cursor.depth -= 1
    return tuple(items)


def expression(cursor: Cursor) -> Expression:
    """A term, or several with `|` between them."""
    terms = [_term(cursor, applied=True)]
    while cursor.skip_mark("|"):
        terms.append(_term(cursor, applied=True))
    return terms[0] if len(terms) == 1 else Either(tuple(terms))


def _term(cursor: Cursor, applied: bool) -> Expression:
    """`applied`: whether a parenthesis behind a word belongs to it; behind a result it is a note."""
    kind = cursor.token.kind
    if kind is TokenKind.ELLIPSIS:
        cursor.take()
        return Whatever()
    if kind is TokenKind.INTEGER or kind is TokenKind.HEX:
        return Integer(int(cursor.take().text, 16 if kind is TokenKind.HEX else 10))
    if kind is TokenKind.STRING:
        return _text(cursor)
    if kind is TokenKind.WORD:
        return _word(cursor, applied)
    if cursor.skip_mark("["):
        return Array(_list(cursor, "]"))
    if cursor.skip_mark("{"):
        return Braces(_list(cursor, "}"))
    return cursor.complain("a value")


def _text(cursor: Cursor) -> Expression:
    """Strings beside each other are one."""
    value = ""
    while cursor.token.kind is TokenKind.STRING:
        value += cursor.take().text
    if cursor.token.kind is TokenKind.ELLIPSIS:
        cursor.take()
    return Text(value)


def _word(cursor: Cursor, applied: bool) -> Expression:
    name = cursor.take().text
    if applied and cursor.skip_mark("("):
        arguments = _list(cursor, ")")
        if not cursor.skip_mark("="):
            return Applied(name, arguments)
        # msg_iov(1)=[...]: the number in parentheses is the length of what follows.
        return Named(name, expression(cursor))
    if applied and cursor.skip_mark("="):
        return Named(name, expression(cursor))
    return Word(name)
