"""Segments to the options they show, and options of the script to segments.

Owns the translation between `Segment`, which knows values, and a list of options, which has an order.
"""

from gossamer.core.packetdrill.script import TcpOption, TcpPacket
from gossamer.core.wire.options import COOKIE_BYTES, ECN_BYTES, ecn_bytes_of
from gossamer.core.wire.segment import NO_TIMESTAMP, EcnBytes, Segment, SynOptions

ECN_MASK = 3
"""The bits of the TOS octet that are ECN's (RFC 3168 5)."""


def options_by_name(segment: Segment) -> dict[str, TcpOption]:
    """The options of a segment that is sent."""
    found: dict[str, TcpOption] = {}
    syn = segment.syn_options
    if syn is not None:
        if syn.mss:
            found["mss"] = TcpOption("mss", (syn.mss,))
        if syn.sack_permitted:
            found["sackOK"] = TcpOption("sackOK")
        if syn.window_scale >= 0:
            found["wscale"] = TcpOption("wscale", (syn.window_scale,))
        if syn.cookie is not None:
            name = "FOEXP" if syn.is_cookie_experimental else "FO"
            found[name] = TcpOption(name, octets=syn.cookie)
    if segment.ts_val != NO_TIMESTAMP:
        found["TS"] = TcpOption("TS", (segment.ts_val, segment.ts_ecr))
    if segment.ecn_bytes is not None:
        fields = [field for field in segment.ecn_bytes.in_order() if field >= 0]
        found["ECN"] = TcpOption("ECN", (ECN_BYTES[segment.ecn_bytes.is_order_1], *fields))
    if segment.sack:
        found["sack"] = TcpOption("sack", tuple(edge for block in segment.sack for edge in block))
    return found


def segment_of(packet: TcpPacket, options: tuple[TcpOption, ...], payload: bytes) -> Segment:
    """The segment that a packet of the script is, its numbers being live already."""
    found = {option.name: option for option in options}
    ts_val, ts_ecr = found["TS"].numbers if "TS" in found else (NO_TIMESTAMP, 0)
    edges = found["sack"].numbers if "sack" in found else ()
    return Segment(
        seq=packet.seq,
        ack=packet.ack or 0,
        flags=packet.flags,
        window=packet.window or 0,
        ts_val=ts_val,
        ts_ecr=ts_ecr,
        payload=payload,
        sack=tuple(zip(edges[::2], edges[1::2], strict=True)),
        syn_options=_syn_options(found),
        urgent=packet.urgent,
        ecn=_codepoint(packet),
        ecn_bytes=_ecn_bytes(found["ECN"].numbers) if "ECN" in found else None,
    )


def _ecn_bytes(numbers: tuple[int, ...]) -> EcnBytes:
    kind, *fields = numbers
    return ecn_bytes_of([*fields, -1, -1, -1][:3], is_order_1=kind == ECN_BYTES[1])


def _syn_options(found: dict[str, TcpOption]) -> SynOptions | None:
    mss = found["mss"].numbers[0] if "mss" in found else 0
    scale = found["wscale"].numbers[0] if "wscale" in found else -1
    cookie = next((found[name].octets for name in ("FO", "FOEXP") if name in found), None)
    if cookie is not None and len(cookie) not in COOKIE_BYTES:
        # As the decoder of the wire has it (RFC 7413 4.1.1).
        cookie = None
    if not mss and scale < 0 and "sackOK" not in found and cookie is None:
        return None
    return SynOptions(mss, scale, "sackOK" in found, cookie, cookie is not None and "FOEXP" in found)


def _codepoint(packet: TcpPacket) -> int:
    ip = packet.ip
    return ip.tos & ECN_MASK if ip.tos is not None else ip.ecn or 0
