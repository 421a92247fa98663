"""What stood on the wire of one end, judged: by tshark's TCP analysis, and by a count of our own of what each
side was allowed to send.

Owns what is a fault of a sender whatever the link did to its packets (`faults`), and what may only be where
packets were lost (`repairs`). A capture is taken where its sender stands, so that what is in it was known to
the sender. The caller says what a scenario is allowed.

Source: Wireshark's tcp.analysis.*; RFC 9293 3.8.6 for the right edge of the window.
"""

from collections import Counter
from typing import Final

import msgspec

from gossamer.loadtest.capture import Capture

FIELDS: Final = (
    "tcp.stream",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq",
    "tcp.len",
    "tcp.ack",
    "tcp.window_size",
    "tcp.checksum.status",
    "tcp.checksum",
    "tcp.flags",
)
REPAIRS: Final = (
    "retransmission",
    "fast_retransmission",
    "spurious_retransmission",
    "lost_segment",
    "ack_lost_segment",
    "out_of_order",
)
"""Nothing of these happens where no packet is lost or overtaken."""
ANALYSIS: Final = (
    *REPAIRS,
    "zero_window",
    "zero_window_probe",
    "window_full",
    "keep_alive",
    "duplicate_ack",
)
FIN, SYN, RST, ACK, URG = 0x01, 0x02, 0x04, 0x10, 0x20
BAD_CHECKSUM: Final = "0"
MINUS_ZERO: Final = "0xffff"
"""Linux writes it for a sum of zero, as UDP has to; in ones' complement that is the same, though tshark (RFC
1624) calls it bad."""


class Packet(msgspec.Struct, frozen=True):
    """One packet of a capture, as far as it is judged. Sequence numbers are relative to the first."""

    stream: str
    source_port: int
    target_port: int
    seq: int
    length: int
    ack: int
    window: int
    has_bad_checksum: bool
    flags: int
    analysis: tuple[str, ...]


class Judgement(msgspec.Struct, frozen=True):
    """Of all packets that one end sent on one port: how many of each kind."""

    faults: Counter[str]
    repairs: Counter[str]
    seen: Counter[str]
    """What is neither right nor wrong by itself: resets, probes, closed windows, URG. A "late reset" answers
    what the link has held back or doubled, when both ends had sent their FIN (RFC 9293 3.10.7.1)."""
    longest_bytes: int = 0


def read(capture: Capture) -> list[Packet]:
    """All packets of a capture. Raises: NamespaceError."""
    names = [*FIELDS, *(f"tcp.analysis.{name}" for name in ANALYSIS)]
    return [_packet(row) for row in capture.fields(names, "tcp")]


def _packet(row: list[str]) -> Packet:
    stream, source, target, seq, length, ack, window, status, checksum, flags = row[: len(FIELDS)]
    marks = row[len(FIELDS) :] + [""] * len(ANALYSIS)
    return Packet(
        stream,
        int(source),
        int(target),
        int(seq),
        int(length or 0),
        int(ack or 0),
        int(window or 0),
        status == BAD_CHECKSUM and checksum != MINUS_ZERO,
        # What a bad link has done to a header may leave it without flags.
        int(flags or "0", 16),
        tuple(name for name, mark in zip(ANALYSIS, marks, strict=False) if mark),
    )


def judge(packets: list[Packet], port: int, *, is_server: bool) -> Judgement:
    """What the end on that port sent, or the end that talks to it."""
    judged = Judgement(Counter(), Counter(), Counter())
    edges: dict[str, int] = {}
    fins: set[tuple[str, int]] = set()
    longest = 0
    # The client's port may be the port of another run, so the SYN says which is the server's.
    streams = {p.stream for p in packets if p.target_port == port and p.flags & (SYN | ACK) == SYN}
    for packet in packets:
        if packet.stream not in streams:
            continue
        if packet.flags & FIN and not packet.has_bad_checksum:
            fins.add((packet.stream, packet.source_port))
        if (packet.source_port == port) == is_server:
            longest = max(longest, packet.length)
            is_over = {(packet.stream, packet.source_port), (packet.stream, packet.target_port)} <= fins
            _judge_one(judged, packet, edges.get(packet.stream), is_over)
        elif packet.flags & ACK and not packet.has_bad_checksum:
            edge = packet.ack + packet.window
            edges[packet.stream] = max(edges.get(packet.stream, 0), edge)
    return msgspec.structs.replace(judged, longest_bytes=longest)


def _judge_one(judged: Judgement, packet: Packet, edge: int | None, is_over: bool) -> None:
    judged.seen["packets"] += 1
    judged.seen["late reset" if is_over else "reset"] += bool(packet.flags & RST)
    judged.seen["urgent"] += bool(packet.flags & URG)
    judged.faults["bad checksum"] += packet.has_bad_checksum
    is_probe = packet.length == 1 and edge is not None and packet.seq == edge
    judged.seen["probe of a closed window"] += is_probe
    is_beyond = edge is not None and packet.length > 0 and packet.seq + packet.length > edge
    judged.faults["out of window"] += is_beyond and not is_probe
    for name in packet.analysis:
        (judged.repairs if name in REPAIRS else judged.seen)[name] += 1
