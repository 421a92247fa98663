"""The segment: what a TCP header says, as a value.

Owns the record that the codec makes from bytes, that `core.tcp.step` takes in and gives out, and that the
emitter turns back into bytes. It knows two bits of the IP header, those of ECN, and nothing of sockets and C.

Source: RFC 9293 3.1 and 3.2, RFC 3168 5.
"""

from typing import Final

import msgspec

from gossamer.core.wire.text import Payload

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80
AE: Final = 0x100
"""Accurate ECN, once the nonce sum. Source: RFC 9768 3.1."""
ACE_FLAGS: Final = tuple(AE * (n >> 2) | CWR * (n >> 1 & 1) | ECE * (n & 1) for n in range(8))
"""The three bits that are the field ACE, by its value."""

NOT_ECT: Final = 0
ECT_1: Final = 1
ECT_0: Final = 2
CE: Final = 3
"""The codepoints of the ECN field of the IP header. Source: RFC 3168 5, figure 1."""
ECN_NAMES: Final = {NOT_ECT: "Not-ECT", ECT_1: "ECT(1)", ECT_0: "ECT(0)", CE: "CE"}
ECN_BITS: Final = 2
"""How far above it the Diffserv field begins."""

NO_TIMESTAMP: Final = -1
"""`ts_val` of a segment without the timestamps option."""

SackBlock = tuple[int, int]
"""Left edge and right edge, sequence numbers as they are on the wire. Source: RFC 2018 3."""

FLAG_NAMES: Final = {
    SYN: "SYN",
    FIN: "FIN",
    RST: "RST",
    PSH: "PSH",
    ACK: "ACK",
    URG: "URG",
    ECE: "ECE",
    CWR: "CWR",
    AE: "AE",
}
"""RFC 9293 3.1, in the order in which people say them."""


class SynOptions(msgspec.Struct, frozen=True, gc=False):
    """The options that only a SYN may carry."""

    mss: int = 0
    """Maximum segment size in bytes; 0 when the option is absent. Source: RFC 9293 3.7.1."""
    window_scale: int = -1
    """Shift count 0..14; -1 when the option is absent. Source: RFC 7323 2."""
    sack_permitted: bool = False
    """Source: RFC 2018 2."""
    cookie: bytes | None = None
    """TCP Fast Open: a cookie of 4 to 16 octets, b"" to ask for one, None when the option is absent. Source:
    RFC 7413 4.1.1."""
    is_cookie_experimental: bool = False
    """Whether that option is the one of before RFC 7413: kind 254 and a magic number (RFC 6994 3)."""


class EcnBytes(msgspec.Struct, frozen=True, gc=False):
    """The AccECN option: how many octets of text have come with each codepoint, the lowest 24 bits of three
    counters; -1 where the option ends before the field. Source: RFC 9768 3.2.3."""

    ee0b: int = -1
    """With ECT(0)."""
    eceb: int = -1
    """With CE."""
    ee1b: int = -1
    """With ECT(1)."""
    is_order_1: bool = False
    """Whether EE1B stands first and EE0B last: kind 174 rather than 172."""

    def in_order(self) -> tuple[int, int, int]:
        """The fields as the option has them."""
        first, last = (self.ee1b, self.ee0b) if self.is_order_1 else (self.ee0b, self.ee1b)
        return first, self.eceb, last

    def __str__(self) -> str:
        """As packetdrill writes it.

        >>> from gossamer.tcp import EcnBytes
        >>> print(EcnBytes(ee0b=1449, eceb=0))
        ECN e0b 1449 ceb 0
        """
        names = ("e1b", "ceb", "e0b") if self.is_order_1 else ("e0b", "ceb", "e1b")
        fields = [f" {name} {n}" for name, n in zip(names, self.in_order(), strict=True) if n >= 0]
        return "ECN" + "".join(fields)


class Segment(msgspec.Struct, frozen=True, gc=False):
    """One TCP segment, in or out.

    Units: `seq` and `ack` are sequence numbers, `window` is the field of the header, not yet scaled; `ts_val`
    and `ts_ecr` are 32-bit timestamp values.
    """

    seq: int
    ack: int
    flags: int
    window: int
    ts_val: int = NO_TIMESTAMP
    ts_ecr: int = 0
    payload: Payload = b""
    """Octets; in one that goes `TextInParts` where they would have to be copied, or stand in a file."""
    sack: tuple[SackBlock, ...] = ()
    syn_options: SynOptions | None = None
    urgent: int = 0
    """Urgent pointer; 0 without URG."""
    ecn: int = NOT_ECT
    """ECN codepoint of the IP header that the segment came or goes with; of one that goes, the six bits above
    it are the Diffserv field (RFC 2474 3)."""
    user_timeout_s: int = 0
    """User timeout option in seconds; 0 when it is absent. Source: RFC 5482 3."""
    cut_bytes: int = 0
    """Of a super-segment that goes: how many octets of text each of its packets bears, the last one what is
    left (`core.wire.cutting`). 0 when it is one packet. Source: gso_size of the kernel's
    Documentation/networking/segmentation-offloads.rst."""
    ecn_bytes: EcnBytes | None = None
    """The AccECN option."""

    def __str__(self) -> str:
        """One line for people, in the order of tcpdump: only what the segment has.

        >>> from gossamer.tcp import ACK, SYN, Segment, SynOptions
        >>> print(Segment(1, 2, SYN | ACK, 65535, syn_options=SynOptions(mss=1460)))
        SYN,ACK seq 1 ack 2 win 65535 <mss 1460>
        >>> print(Segment(1, 2, ACK, 512, ts_val=7, ts_ecr=9, payload=b"hello"))
        ACK seq 1:6 ack 2 win 512 <TS val 7 ecr 9> length 5
        """
        length = len(self.payload)
        parts = [flags_of(self) or "no flags", f"seq {self.seq}"]
        if length:
            parts[1] += f":{(self.seq + length) & 0xFFFFFFFF}"
        if self.flags & ACK:
            parts.append(f"ack {self.ack}")
        parts.append(f"win {self.window}")
        if self.flags & URG:
            parts.append(f"urg {self.urgent}")
        if self.ecn & CE:
            parts.append(ECN_NAMES[self.ecn & CE])
        if options := _options_shown(self):
            parts.append(f"<{','.join(options)}>")
        if length:
            parts.append(f"length {length}")
        return " ".join(parts)


def flags_of(segment: Segment) -> str:
    """The control bits of a segment by name.

    >>> from gossamer.tcp import ACK, SYN, Segment, flags_of
    >>> flags_of(Segment(1, 2, SYN | ACK, 3))
    'SYN,ACK'
    """
    return ",".join(name for bit, name in FLAG_NAMES.items() if segment.flags & bit)


def _options_shown(segment: Segment) -> list[str]:
    """The options of a segment, by the names that tcpdump gives them."""
    shown = _syn_options_shown(segment.syn_options) if segment.syn_options is not None else []
    if segment.ts_val != NO_TIMESTAMP:
        shown.append(f"TS val {segment.ts_val} ecr {segment.ts_ecr}")
    if segment.sack:
        shown.append(f"sack {' '.join(f'{left}:{right}' for left, right in segment.sack)}")
    if segment.user_timeout_s:
        shown.append(f"uto {segment.user_timeout_s} s")
    if segment.ecn_bytes is not None:
        shown.append(str(segment.ecn_bytes))
    return shown


def _syn_options_shown(options: SynOptions) -> list[str]:
    shown = [f"mss {options.mss}"] if options.mss else []
    if options.window_scale >= 0:
        shown.append(f"wscale {options.window_scale}")
    if options.sack_permitted:
        shown.append("sackOK")
    if options.cookie is not None:
        name = "exp-tfo" if options.is_cookie_experimental else "tfo"
        shown.append(f"{name} cookie {options.cookie.hex()}" if options.cookie else f"{name} cookiereq")
    return shown
