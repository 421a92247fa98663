"""The devices in memory: what a sink is given, a source's records say."""

import pytest

from gossamer.core.sim.device import MemorySink, MemorySource
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.reading import InRecord, read_segment
from gossamer.core.wire.record import IN_RECORD, KIND_OPTIONS, KIND_PLAIN, KIND_TIMESTAMP, SIDE_RECORD
from gossamer.core.wire.segment import (
    ACK,
    CE,
    ECE,
    ECT_0,
    NO_TIMESTAMP,
    SYN,
    URG,
    Segment,
    SynOptions,
)

FLOW = pack_flow(("192.0.2.1", 80), ("192.0.2.2", 1024))


@pytest.mark.parametrize(
    ("segment", "kind"),
    [
        pytest.param(Segment(1, 2, ACK, 3, NO_TIMESTAMP, 0, b"data"), KIND_PLAIN, id="plain"),
        pytest.param(Segment(1, 2, ACK, 3, 4, 5, b"data"), KIND_TIMESTAMP, id="timestamps"),
        pytest.param(Segment(1, 2, ACK | ECE, 3, 4, 5, ecn=ECT_0), KIND_TIMESTAMP, id="ECT(0) stays hot"),
        pytest.param(Segment(1, 2, ACK, 3, 4, 5, b"data", ecn=CE), KIND_OPTIONS, id="CE"),
        pytest.param(Segment(1, 2, ACK, 3, sack=((4, 5), (6, 7))), KIND_OPTIONS, id="SACK"),
        pytest.param(Segment(1, 2, ACK | URG, 3, urgent=9), KIND_OPTIONS, id="URG"),
        pytest.param(Segment(1, 2, ACK, 3, user_timeout_s=40), KIND_OPTIONS, id="user timeout"),
        pytest.param(
            Segment(1, 0, SYN, 3, 4, 5, syn_options=SynOptions(1460, 7, True, b"")),
            KIND_OPTIONS,
            id="cookie request",
        ),
        pytest.param(
            Segment(1, 0, SYN, 3, syn_options=SynOptions(cookie=b"0123456789abcdef")),
            KIND_OPTIONS,
            id="cookie",
        ),
    ],
)
def test_memory_devices__segment_from_sink_to_source__whole(segment: Segment, kind: int) -> None:
    source = MemorySource()
    sink = MemorySink(source.put)
    sink.emit(FLOW, segment, encode_options(segment))
    sink.flush()
    assert source.recv_batch() == 1
    record: InRecord = IN_RECORD.unpack_from(source.records)
    assert record[1] == kind
    payload = source.arena[record[8] : record[8] + record[9]]
    assert read_segment(record, payload, SIDE_RECORD.unpack_from(source.side)) == segment
