"""TCP options: `<mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>`, `<...>`."""

import re
from typing import Final

from gossamer.core.packetdrill.errors import Unsupported
from gossamer.core.packetdrill.grammar.cursor import Cursor
from gossamer.core.packetdrill.script import TcpOption
from gossamer.core.packetdrill.tokens import TokenKind
from gossamer.core.wire.options import ECN_BYTES

U32_MAX: Final = 0xFFFFFFFF
ANY_TIMESTAMP: Final = -1
"""`TS val ... ecr ...`: whatever it is."""
PLAIN: Final = frozenset({"nop", "eol", "sackOK"})
BLOBS: Final = frozenset({"FO", "FOEXP", "md5"})
ECN_COUNTERS: Final = {"e0b": ECN_BYTES[0], "e1b": ECN_BYTES[1]}
"""The counter that stands first says of which kind an AccECN option is."""
U24_MAX: Final = 0xFFFFFF
BLOB: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")


def tcp_options(cursor: Cursor) -> tuple[TcpOption, ...] | None:
    """The options behind a packet: () when there are none, None for `<...>`."""
    if not cursor.skip_mark("<"):
        return ()
    if cursor.token.kind is TokenKind.ELLIPSIS:
        cursor.take()
        cursor.expect_mark(">")
        return None
    found = [_option(cursor)]
    while cursor.skip_mark(","):
        found.append(_option(cursor))
    cursor.expect_mark(">")
    return tuple(found)


def _option(cursor: Cursor) -> TcpOption:
    if cursor.token.kind is not TokenKind.WORD:
        cursor.complain("a TCP option")
    line = cursor.line
    name = cursor.take().text
    if name in PLAIN:
        return TcpOption(name)
    if name == "mss":
        return TcpOption(name, (cursor.integer("mss", 0xFFFF),))
    if name == "wscale":
        return TcpOption(name, (cursor.integer("wscale", 0xFF),))
    if name == "TS":
        return TcpOption(name, _timestamps(cursor))
    if name == "sack":
        return TcpOption(name, _blocks(cursor))
    if name == "ECN":
        return TcpOption(name, _ecn_bytes(cursor))
    if name in BLOBS:
        return TcpOption(name, octets=_blob(cursor))
    raise Unsupported(f"TCP option {name}", line)


def _ecn_bytes(cursor: Cursor) -> tuple[int, ...]:
    """`e0b N ceb N e1b N`, or from e1b on, as many of them as there are; the kind, then the counters."""
    first = next((name for name in ECN_COUNTERS if cursor.skip_word(name)), None)
    if first is None:
        return (ECN_BYTES[0],)
    found = [ECN_COUNTERS[first], cursor.integer(first, U24_MAX)]
    for name in ("ceb", "e1b" if first == "e0b" else "e0b"):
        if not cursor.skip_word(name):
            break
        found.append(cursor.integer(name, U24_MAX))
    return tuple(found)


def _timestamps(cursor: Cursor) -> tuple[int, int]:
    if not cursor.skip_word("val"):
        cursor.complain("'val'")
    val = _timestamp(cursor, "TS val")
    if not cursor.skip_word("ecr"):
        cursor.complain("'ecr'")
    return val, _timestamp(cursor, "TS ecr")


def _timestamp(cursor: Cursor, name: str) -> int:
    return ANY_TIMESTAMP if cursor.skip(TokenKind.ELLIPSIS) else cursor.integer(name, U32_MAX)


def _blocks(cursor: Cursor) -> tuple[int, ...]:
    """left:right left:right ..., flat."""
    edges: list[int] = []
    while not edges or cursor.token.kind is TokenKind.INTEGER:
        edges.append(cursor.integer("the left edge of a SACK block", U32_MAX))
        cursor.expect_mark(":")
        edges.append(cursor.integer("the right edge of a SACK block", U32_MAX))
    return tuple(edges)


def _blob(cursor: Cursor) -> bytes:
    if cursor.token.kind not in (TokenKind.WORD, TokenKind.INTEGER):
        return b""
    digits = cursor.definitions.get(cursor.token.text, cursor.token.text)
    if not BLOB.fullmatch(digits):
        cursor.complain("an even number of hexadecimal digits")
    cursor.take()
    return bytes.fromhex(digits)
