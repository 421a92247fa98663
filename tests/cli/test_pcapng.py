"""A pcapng file, read by tshark."""

from pathlib import Path

import pytest

from gossamer.cli.pcapng import file_head, packet_block
from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import ACK, Segment
from gossamer.loadtest.capture import Capture


@pytest.mark.needs("tshark")
def test_file__both_families__read_by_tshark_with_comment_direction_and_time(tmp_path: Path) -> None:
    path = tmp_path / "c.pcapng"
    flows = [
        pack_flow(("192.0.2.1", 80), ("192.0.2.2", 5)),
        pack_flow(("2001:db8::1", 80), ("2001:db8::2", 5)),
    ]
    packets = [build_packet(flow, Segment(1, 2, ACK, 3, payload=b"abc")) for flow in flows]
    when_us = 1_700_000_000_250_001
    path.write_bytes(
        file_head(["worker 0", "worker 1"], "test")
        + packet_block(0, when_us, packets[0], "SEND (RFC 9293 3.10.2)", is_out=True)
        + packet_block(1, when_us, packets[1], "", is_out=False)
    )
    fields = [
        "frame.interface_name", "frame.packet_flags_direction", "frame.time_epoch", "ip.src", "ipv6.src",
        "tcp.payload", "tcp.checksum.status", "frame.comment",
    ]  # fmt: skip
    first, second = Capture(path).fields(fields)
    assert first == [
        "worker 0",
        "0x00000002",
        "1700000000.250001000",
        "192.0.2.1",
        "",
        "616263",
        "1",
        "SEND (RFC 9293 3.10.2)",
    ]
    assert second[:2] + second[3:7] == ["worker 1", "0x00000001", "", "2001:db8::1", "616263", "1"]
