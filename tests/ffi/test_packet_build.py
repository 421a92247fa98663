"""The C builder and checksum against the reference codec, octet by octet."""

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gossamer.core.records import replace
from gossamer.core.wire import record as layout
from gossamer.core.wire.checksum import checksum
from gossamer.core.wire.cutting import cut
from gossamer.core.wire.flow import MAPPED_PREFIX, Flow, is_ipv4
from gossamer.core.wire.ip import TTL, IpPacket
from gossamer.core.wire.ipv4 import parse_ipv4
from gossamer.core.wire.ipv6 import parse_ipv6
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.packet import build_packet
from gossamer.core.wire.segment import AE, NO_TIMESTAMP, Segment, SynOptions
from gossamer.ffi._packet import ffi, lib

U8, U16, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
ANY_FLOW = MAPPED_PREFIX + b"abcd" + MAPPED_PREFIX + b"efgh" + b"ijkl"

V6_ADDRESSES = st.binary(min_size=16, max_size=16)
ADDRESS_PAIRS = st.tuples(V6_ADDRESSES, V6_ADDRESSES).filter(
    lambda pair: not any(address.startswith(MAPPED_PREFIX) for address in pair)
) | st.binary(min_size=8, max_size=8).map(lambda both: (MAPPED_PREFIX + both[:4], MAPPED_PREFIX + both[4:]))
FLOWS = st.builds(
    lambda pair, ports: pair[0] + pair[1] + ports, ADDRESS_PAIRS, st.binary(min_size=4, max_size=4)
)
COOKIES = st.none() | st.binary(max_size=8).map(lambda octets: octets * 2 if len(octets) > 1 else b"")
SEGMENTS = st.builds(
    Segment,
    seq=U32,
    ack=U32,
    flags=st.integers(0, 0x1FF),
    window=U16,
    ts_val=U32 | st.just(NO_TIMESTAMP),
    ts_ecr=U32,
    payload=st.binary(max_size=100),
    sack=st.lists(st.tuples(U32, U32), max_size=5).map(tuple),
    syn_options=st.none() | st.builds(SynOptions, U16, st.integers(-1, 14), st.booleans(), COOKIES),
    urgent=st.just(0) | U16,
    ecn=U8,
    user_timeout_s=st.just(0) | st.integers(1, 1 << 22),
)


def kind_of(segment: Segment, with_timestamp: bool) -> int:
    """OUT_PLAIN or OUT_TIMESTAMP, and AE, which finds no room among the flags."""
    return with_timestamp | (layout.OUT_AE if segment.flags & AE else 0)


def c_build(flow: Flow, segment: Segment, options: bytes, before: int = 0, ttl: int = TTL) -> bytes | None:
    """The packet that C writes into an arena that is just large enough; None when it refuses."""
    with_timestamp = segment.ts_val >= 0 and not options
    offset = before + lib.HEADROOM_BYTES
    arena = bytearray(b"\xaa" * offset + options + segment.payload)
    record = ffi.new("struct out_record *")
    layout.OUT_RECORD.pack_into(
        ffi.buffer(record), 0, flow, kind_of(segment, with_timestamp), segment.flags & 0xFF,
        segment.window, segment.seq, segment.ack,
        segment.ts_val if with_timestamp else segment.urgent, segment.ts_ecr, offset, len(segment.payload),
        len(options), segment.ecn, 0, 0,
    )  # fmt: skip
    start = ffi.new("uint32_t *")
    length = lib.packet_build(ffi.from_buffer("uint8_t[]", arena), len(arena), record, ttl, start)
    assert length < 0 or bytes(arena[: start[0]]) == b"\xaa" * start[0], (
        "something before the packet was written"
    )
    return None if length < 0 else bytes(arena[start[0] : start[0] + length])


@given(FLOWS, SEGMENTS, st.integers(0, 9))
def test_build__any_segment__as_the_reference(flow: Flow, segment: Segment, before: int) -> None:
    is_rare = segment.sack or segment.syn_options is not None or segment.user_timeout_s or segment.urgent
    options = encode_options(segment) if is_rare else b""
    assert c_build(flow, segment, options, before) == build_packet(flow, segment)


@given(FLOWS, SEGMENTS, U8)
def test_build__any_ttl__in_its_place(flow: Flow, segment: Segment, ttl: int) -> None:
    """RFC 9293 3.9.2, MUST-49."""
    plain = replace(segment, sack=(), syn_options=None, user_timeout_s=0, urgent=0)
    built = c_build(flow, plain, b"", ttl=ttl)
    assert built is not None
    assert built[8 if is_ipv4(flow) else 7] == ttl
    parsed = parse_ipv4(built) if is_ipv4(flow) else parse_ipv6(built)
    assert isinstance(parsed, IpPacket), "the header's checksum counts it"


@given(FLOWS, st.integers(0, 70_000), st.booleans())
@example(ANY_FLOW, 65495, False)
@example(ANY_FLOW, 65496, False)
@example(bytes(range(36)), 65515, False)
@example(bytes(range(36)), 65516, False)
def test_build__any_length__as_the_reference_or_refused(flow: Flow, length: int, stamped: bool) -> None:
    segment = Segment(1, 2, 3, 4, 5 if stamped else NO_TIMESTAMP, 6, bytes(min(length, 65535)))
    try:
        expected = build_packet(flow, segment)
    except ValueError:
        expected = None
    assert c_build(flow, segment, b"") == expected


def c_cut(flow: Flow, segment: Segment, before: int) -> list[bytes]:
    """The packets that C makes of a super-segment in an arena that is just large enough."""
    stamped = segment.ts_val >= 0
    arena = bytes(before) + segment.payload
    record = ffi.new("struct out_record *")
    layout.OUT_RECORD.pack_into(
        ffi.buffer(record), 0, flow, kind_of(segment, stamped), segment.flags & 0xFF,
        segment.window, segment.seq, segment.ack,
        segment.ts_val if stamped else segment.urgent, segment.ts_ecr, before, len(segment.payload), 0,
        segment.ecn, segment.cut_bytes, 0,
    )  # fmt: skip
    view = ffi.from_buffer("uint8_t[]", arena)
    assert lib.packet_can_cut(record, len(arena))
    packets = []
    for start in range(0, len(segment.payload), segment.cut_bytes):
        piece = segment.payload[start : start + segment.cut_bytes]
        headers = bytearray(lib.HEADROOM_BYTES)
        c_headers = ffi.from_buffer("uint8_t[]", headers)
        length = lib.packet_build_piece(c_headers, view, record, TTL, start, len(piece))
        packets.append(bytes(headers[:length]) + piece)
    return packets


@given(FLOWS, SEGMENTS, st.integers(1, 40), st.integers(0, 9))
def test_cut__any_super_segment__as_the_reference(
    flow: Flow, segment: Segment, cut_bytes: int, before: int
) -> None:
    rare = {"sack": (), "syn_options": None, "user_timeout_s": 0, "urgent": 0}
    whole = replace(segment, cut_bytes=cut_bytes, **rare)
    assert c_cut(flow, whole, before) == [build_packet(flow, piece) for piece in cut(whole)]


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        pytest.param("payload_offset", 2**32 - 1, id="offset behind the arena"),
        pytest.param("payload_length", 101, id="payload over the arena"),
        pytest.param("options_length", 4, id="options"),
        pytest.param("cut_bytes", 0, id="no pieces"),
        pytest.param("cut_bytes", 65_464, id="pieces longer than IP can say"),
    ],
)
def test_cut__record_that_cannot_be__refused(changed: str, value: int) -> None:
    record = ffi.new("struct out_record *")
    record.flow = ANY_FLOW
    record.payload_offset, record.payload_length, record.cut_bytes = 72, 100, 30
    assert lib.packet_can_cut(record, 172)
    setattr(record, changed, value)
    assert not lib.packet_can_cut(record, 172)


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        pytest.param("payload_offset", 39, id="no room for the headers"),
        pytest.param("payload_offset", 2**32 - 1, id="offset behind the arena"),
        pytest.param("payload_length", 101, id="payload over the arena"),
        pytest.param("options_length", 44, id="more options than a header has room for"),
        pytest.param("options_length", 6, id="options not padded"),
    ],
)
def test_build__record_that_does_not_fit__refused(changed: str, value: int) -> None:
    arena = bytearray(172)
    record = ffi.new("struct out_record *")
    record.flow = ANY_FLOW
    record.payload_offset, record.payload_length = 72, 50
    start = ffi.new("uint32_t *")
    view = ffi.from_buffer("uint8_t[]", arena)
    assert lib.packet_build(view, len(arena), record, TTL, start) == 90
    setattr(record, changed, value)
    assert lib.packet_build(view, len(arena), record, TTL, start) == -1


@given(st.binary(max_size=300) | st.integers(0, 100).map(lambda length: b"\xff" * length))
@example(b"\xff" * 8 + b"\x01")
@example(b"\xff" * 47)
def test_checksum__any_octets__as_the_reference(octets: bytes) -> None:
    total = lib.checksum_finish(lib.checksum_add(0, ffi.from_buffer("uint8_t[]", octets), len(octets)))
    assert total.to_bytes(2, "little" if struct.pack("=H", 1)[0] else "big") == checksum(octets).to_bytes(
        2, "big"
    )
