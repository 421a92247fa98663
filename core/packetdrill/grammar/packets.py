"""Packets: `< S 0:0(0) win 32792 <mss 1000>`, `> [ect0] P. 1:11(10) ack 1`, `< icmp unreachable frag_needed
mtu 1400 [1:1001(1000)]`."""

import functools
import operator
from typing import Final

from gossamer.core.packetdrill.errors import Unsupported
from gossamer.core.packetdrill.grammar.cursor import Cursor
from gossamer.core.packetdrill.grammar.options import U32_MAX, tcp_options
from gossamer.core.packetdrill.script import IcmpPacket, IpInfo, TcpPacket
from gossamer.core.packetdrill.tokens import TokenKind
from gossamer.core.wire.segment import ACE_FLAGS, ACK, AE, CWR, ECE, FIN, PSH, RST, SYN, URG

COUNTER: Final = dict(zip("01234567", ACE_FLAGS, strict=True))
"""AE, CWR and ECE as the counter of accurate ECN (RFC 9768 3.1.1)."""
LETTERS: Final = {"F": FIN, "S": SYN, "R": RST, "P": PSH, ".": ACK, "U": URG, "E": ECE, "W": CWR, "A": AE}
FLAGS: Final = LETTERS | COUNTER
ECN: Final = {"noecn": 0, "ect1": 1, "ect0": 2, "ce": 3}
OTHERS: Final = frozenset({"udp", "gre", "GREv0", "mpls", "ipv4", "ipv6", "sctp", "udplite"})
"""What else may follow the direction in the language."""


def packet(cursor: Cursor) -> TcpPacket | IcmpPacket:
    """A packet, from its direction on."""
    inbound = cursor.take().text == "<"
    quoted = _quoted_first(cursor)
    if quoted is not None:
        return _icmp(cursor, inbound, quoted)
    ip = _ip_info(cursor)
    if cursor.token.kind is TokenKind.WORD and cursor.token.text in OTHERS:
        raise Unsupported(f"{cursor.token.text} packet", cursor.line)
    if cursor.skip_word("icmp"):
        return _icmp(cursor, inbound)
    return _tcp(cursor, inbound, ip)


def _quoted_first(cursor: Cursor) -> tuple[int, int] | None:
    """What an ICMP error quotes, where it stands before it: `[1:11(10)] icmp unreachable`."""
    if not cursor.is_mark("[") or cursor.ahead(1).kind is not TokenKind.INTEGER:
        return None
    cursor.take()
    quoted = sequence(cursor)
    cursor.expect_mark("]")
    if not cursor.skip_word("icmp"):
        cursor.complain("icmp behind the segment that it quotes")
    return quoted


def _ip_info(cursor: Cursor) -> IpInfo:
    for left, right in (("[", "]"), ("(", ")")):
        if cursor.skip_mark(left):
            info = _ip_fields(cursor)
            cursor.expect_mark(right)
            return info
    return IpInfo()


def _ip_fields(cursor: Cursor) -> IpInfo:
    ecn = tos = ttl = label = None
    is_ect01 = False
    while True:
        if cursor.token.kind is TokenKind.WORD and cursor.token.text in ECN:
            ecn = ECN[cursor.take().text]
        elif cursor.skip_word("ect01"):
            is_ect01 = True
        elif cursor.skip_word("tos", "class"):
            tos = cursor.integer("tos", 0xFF)
        elif cursor.skip_word("ttl", "hlim"):
            ttl = cursor.integer("ttl", 0xFF)
        elif cursor.skip_word("flowlabel"):
            label = cursor.integer("flowlabel", 0xFFFFF)
        else:
            cursor.complain("noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel")
        if not cursor.skip_mark(","):
            return IpInfo(ecn, is_ect01, tos, ttl, label)


def _tcp(cursor: Cursor, inbound: bool, ip: IpInfo) -> TcpPacket:
    ports = _ports(cursor)
    line = cursor.line
    flags = _flags(cursor)
    seq, length = _sequence_of(cursor, flags)
    ack = cursor.integer("ack", U32_MAX) if cursor.skip_word("ack") else None
    window = cursor.integer("win", 0xFFFF) if cursor.skip_word("win") else None
    urgent = cursor.integer("urg", 0xFFFF) if cursor.skip_word("urg") else 0
    options = tcp_options(cursor)
    if options is None and inbound:
        cursor.complain("TCP options of a packet to inject, '<...>' is for expected ones")
    if cursor.is_mark("{"):
        raise Unsupported("fuzzing of a packet", line)
    return TcpPacket(inbound, flags, seq, length, ack, window, urgent, options, ip, ports)


def _ports(cursor: Cursor) -> tuple[int, int] | None:
    if cursor.token.kind is not TokenKind.INTEGER or cursor.ahead(1).text != ">":
        return None
    source = cursor.integer("a port", 0xFFFF)
    cursor.expect_mark(">")
    return source, cursor.integer("a port", 0xFFFF)


def _flags(cursor: Cursor) -> int:
    """S, S., P., F., R, SEW, . or -; a digit stands for the three flags of the counter ACE: P5. or P.5."""
    if cursor.skip_mark("-"):
        return 0
    is_word = cursor.token.kind is TokenKind.WORD or cursor.token.text in COUNTER
    tokens = [cursor.token] if is_word else []
    follows = cursor.ahead(len(tokens))
    if follows.kind is TokenKind.FLOAT or (follows.kind is TokenKind.MARK and follows.text == "."):
        tokens.append(follows)
    letters = "".join(token.text for token in tokens)
    digits = sum(letter in COUNTER for letter in letters)
    if not letters or set(letters) - FLAGS.keys() or digits + (not set(letters).isdisjoint("EWA")) > 1:
        cursor.complain("the flags of a packet (of F S R P . U E W A, or 0 to 7 for E W A), or -")
    for _ in tokens:
        cursor.take()
    return functools.reduce(operator.or_, (FLAGS[letter] for letter in letters))


def _sequence_of(cursor: Cursor, flags: int) -> tuple[int, int]:
    """That of a segment; `...(0)` for a SYN, whose number is whatever it is."""
    if not flags & SYN or not cursor.skip(TokenKind.ELLIPSIS):
        return sequence(cursor)
    cursor.expect_mark("(")
    length = cursor.integer("a length", 0xFFFF)
    cursor.expect_mark(")")
    return 0, length


def sequence(cursor: Cursor) -> tuple[int, int]:
    """first:last(length): (first, length)."""
    first = cursor.integer("a sequence number", U32_MAX)
    cursor.expect_mark(":")
    last = cursor.integer("a sequence number", U32_MAX)
    cursor.expect_mark("(")
    if cursor.token.kind is TokenKind.INTEGER and (first + int(cursor.token.text) - last) & U32_MAX:
        cursor.complain(f"the length {(last - first) & U32_MAX}")
    length = cursor.integer("a length", 0xFFFF)
    cursor.expect_mark(")")
    return first, length


def _icmp(cursor: Cursor, inbound: bool, quoted: tuple[int, int] | None = None) -> IcmpPacket:
    kind = cursor.expect(TokenKind.WORD).text
    words = ("mtu", "id")
    code = ""
    if cursor.token.kind in (TokenKind.WORD, TokenKind.INTEGER) and cursor.token.text not in words:
        code = cursor.take().text
    mtu = cursor.integer("mtu", U32_MAX) if cursor.skip_word("mtu") else None
    if cursor.is_word("id"):
        raise Unsupported("icmp echo", cursor.line)
    seq, length = quoted or (0, 0)
    if quoted is None and cursor.skip_mark("["):
        if cursor.is_word("udp", "raw"):
            raise Unsupported(f"icmp that quotes {cursor.token.text}", cursor.line)
        seq, length = sequence(cursor)
        cursor.expect_mark("]")
    return IcmpPacket(inbound, kind, code, mtu, seq, length)
