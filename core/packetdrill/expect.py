"""An expected packet against what was sent.

Owns the rules of the match and the words for what differs. Lenient: payload may come in several segments, PSH
and the window are not looked at. Strict: all of it.
"""

from typing import Final

import msgspec

from gossamer.core.packetdrill.errors import Mismatch
from gossamer.core.packetdrill.grammar.options import ANY_TIMESTAMP
from gossamer.core.packetdrill.grammar.packets import LETTERS
from gossamer.core.packetdrill.layout import options_by_name
from gossamer.core.packetdrill.mapping import Mapping
from gossamer.core.packetdrill.profiles import Layout
from gossamer.core.packetdrill.script import TcpOption, TcpPacket
from gossamer.core.records import replace
from gossamer.core.tcp.parameters import DEFAULT_PARAMETERS
from gossamer.core.wire.options import ECN_BYTES, ecn_bytes_of
from gossamer.core.wire.segment import ACK, ECT_0, ECT_1, PSH, RST, SYN, Segment

HOP_LIMIT: Final = DEFAULT_PARAMETERS.ttl
"""Of all that is sent; a flow label is never set."""
UNLOOKED: Final = PSH
"""Flags that lenient matching leaves alone."""


class SentSegment(msgspec.Struct, frozen=True, gc=False):
    """What was sent, in numbers of the script."""

    segment: Segment
    length: int
    segments: int = 1
    """How many were taken together."""
    first_length: int = 0
    """Octets of the first of several."""
    are_equal: bool = True
    """Whether all but the last were as long as the first, and the last no longer: a large segment that a
    device has cut."""


def flags_text(flags: int) -> str:
    """S., P., ... as scripts have it."""
    return (
        "".join(letter for letter, bit in LETTERS.items() if flags & bit and bit != ACK)
        + ("." if flags & ACK else "")
        or "-"
    )


def segment_text(segment: Segment, length: int) -> str:
    """A segment as a script would write it."""
    end = segment.seq + length
    ack = f" ack {segment.ack}" if segment.flags & ACK else ""
    return f"{flags_text(segment.flags)} {segment.seq}:{end}({length}){ack} win {segment.window}"


def option_text(option: TcpOption) -> str:
    """An option as a script would write it."""
    numbers = option.numbers
    if option.name == "TS":
        return f"TS val {numbers[0]} ecr {numbers[1]}"
    if option.name == "sack":
        blocks = zip(numbers[::2], numbers[1::2], strict=True)
        return " ".join(["sack", *(f"{left}:{right}" for left, right in blocks)])
    if option.name == "ECN":
        fields = [*numbers[1:], -1, -1, -1][:3]
        return str(ecn_bytes_of(fields, is_order_1=numbers[0] == ECN_BYTES[1]))
    return " ".join([option.name, *map(str, numbers), *([option.octets.hex()] if option.octets else [])])


def options_text(options: tuple[TcpOption, ...]) -> str:
    """Options as a script would write them."""
    return "<" + ",".join(map(option_text, options)) + ">"


def first_difference(packet: TcpPacket, seen: SentSegment) -> str:
    """What of the header differs, "" when nothing does that lenient matching looks at."""
    segment = seen.segment
    if (packet.flags ^ segment.flags) & ~UNLOOKED:
        return f"flags: expected {flags_text(packet.flags)}, got {flags_text(segment.flags)}"
    if packet.seq != segment.seq:
        return f"seq: expected {packet.seq}, got {segment.seq}"
    if packet.length != seen.length:
        return f"length: expected {packet.length}, got {seen.length}"
    if packet.ack is not None and packet.flags & ACK and packet.ack != segment.ack:
        return f"ack: expected {packet.ack}, got {segment.ack}"
    ecn = packet.ip.ecn
    if ecn is not None and ecn != segment.ecn:
        return f"ecn: expected {ecn}, got {segment.ecn}"
    if packet.ip.is_ect01 and segment.ecn not in (ECT_0, ECT_1):
        return f"ecn: expected ect0 or ect1, got {segment.ecn}"
    if packet.ip.tos is not None and packet.ip.tos != segment.ecn:
        return f"tos: expected {packet.ip.tos:#x}, got {segment.ecn:#x}"
    if packet.ip.ttl is not None and packet.ip.ttl != HOP_LIMIT:
        return f"ttl: expected {packet.ip.ttl}, got {HOP_LIMIT}"
    if packet.ip.flow_label:
        return f"flowlabel: expected {packet.ip.flow_label:#x}, got 0"
    if packet.urgent != segment.urgent:
        return f"urg: expected {packet.urgent}, got {segment.urgent}"
    return ""


def strict_difference(packet: TcpPacket, seen: SentSegment, segments: bool) -> str:
    """What only strict matching looks at; with `segments` (--strict_segments) in how many the text came, and
    else whether they are full, the last apart."""
    segment = seen.segment
    if (packet.flags ^ segment.flags) & UNLOOKED:
        return f"flags: expected {flags_text(packet.flags)}, got {flags_text(segment.flags)}"
    if packet.window is not None and packet.window != segment.window:
        return f"win: expected {packet.window}, got {segment.window}"
    if seen.segments > 1 and (segments or not seen.are_equal):
        return f"segments: expected 1 of {packet.length} octets, got {seen.segments}"
    return ""


class TimestampCheck(msgspec.Struct, frozen=True, gc=False):
    """Whether timestamps are compared: --tcp_ts_tick_usecs."""

    tick_us: int = 0
    tolerance_us: int = 0

    def differs(self, expected: tuple[int, ...], got: tuple[int, ...]) -> bool:
        """The value may be off by the tolerance; the echo may not."""
        if not self.tick_us:
            return False
        val, ecr = expected
        is_late = val != ANY_TIMESTAMP and abs(val - got[0]) * self.tick_us > self.tolerance_us
        return is_late or (ecr != ANY_TIMESTAMP and ecr != got[1])


def option_difference(
    packet: TcpPacket, segment: Segment, layout: Layout, mapping: Mapping, check: TimestampCheck
) -> str:
    """Options are compared in their exact order, padding included."""
    if packet.options is None:
        return ""
    found = options_by_name(segment)
    _learn(packet.options, found, mapping)
    got = layout(found)
    expected = tuple(option.name for option in packet.options)
    if expected != tuple(option.name for option in got):
        return f"options: expected {options_text(packet.options)}, got {options_text(got)}"
    for wanted, had in zip(packet.options, got, strict=True):
        if wanted.name == "TS":
            differs = check.differs(wanted.numbers, had.numbers)
        else:
            differs = wanted != had
        if differs:
            return f"option {wanted.name}: expected {option_text(wanted)}, got {option_text(had)}"
    return ""


def _learn(expected: tuple[TcpOption, ...], found: dict[str, TcpOption], mapping: Mapping) -> None:
    """Our timestamp in this packet is called what the script calls it; `found` then holds it so."""
    stamp = found.get("TS")
    wanted = next((option for option in expected if option.name == "TS"), None)
    if stamp is None:
        return
    if wanted is not None and wanted.numbers[0] != ANY_TIMESTAMP:
        mapping.learn_timestamp(wanted.numbers[0], stamp.numbers[0])
    found["TS"] = TcpOption("TS", (mapping.script_timestamp(stamp.numbers[0]), stamp.numbers[1]))


def packet_text(packet: TcpPacket) -> str:
    """A packet of the script, as it stands there."""
    end = (packet.seq + packet.length) & 0xFFFFFFFF
    ack = f" ack {packet.ack}" if packet.ack is not None else ""
    return f"{flags_text(packet.flags)} {packet.seq}:{end}({packet.length}){ack}"


def taken_together(seen: SentSegment, following: Segment) -> SentSegment:
    """Both as one. Raises: Mismatch when they do not follow each other."""
    expected = (seen.segment.seq + seen.length) & 0xFFFFFFFF
    if following.seq != expected or following.flags & (SYN | RST):
        raise Mismatch(
            f"expected payload to go on at {expected}, got {segment_text(following, len(following.payload))}"
        )
    joined = replace(
        seen.segment, flags=seen.segment.flags | following.flags, window=following.window, ack=following.ack
    )
    first_length = seen.first_length or seen.length
    return SentSegment(
        joined,
        seen.length + len(following.payload),
        seen.segments + 1,
        first_length,
        seen.length == first_length * seen.segments and len(following.payload) <= first_length,
    )
