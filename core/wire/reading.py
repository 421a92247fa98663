"""Records of a received batch as values: the slow path, for SYNs, SACK, URG and ICMP.

Owns what each field of a record means for a Segment. The fast path reads the fields of plain and timestamp
records itself.
"""

from gossamer.core.wire.icmp import IcmpError
from gossamer.core.wire.record import KIND_OPTIONS, KIND_PLAIN
from gossamer.core.wire.segment import NO_TIMESTAMP, SackBlock, Segment, SynOptions

InRecord = tuple[bytes, int, int, int, int, int, int, int, int, int]
"""One item of `IN_RECORD.iter_unpack`."""
SideRecord = tuple[int, ...]
"""One item of `SIDE_RECORD.iter_unpack`."""


def read_segment(record: InRecord, payload: bytes, side: SideRecord) -> Segment:
    """The segment of any record of TCP; `side` is looked at only for KIND_OPTIONS."""
    _, kind, flags, window, seq, ack, ts_val, ts_ecr, _, _ = record
    if kind == KIND_OPTIONS:
        return _read_with_options(record, payload, side)
    if kind == KIND_PLAIN:
        return Segment(seq, ack, flags, window, NO_TIMESTAMP, 0, payload)
    return Segment(seq, ack, flags, window, ts_val, ts_ecr, payload)


def _read_with_options(record: InRecord, payload: bytes, side: SideRecord) -> Segment:
    _, _, flags, window, seq, ack, ts_val, ts_ecr, _, _ = record
    return Segment(
        seq=seq,
        ack=ack,
        flags=flags,
        window=window,
        ts_val=ts_val if side[0] else NO_TIMESTAMP,
        ts_ecr=ts_ecr if side[0] else 0,
        payload=payload,
        sack=_read_sack(side),
        syn_options=_read_syn_options(side),
        urgent=side[5],
    )


def _read_sack(side: SideRecord) -> tuple[SackBlock, ...]:
    if not side[3]:
        return ()
    edges = side[6 : 6 + 2 * side[3]]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _read_syn_options(side: SideRecord) -> SynOptions | None:
    _, sack_permitted, window_scale, _, mss, _ = side[:6]
    if not mss and window_scale < 0 and not sack_permitted:
        return None
    return SynOptions(mss, window_scale, bool(sack_permitted))


def read_icmp(record: InRecord) -> IcmpError:
    """The error report of a record of KIND_ICMP."""
    flow, _, kind, code, seq, mtu, _, _, _, _ = record
    return IcmpError(flow, kind, code, seq, mtu)
