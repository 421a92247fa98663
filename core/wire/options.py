"""TCP options: octets to values and back.

Owns the rules of each option's form. An option of a known kind but a wrong length is ignored like an unknown
one; only what makes the rest unreadable (length 0 or 1, or over the end of the header) spoils the segment.
It does not know what the values mean.

Source: RFC 9293 3.1 and 3.2 (MUST-6, MUST-7), RFC 7323 2.2 and 3.2, RFC 2018 2 and 3, RFC 7413 4.1.1, RFC
6994 3, RFC 5482 3, RFC 9768 3.2.3.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from gossamer.core.wire.segment import NO_TIMESTAMP, EcnBytes, SackBlock, Segment, SynOptions

END: Final = 0
NOP: Final = 1
MSS: Final = 2
WINDOW_SCALE: Final = 3
SACK_PERMITTED: Final = 4
SACK: Final = 5
TIMESTAMP: Final = 8
USER_TIMEOUT: Final = 28
FAST_OPEN: Final = 34
ECN_BYTES: Final = (172, 174)
"""AccECN0 and AccECN1: the same fields, the other way round. Source: RFC 9768 3.2.3."""
EXPERIMENT: Final = 254
FAST_OPEN_MAGIC: Final = bytes.fromhex("f989")
"""What makes an experimental option the Fast Open of before RFC 7413 (RFC 6994 3)."""

OPTIONS_BYTES_MAX: Final = 40
"""What is left of the 60 octets that a data offset of 15 can say."""
SACK_BLOCKS_MAX: Final = 4
WINDOW_SCALE_SEEN_MAX: Final = 127
"""What a larger window scale is read as: anything above 14 means 14 (RFC 7323 2.3)."""
COOKIE_BYTES: Final = frozenset((0, *range(4, 17, 2)))
"""Lengths of a Fast Open cookie; one of any other is ignored (RFC 7413 4.1.1)."""
USER_TIMEOUT_MAX: Final = 0x7FFF
"""What fits the 15 bits of a user timeout, in seconds or in minutes."""
IN_MINUTES: Final = 0x8000
"""The granularity bit of a user timeout."""


class Options(msgspec.Struct, frozen=True, gc=False):
    """What the options of one segment say; the defaults mean absent."""

    ts_val: int = NO_TIMESTAMP
    ts_ecr: int = 0
    sack: tuple[SackBlock, ...] = ()
    syn_options: SynOptions | None = None
    user_timeout_s: int = 0
    ecn_bytes: EcnBytes | None = None


NO_OPTIONS: Final = Options()
NO_SYN_OPTIONS: Final = SynOptions()


def _split(octets: bytes) -> Iterator[tuple[int, bytes] | None]:
    """Kind and value of each option; None, and no more, where they do not add up."""
    at = 0
    while at < len(octets) and octets[at] != END:
        if octets[at] == NOP:
            at += 1
            continue
        length = octets[at + 1] if at + 1 < len(octets) else 0
        if length < 2 or at + length > len(octets):
            yield None
            return
        yield octets[at], octets[at + 2 : at + length]
        at += length


def _decode_sack(value: bytes) -> tuple[SackBlock, ...] | None:
    if not value or len(value) % 8 or len(value) > 8 * SACK_BLOCKS_MAX:
        return None
    return tuple(struct.iter_unpack("!II", value))


def decode_user_timeout(field: int) -> int:
    """The seconds that the 16 bits of a user timeout option say; 0, which means nothing, says nothing (RFC
    5482 3.5)."""
    return (field & USER_TIMEOUT_MAX) * 60 if field & IN_MINUTES else field


def _decode_ecn_bytes(kind: int, value: bytes) -> EcnBytes:
    """RFC 9768 3.2.3: of an option of any other length than 2, 5, 8 and 11 "those whole 3-octet fields that
    fit" count."""
    fields = [int.from_bytes(value[at : at + 3], "big") if len(value) >= at + 3 else -1 for at in (0, 3, 6)]
    return ecn_bytes_of(fields, is_order_1=kind == ECN_BYTES[1])


def ecn_bytes_of(fields: Sequence[int], *, is_order_1: bool) -> EcnBytes:
    """The option whose fields are these, in their order."""
    first, eceb, last = fields
    return EcnBytes(last, eceb, first, True) if is_order_1 else EcnBytes(first, eceb, last)


def _decode_cookie(kind: int, value: bytes) -> bytes | None:
    """The Fast Open cookie of an option of either kind, None for any other option."""
    if kind == EXPERIMENT and value.startswith(FAST_OPEN_MAGIC):
        value = value[len(FAST_OPEN_MAGIC) :]
    elif kind != FAST_OPEN:
        return None
    return value if len(value) in COOKIE_BYTES else None


def _syn_options(values: dict[int, bytes], is_cookie_experimental: bool) -> SynOptions | None:
    mss = int.from_bytes(values[MSS], "big") if MSS in values else 0
    window_scale = min(values[WINDOW_SCALE][0], WINDOW_SCALE_SEEN_MAX) if WINDOW_SCALE in values else -1
    sack_permitted = SACK_PERMITTED in values
    cookie = values.get(FAST_OPEN)
    if not mss and window_scale < 0 and not sack_permitted and cookie is None:
        return None
    return SynOptions(mss, window_scale, sack_permitted, cookie, is_cookie_experimental)


SYN_OPTION_BYTES: Final = {MSS: 2, WINDOW_SCALE: 1, SACK_PERMITTED: 0}
"""The length of the value of each option that only a SYN may carry."""


def decode_options(octets: bytes, is_syn: bool) -> Options | None:
    """What a header's option octets say; None when they cannot be parsed. The last of several of a kind
    counts.

    RFC 7323 2.2: options that belong in a SYN are ignored in any other segment.
    """
    ts_val, ts_ecr, user_timeout_s = NO_TIMESTAMP, 0, 0
    sack: tuple[SackBlock, ...] = ()
    of_syn: dict[int, bytes] = {}
    is_experimental = False
    ecn_bytes: EcnBytes | None = None
    for option in _split(octets):
        if option is None:
            return None
        kind, value = option
        if kind == TIMESTAMP and len(value) == 8:
            ts_val, ts_ecr = struct.unpack("!II", value)
        elif kind == SACK:
            sack = _decode_sack(value) or sack
        elif kind == USER_TIMEOUT and len(value) == 2:
            user_timeout_s = decode_user_timeout(int.from_bytes(value, "big")) or user_timeout_s
        elif kind in ECN_BYTES:
            ecn_bytes = _decode_ecn_bytes(kind, value)
        elif is_syn and SYN_OPTION_BYTES.get(kind) == len(value):
            of_syn[kind] = value
        elif is_syn and (cookie := _decode_cookie(kind, value)) is not None:
            of_syn[FAST_OPEN], is_experimental = cookie, kind == EXPERIMENT
    return Options(ts_val, ts_ecr, sack, _syn_options(of_syn, is_experimental), user_timeout_s, ecn_bytes)


@lru_cache(maxsize=1024)
def _encode_syn(mss: int, window_scale: int) -> bytes:
    octets = struct.pack("!BBH", MSS, 4, mss) if mss else b""
    if window_scale >= 0:
        octets += struct.pack("BBBB", NOP, WINDOW_SCALE, 3, window_scale)
    return octets


def _encode_timestamp(ts_val: int, ts_ecr: int, sack_permitted: bool) -> bytes:
    # RFC 7323 A: NOP NOP before it puts both values on a boundary of four octets. In a SYN that room goes to
    # SACK-permitted, or the longest cookie would find none.
    first, second = (SACK_PERMITTED, 2) if sack_permitted else (NOP, NOP)
    return struct.pack("!BBBBII", first, second, TIMESTAMP, 10, ts_val, ts_ecr)


def _encode_cookie(cookie: bytes, is_experimental: bool) -> bytes:
    kind, value = (EXPERIMENT, FAST_OPEN_MAGIC + cookie) if is_experimental else (FAST_OPEN, cookie)
    octets = bytes((kind, 2 + len(value))) + value
    return octets + bytes((NOP,)) * (-len(octets) % 4)


def encode_user_timeout(seconds: int) -> int:
    """The 16 bits of a user timeout option: in seconds, or with the granularity bit in whole minutes; what is
    longer than fits is as long as fits. Source: RFC 5482 3."""
    if seconds <= USER_TIMEOUT_MAX:
        return seconds
    return IN_MINUTES | min(-(-seconds // 60), USER_TIMEOUT_MAX)


def _encode_ecn_bytes(ecn_bytes: EcnBytes) -> bytes:
    fields = b"".join(field.to_bytes(3, "big") for field in ecn_bytes.in_order() if field >= 0)
    octets = bytes((ECN_BYTES[ecn_bytes.is_order_1], 2 + len(fields))) + fields
    return octets + bytes((NOP,)) * (-len(octets) % 4)


def _encode_sack(blocks: tuple[SackBlock, ...], room_bytes: int) -> bytes:
    """As many of the first blocks as fit: RFC 2018 4 puts those first that matter most."""
    count = min(len(blocks), (room_bytes - 4) // 8, SACK_BLOCKS_MAX)
    if count <= 0:
        return b""
    edges = [edge for block in blocks[:count] for edge in block]
    return struct.pack(f"!BBBB{2 * count}I", NOP, NOP, SACK, 2 + 8 * count, *edges)


def encode_options(segment: Segment) -> bytes:
    """All options of a segment, a multiple of four and at most OPTIONS_BYTES_MAX octets; the user timeout,
    the AccECN option and SACK blocks give way.
    """
    of_syn = segment.syn_options or NO_SYN_OPTIONS
    octets = _encode_syn(of_syn.mss, of_syn.window_scale)
    if segment.ts_val >= 0:
        octets += _encode_timestamp(segment.ts_val, segment.ts_ecr, of_syn.sack_permitted)
    elif of_syn.sack_permitted:
        octets += struct.pack("BBBB", NOP, NOP, SACK_PERMITTED, 2)
    if of_syn.cookie is not None:
        octets += _encode_cookie(of_syn.cookie, of_syn.is_cookie_experimental)
    if segment.user_timeout_s and len(octets) < OPTIONS_BYTES_MAX:
        octets += struct.pack("!BBH", USER_TIMEOUT, 4, encode_user_timeout(segment.user_timeout_s))
    if segment.ecn_bytes is not None:
        counters = _encode_ecn_bytes(segment.ecn_bytes)
        octets += counters if len(octets) + len(counters) <= OPTIONS_BYTES_MAX else b""
    if segment.sack:
        octets += _encode_sack(segment.sack, OPTIONS_BYTES_MAX - len(octets))
    return octets
