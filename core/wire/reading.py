"""Records of a received batch as values: the slow path, for SYNs, SACK, URG, CE, AccECN and ICMP.

Owns what each field of a record means for a Segment. The fast path reads the fields of plain and timestamp
records itself.
"""

from typing import Any

from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.options import decode_user_timeout, ecn_bytes_of
from gossamer.core.wire.record import COOKIE_EXPERIMENT, ECN_ORDER_1, KIND_OPTIONS, KIND_PLAIN, RECORD_AE
from gossamer.core.wire.segment import AE, CE, NO_TIMESTAMP, EcnBytes, SackBlock, Segment, SynOptions

InRecord = tuple[bytes, int, int, int, int, int, int, int, int, int, int, int]
"""One item of `IN_RECORD.iter_unpack`."""
SideRecord = tuple[Any, ...]
"""One item of `SIDE_RECORD.iter_unpack`: all ints but the cookie."""

SACK_EDGES_AT = 6
COOKIE_AT = SACK_EDGES_AT + 8
ECN_OPTION_AT = COOKIE_AT + 3


def read_segment(record: InRecord, payload: bytes, side: SideRecord) -> Segment:
    """The segment of any record of TCP; `side` is looked at only for KIND_OPTIONS."""
    _, kind, flags, window, seq, ack, ts_val, ts_ecr, _, _, ecn, _ = record
    if kind == KIND_OPTIONS:
        return _read_with_options(record, payload, side)
    if kind == KIND_PLAIN:
        return Segment(seq, ack, flags, window, NO_TIMESTAMP, 0, payload, ecn=ecn)
    return Segment(seq, ack, flags, window, ts_val, ts_ecr, payload, ecn=ecn)


def _read_with_options(record: InRecord, payload: bytes, side: SideRecord) -> Segment:
    _, _, flags, window, seq, ack, ts_val, ts_ecr, _, _, ecn, _ = record
    has_timestamp = side[0]
    if ecn & RECORD_AE:
        flags, ecn = flags | AE, ecn & CE
    return Segment(
        seq,
        ack,
        flags,
        window,
        ts_val if has_timestamp else NO_TIMESTAMP,
        ts_ecr if has_timestamp else 0,
        payload,
        _read_sack(side) if side[3] else (),
        _read_syn_options(side),
        side[5],
        ecn,
        decode_user_timeout(side[COOKIE_AT + 1]),
        0,
        _read_ecn_bytes(side) if side[ECN_OPTION_AT] else None,
    )


def _read_sack(side: SideRecord) -> tuple[SackBlock, ...]:
    edges = side[SACK_EDGES_AT : SACK_EDGES_AT + 2 * side[3]]
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _read_ecn_bytes(side: SideRecord) -> EcnBytes:
    order, count = divmod(side[ECN_OPTION_AT] - 1, ECN_ORDER_1)
    fields = [*side[ECN_OPTION_AT + 1 : ECN_OPTION_AT + 1 + count], -1, -1, -1]
    return ecn_bytes_of(fields[:3], is_order_1=order > 0)


def _read_syn_options(side: SideRecord) -> SynOptions | None:
    _, sack_permitted, window_scale, _, mss, _ = side[:SACK_EDGES_AT]
    octets, _, cookie_bytes = side[COOKIE_AT:ECN_OPTION_AT]
    is_experimental = cookie_bytes >= COOKIE_EXPERIMENT
    cookie = octets[: cookie_bytes % COOKIE_EXPERIMENT] if cookie_bytes >= 0 else None
    if not mss and window_scale < 0 and not sack_permitted and cookie is None:
        return None
    return SynOptions(mss, window_scale, bool(sack_permitted), cookie, is_experimental)


def read_icmp(record: InRecord) -> IcmpMessage:
    """The error report of a record of KIND_ICMP."""
    flow, _, kind, code, seq, mtu, *_ = record
    return IcmpMessage(flow, kind, code, seq, mtu)
