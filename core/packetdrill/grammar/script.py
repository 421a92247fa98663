"""A whole script: options, a set-up command, events, each with its time."""

from gossamer.core.packetdrill.errors import ScriptError
from gossamer.core.packetdrill.grammar.calls import call
from gossamer.core.packetdrill.grammar.cursor import Cursor
from gossamer.core.packetdrill.grammar.packets import packet
from gossamer.core.packetdrill.script import (
    Action,
    Code,
    Command,
    Script,
    ScriptEvent,
    ScriptOption,
    TcpPacket,
    Timing,
    When,
)
from gossamer.core.packetdrill.tokens import TokenKind, tokens

SECOND_US = 1_000_000
DEFINING = ("define", "D")
TIMES_US_MAX = 100 * 86_400 * SECOND_US
"""A hundred days: a longer time is a slip of the pen."""


def parse(text: str, name: str, definitions: dict[str, str]) -> Script:
    """The script of that text; `name` is for errors. Raises: ScriptError, Unsupported."""
    cursor = Cursor(tokens(text, name), name)
    cursor.definitions = dict(definitions)
    options = []
    while cursor.token.kind is TokenKind.OPTION:
        options.append(_option(cursor))
        if options[-1].name in DEFINING:
            word, _, value = options[-1].value.partition("=")
            cursor.definitions[word] = value.strip('"`')
    set_up = []
    while cursor.token.kind is TokenKind.COMMAND:
        token = cursor.take()
        set_up.append((token.line, token.text))
    events = []
    while cursor.token.kind is not TokenKind.END:
        # A command without a time cleans up; nothing is left here that it could.
        if not cursor.skip(TokenKind.COMMAND):
            events.append(_event(cursor))
    if not events:
        cursor.complain("an event")
    return Script(name, tuple(options), tuple(set_up), tuple(events))


def _option(cursor: Cursor) -> ScriptOption:
    token = cursor.take()
    name, _, value = token.text[2:].partition("=")
    return ScriptOption(name, value.strip('"') if value.startswith('"') else value, token.line)


def _event(cursor: Cursor) -> ScriptEvent:
    line = cursor.line
    when = _when(cursor)
    action = _action(cursor)
    if not _may_vary(action) and (when.timing is Timing.ANY or when.until_us != when.from_us):
        raise ScriptError(
            cursor.script, line, "expected a time, found '*' or a range: only a packet '>' can be awaited"
        )
    return ScriptEvent(line, when, action)


def _may_vary(action: Action) -> bool:
    return isinstance(action, TcpPacket) and not action.inbound


def _when(cursor: Cursor) -> When:
    """0.5, +.1, 0.5~0.7, +.1~+.2, *."""
    if cursor.skip_mark("*"):
        return When(Timing.ANY)
    timing = Timing.RELATIVE if cursor.skip_mark("+") else Timing.ABSOLUTE
    from_us = _time_us(cursor)
    until_us = from_us
    if cursor.skip_mark("~"):
        if timing is Timing.RELATIVE:
            cursor.skip_mark("+")
        line, until_us = cursor.line, _time_us(cursor)
        if until_us < from_us:
            raise ScriptError(cursor.script, line, "expected a range of times, found one that ends too early")
    return When(timing, from_us, until_us)


def _time_us(cursor: Cursor) -> int:
    if cursor.token.kind not in (TokenKind.INTEGER, TokenKind.FLOAT):
        cursor.complain("a time in seconds")
    time_us = round(float(cursor.token.text) * SECOND_US)
    if not 0 <= time_us <= TIMES_US_MAX:
        cursor.complain("a time from 0 to 100 days")
    cursor.take()
    return time_us


def _action(cursor: Cursor) -> Action:
    if cursor.is_mark("<") or cursor.is_mark(">"):
        return packet(cursor)
    if cursor.token.kind is TokenKind.COMMAND:
        return Command(cursor.take().text)
    if cursor.token.kind is TokenKind.CODE:
        return Code(cursor.take().text)
    if cursor.token.kind is TokenKind.ELLIPSIS:
        cursor.take()
        return call(cursor, _time_us(cursor))
    if cursor.token.kind is not TokenKind.WORD:
        cursor.complain("a packet, a call, a command or code")
    return call(cursor, None)
