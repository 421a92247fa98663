"""Segments out: what fits a batch, what the kernel refuses, and what arrives on the wire."""

import errno
import socket
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from gossamer.core.wire.cutting import cut
from gossamer.core.wire.flow import local_port, pack_flow
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.packet import parse_packet
from gossamer.core.wire.segment import ACK, AE, CE, CWR, ECE, ECT_0, PSH, SYN, URG, Segment, SynOptions
from gossamer.ffi.rawout import ARENA_BYTES, BATCH_MAX, RawSink
from gossamer.ffi.sendsocket import open_raw_sockets
from gossamer.loadtest import namespaces

PEER_PORT = 40_003
LOOPBACK = pack_flow(("127.0.0.1", 7701), ("127.0.0.1", PEER_PORT))
PLAIN = Segment(1, 2, ACK, 3)
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD


@pytest.fixture
def nowhere(kept: Callable[..., Any]) -> RawSink:
    """A sink without sockets: all that it sends fails."""
    made: RawSink = kept(RawSink(-1, -1))
    return made


def test_flush__nothing_emitted__nothing_sent(nowhere: RawSink) -> None:
    assert nowhere.flush() == 0
    assert nowhere.failed_total == 0


def test_emit__more_than_a_batch__flushes_by_itself(nowhere: RawSink) -> None:
    for _ in range(BATCH_MAX):
        nowhere.emit(LOOPBACK, PLAIN)
    assert nowhere.failed_total == 0
    nowhere.emit(LOOPBACK, PLAIN)
    assert nowhere.failed_total == BATCH_MAX
    assert nowhere.last_errno == errno.EBADF
    nowhere.flush()
    assert nowhere.failed_total == BATCH_MAX + 1


@pytest.mark.parametrize(("payload", "count"), [(b"", BATCH_MAX // 2), (bytes(60_000), 9)])
def test_is_filling__half_of_the_records_or_of_the_octets(
    nowhere: RawSink, payload: bytes, count: int
) -> None:
    segment = Segment(1, 2, ACK, 3, payload=payload)
    for _ in range(count):
        assert not nowhere.is_filling
        nowhere.emit(LOOPBACK, segment)
    assert nowhere.is_filling
    nowhere.flush()
    assert not nowhere.is_filling


@pytest.mark.needs("namespaces", "raw-sockets")
def test_flush__after_batches_that_flushed_themselves__counts_them_too(sink: RawSink) -> None:
    for _ in range(2 * BATCH_MAX + 1):
        sink.emit(LOOPBACK, PLAIN)
    assert sink.flush() == 2 * BATCH_MAX + 1
    sink.emit(LOOPBACK, PLAIN)
    assert sink.flush() == 1


def test_emit__after_close__raises(nowhere: RawSink) -> None:
    nowhere.close()
    with pytest.raises(ValueError, match="closed"):
        nowhere.emit(LOOPBACK, Segment(1, 2, ACK, 3, payload=b"x"))


def test_emit__more_than_the_arena__flushes_by_itself(nowhere: RawSink) -> None:
    whole = Segment(1, 2, ACK, 3, payload=bytes(65_000))
    fit = ARENA_BYTES // 65_072
    for _ in range(fit):
        nowhere.emit(LOOPBACK, whole)
    assert nowhere.failed_total == 0
    nowhere.emit(LOOPBACK, whole)
    assert nowhere.failed_total == fit


def test_emit__longer_than_a_packet__counted_as_failed(nowhere: RawSink) -> None:
    nowhere.emit(LOOPBACK, Segment(1, 2, ACK, 3, payload=bytes(65_535)))
    assert nowhere.flush() == 0
    assert nowhere.failed_total == 1
    assert nowhere.last_errno == errno.EMSGSIZE


def emit_timestamped(sink: RawSink, segment: Segment) -> None:
    sink.emit_timestamped(
        LOOPBACK,
        segment.seq,
        segment.ack,
        segment.flags,
        segment.window,
        segment.ts_val,
        segment.ts_ecr,
        bytes(segment.payload),
        segment.ecn,
    )


def test_emit_timestamped__more_than_a_batch__flushes_by_itself(nowhere: RawSink) -> None:
    for _ in range(BATCH_MAX + 1):
        emit_timestamped(nowhere, Segment(1, 2, ACK, 3, 4, 5, b"x"))
    assert nowhere.failed_total == BATCH_MAX


def test_close__twice__harmless(nowhere: RawSink) -> None:
    nowhere.close()
    nowhere.close()


@pytest.fixture
def sink(namespace: Any, kept: Callable[..., Any]) -> Any:
    """A sink in a namespace of its own, which this thread is inside of."""
    with namespace.entered():
        v4, v6 = (kept(raw) for raw in open_raw_sockets())
        yield kept(RawSink(v4.fileno(), v6.fileno()))


@pytest.fixture
def wire(sink: RawSink, kept: Callable[..., Any]) -> socket.socket:
    """Sees every packet on the loopback device, once on its way in."""
    del sink
    tap: socket.socket = kept(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
    tap.bind(("lo", 3))  # ETH_P_ALL, once the device is known
    tap.settimeout(5)
    return tap


def arrived(wire: socket.socket, count: int) -> list[Any]:
    """The next packets from us that came in, parsed (the kernel answers them with RSTs)."""
    return [value for value, _ in islice(packets_of_ours(wire), count)]


def packets_of_ours(wire: socket.socket) -> Iterator[tuple[Any, bytes]]:
    """Each packet from us that comes in, parsed, and its octets."""
    while True:
        packet, (_, protocol, kind, *_) = wire.recvfrom(70_000)
        if kind == socket.PACKET_HOST and protocol in (ETH_P_IP, ETH_P_IPV6):
            value = parse_packet(packet)
            if isinstance(value, tuple) and local_port(value[0]) == PEER_PORT:
                yield value, packet


@pytest.mark.needs("namespaces", "raw-sockets")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_flush__segments_of_every_form__on_the_wire_as_given(
    sink: RawSink, wire: socket.socket, host: str
) -> None:
    flow, from_us = pack_flow((host, 7701), (host, PEER_PORT)), pack_flow((host, PEER_PORT), (host, 7701))
    sent = [
        PLAIN,
        Segment(5, 6, ACK, 7, ts_val=8, ts_ecr=9, payload=b"stamped"),
        Segment(5, 6, SYN, 7, 8, 9, syn_options=SynOptions(1460, 7, True)),
        Segment(5, 6, ACK, 7, 0, 9, b"sack", ((10, 20), (30, 40))),
        Segment(5, 6, ACK, 7, payload=b"x" * 60_000),
        Segment(5, 6, ACK | ECE | CWR, 7, 8, 9, b"marked", ecn=CE),
        Segment(5, 6, ACK, 7, payload=b"capable", ecn=ECT_0),
        Segment(5, 6, ACK | URG, 7, 8, 9, b"urgent", urgent=3),
        Segment(5, 6, ACK | URG, 7, payload=b"urgent, no options", urgent=7),
        Segment(5, 6, SYN, 7, 8, 9, syn_options=SynOptions(1460, 7, True, bytes(range(16)))),
        Segment(5, 6, ACK, 7, 8, 9, user_timeout_s=30),
    ]
    for segment in sent:
        is_simple = not (segment.syn_options or segment.sack or segment.user_timeout_s or segment.urgent)
        sink.emit(flow, segment, b"" if is_simple else encode_options(segment))
    assert sink.flush() == len(sent)
    assert sink.failed_total == 0
    assert arrived(wire, len(sent)) == [(from_us, segment) for segment in sent]


@pytest.mark.needs("namespaces", "raw-sockets")
def test_emit_timestamped__the_same_packets_as_emit(sink: RawSink, wire: socket.socket) -> None:
    for payload, ecn, more in ((b"text", ECT_0, 0), (b"", 0, 0), (b"counted", ECT_0, AE | CWR)):
        segment = Segment(1, 2, ACK | PSH | more, 3, 4, 5, payload, ecn=ecn)
        sink.emit(LOOPBACK, segment)
        emit_timestamped(sink, segment)
    assert sink.flush() == 6
    seen = arrived(wire, 6)
    assert seen[::2] == seen[1::2]
    assert len({each.flags for _, each in seen}) == 2


@pytest.mark.needs("namespaces", "raw-sockets")
def test_flush__ttl_and_diffserv_field__on_the_wire(
    sink: RawSink, wire: socket.socket, kept: Callable[..., Any]
) -> None:
    """RFC 9293 3.9.2 and 3.9.1.9: MUST-49, MUST-48, SHLD-22."""
    del sink
    v4, v6 = (kept(raw) for raw in open_raw_sockets())
    near: RawSink = kept(RawSink(v4.fileno(), v6.fileno(), ttl=7))
    for host in ("127.0.0.1", "::1"):
        near.emit(pack_flow((host, 7701), (host, PEER_PORT)), Segment(1, 2, ACK, 3, ecn=46 << 2))
    assert near.flush() == 2
    (_, v4_packet), (_, v6_packet) = islice(packets_of_ours(wire), 2)
    assert (v4_packet[1], v4_packet[8]) == (46 << 2, 7)
    assert (int.from_bytes(v6_packet[:2], "big") >> 4 & 0xFF, v6_packet[7]) == (46 << 2, 7)


@pytest.mark.needs("namespaces", "raw-sockets")
@pytest.mark.parametrize("payload", [bytearray(b"bytes-like"), memoryview(b"bytes-like")])
def test_emit__any_bytes_like_payload__sent(sink: RawSink, wire: socket.socket, payload: Any) -> None:
    sink.emit(LOOPBACK, Segment(1, 2, ACK, 3, payload=payload))
    payload[:0]  # still usable: emit has copied it
    assert sink.flush() == 1
    assert arrived(wire, 1)[0][1].payload == b"bytes-like"


@pytest.mark.needs("namespaces", "raw-sockets")
@pytest.mark.parametrize(
    ("refused", "setup", "reason"),
    [
        pytest.param(
            (LOOPBACK, Segment(1, 2, ACK, 3, payload=bytes(2000))),
            ["ip", "link", "set", "lo", "mtu", "1500"],
            errno.EMSGSIZE,
            id="over the MTU",
        ),
        pytest.param(
            (pack_flow(("127.0.0.1", 1), ("203.0.113.1", 2)), PLAIN),
            ["true"],
            errno.ENETUNREACH,
            id="no route",
        ),
        pytest.param(
            (pack_flow(("127.0.0.1", 1), ("127.0.0.2", 2)), PLAIN),
            ["iptables", "-w", "-A", "OUTPUT", "-d", "127.0.0.2", "-j", "DROP"],
            errno.EPERM,
            id="dropped by the firewall",
        ),
    ],
)
def test_flush__one_is_refused__the_others_go_out(
    sink: RawSink, wire: socket.socket, refused: tuple[bytes, Segment], setup: list[str], reason: int
) -> None:
    namespaces.run(setup)
    for flow, segment in ((LOOPBACK, PLAIN), refused, (LOOPBACK, PLAIN), refused):
        sink.emit(flow, segment)
    assert sink.flush() == 2
    assert sink.failed_total == 2
    assert sink.last_errno == reason
    assert [value[1] for value in arrived(wire, 2)] == [PLAIN, PLAIN]


@pytest.mark.needs("namespaces", "raw-sockets")
def test_open_raw_sockets__never_receive(sink: RawSink, wire: socket.socket) -> None:
    v4, v6 = open_raw_sockets()
    assert v6 is not None
    with v4, v6:
        sink.emit(LOOPBACK, PLAIN)
        sink.flush()
        arrived(wire, 1)
        with pytest.raises(BlockingIOError):
            v4.recv(100)


@pytest.mark.needs("namespaces", "raw-sockets")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_super_segment__more_packets_than_are_prepared_at_once__all_on_the_wire(
    sink: RawSink, wire: socket.socket, host: str
) -> None:
    flow, from_us = pack_flow((host, 7701), (host, PEER_PORT)), pack_flow((host, PEER_PORT), (host, 7701))
    octets = bytes(range(256)) * 240
    whole = Segment(5, 6, ACK | PSH | CWR, 7, 8, 9, octets, ecn=ECT_0, cut_bytes=100)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sink.emit(flow, PLAIN)
    sink.emit(flow, whole)
    sink.emit(flow, PLAIN)
    pieces = cut(whole)
    assert len(pieces) > 512
    assert sink.flush() == len(pieces) + 2
    assert sink.failed_total == 0
    expected = [(from_us, each) for each in (PLAIN, *pieces, PLAIN)]
    # The tap may lose what it has no room for; what it has stands in order.
    assert arrived(wire, 100) == expected[:100]


def test_super_segment__refused__each_of_its_packets_counts(nowhere: RawSink) -> None:
    nowhere.emit(LOOPBACK, Segment(1, 2, ACK, 3, payload=bytes(250), cut_bytes=100))
    nowhere.emit(LOOPBACK, PLAIN)
    assert nowhere.flush() == 0
    assert nowhere.failed_total == 4


def test_super_segments__more_than_the_arena__packets_are_counted_in_the_batch_that_they_are_of(
    nowhere: RawSink,
) -> None:
    whole = Segment(1, 2, ACK, 3, payload=bytes(65_000), cut_bytes=1_000)
    fit = ARENA_BYTES // 65_072
    for _ in range(fit + 1):
        nowhere.emit(LOOPBACK, whole)
    assert nowhere.failed_total == 65 * fit
    nowhere.flush()
    assert nowhere.failed_total == 65 * (fit + 1)
