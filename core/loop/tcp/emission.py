"""A segment into the batch of the sink.

Owns by which of the sink's two ways a segment goes, and that its options are written where the sink does not.
"""

from gossamer.core.wire.flow import Flow
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.segment import Segment
from gossamer.ffi.packets import PacketSink


def emit(sink: PacketSink, flow: Flow, segment: Segment) -> None:
    """Put a segment into the batch; where timestamps are its only option, the sink writes them."""
    payload = segment.payload
    if (
        segment.sack
        or segment.syn_options is not None
        or segment.user_timeout_s
        or segment.ecn_bytes is not None
    ):
        sink.emit(flow, segment, encode_options(segment))
    elif segment.ts_val >= 0 and not segment.cut_bytes and type(payload) is bytes:
        sink.emit_timestamped(
            flow,
            segment.seq,
            segment.ack,
            segment.flags,
            segment.window,
            segment.ts_val,
            segment.ts_ecr,
            payload,
            segment.ecn,
        )
    else:
        sink.emit(flow, segment)
