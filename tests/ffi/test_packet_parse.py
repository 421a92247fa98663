"""The C parser against the reference codec: the same segments, the same reasons, never out of bounds."""

import os
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossamer.core.wire import record as layout
from gossamer.core.wire.checksum import checksum, pseudo_header
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import MAPPED_PREFIX, Flow
from gossamer.core.wire.ip import is_bad_address, wire_address
from gossamer.core.wire.ipv4 import build_ipv4
from gossamer.core.wire.ipv6 import EXTENSION_HEADERS_MAX, build_ipv6
from gossamer.core.wire.options import OPTIONS_BYTES_MAX, ecn_bytes_of, encode_options
from gossamer.core.wire.packet import Parsed, build_packet, parse_packet
from gossamer.core.wire.reading import read_icmp, read_segment
from gossamer.core.wire.segment import AE, CE, NO_TIMESTAMP, SYN, URG, Segment, SynOptions
from gossamer.core.wire.tcp import build_tcp
from gossamer.ffi._packet import ffi, lib

U8, U16, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
ANY_FLOW = MAPPED_PREFIX + b"abcd" + MAPPED_PREFIX + b"efgh" + b"ijkl"

ADDRESSES_V4 = (
    st.binary(min_size=4, max_size=4)
    .filter(lambda packed: not is_bad_address(packed))
    .map(MAPPED_PREFIX.__add__)
)
ADDRESSES_V6 = st.binary(min_size=16, max_size=16).filter(lambda packed: not is_bad_address(packed))
PORTS = st.binary(min_size=4, max_size=4)


def flows_of(addresses: st.SearchStrategy[bytes]) -> st.SearchStrategy[Flow]:
    return st.builds(lambda *parts: b"".join(parts), addresses, addresses, PORTS).filter(
        lambda flow: flow[:16] != flow[16:32] or flow[32:34] != flow[34:]
    )


FLOWS = flows_of(ADDRESSES_V4) | flows_of(ADDRESSES_V6)
SACKS = st.lists(st.tuples(U32, U32), max_size=4).map(tuple)
STAMPS = st.just((NO_TIMESTAMP, 0)) | st.tuples(U32, U32)
COOKIES = st.none() | st.just(b"") | st.binary(min_size=2, max_size=8).map(lambda octets: octets * 2)
SYN_OPTIONS = st.builds(SynOptions, st.integers(1, 65535), st.integers(-1, 127), st.booleans(), COOKIES)
U24 = st.integers(0, 0xFFFFFF)
ECN_FIELDS = st.tuples(U24, U24, U24) | st.tuples(U24, U24, st.just(-1)) | st.just((-1, -1, -1))
ECN_BYTES = st.builds(ecn_bytes_of, ECN_FIELDS, is_order_1=st.booleans())
USER_TIMEOUTS = (
    st.just(0) | st.integers(1, 0x7FFF) | st.integers(547, 0x7FFF).map(lambda minutes: 60 * minutes)
)


FLAGS = st.integers(0, 0x1FF)


@st.composite
def segments(draw: st.DrawFn, flags: st.SearchStrategy[int] = FLAGS) -> Segment:
    """Segments that say all they hold: what a SYN or URG alone may carry is there with that bit only."""
    bits = draw(flags)
    ts_val, ts_ecr = draw(STAMPS)
    syn_options = draw(st.none() | SYN_OPTIONS) if bits & SYN else None
    user_timeout_s = draw(USER_TIMEOUTS)
    bare = Segment(0, 0, bits, 0, ts_val, ts_ecr, syn_options=syn_options)
    if len(encode_options(bare)) == OPTIONS_BYTES_MAX:
        user_timeout_s = 0
    used_bytes = len(encode_options(bare)) + (4 if user_timeout_s else 0)
    ecn_bytes = draw(st.none() | ECN_BYTES) if used_bytes <= OPTIONS_BYTES_MAX - 12 else None
    used_bytes += len(encode_options(Segment(0, 0, 0, 0, ecn_bytes=ecn_bytes)))
    return Segment(
        seq=draw(U32),
        ack=draw(U32),
        flags=bits,
        window=draw(U16),
        ts_val=ts_val,
        ts_ecr=ts_ecr,
        payload=draw(st.binary(max_size=100)),
        sack=draw(SACKS)[: max(0, (36 - used_bytes) // 8)],
        syn_options=syn_options,
        urgent=draw(U16) if bits & URG else 0,
        ecn=draw(st.integers(0, 3)),
        user_timeout_s=user_timeout_s,
        ecn_bytes=ecn_bytes,
    )


PACKETS = st.builds(build_packet, FLOWS, segments())


OPTION_PIECES = st.sampled_from(
    [
        bytes.fromhex(piece)
        for piece in (
            *("01", "00", "020405b4", "03030e", "0303ff", "0402", "080a0000000100000002", "0101080a"),
            *("050a0000000100000002", "05120000000100000002000000030000000f", "0502", "0509", "0300"),
            *("fe03", "02", "fe050101", "010101fe", "01fe0301", "fe040101", "01010800"),
            *(
                "2202",
                "ac02",
                "ac05010203",
                "ae0b010203040506070809",
                "ac0401020304",
                "ae0c01020304050607080900",
                "2206abcdef01",
                "2207abcdef0102",
                "22050a0b0c",
                "22140102030405060708090a0b0c0d0e0f101112",
            ),
            *("2212000102030405060708090a0b0c0d0e0f", "fe04f989", "fe08f98901020304", "fe07f989010203"),
            *("fe14f989000102030405060708090a0b0c0d0e0f", "fe16f989000102030405060708090a0b0c0d0e0f1011"),
            *("1c040000", "1c048000", "1c04003c", "1c04803c", "1c03ff", "1c0500aaaa"),
        )
    ]
)


@st.composite
def packets_with_any_options(draw: st.DrawFn) -> bytes:
    """Right checksums round option octets that may be nonsense."""
    octets = draw(st.lists(OPTION_PIECES, max_size=10).map(b"".join) | st.binary(max_size=40))[:40]
    padded = octets + bytes(-len(octets) % 4)
    return build_packet(draw(FLOWS), draw(segments()), options=padded)


@st.composite
def packets_with_extensions(draw: st.DrawFn) -> bytes:
    """IPv6 with a chain of extension headers, in and out of order, whole and cut."""
    plain = build_packet(draw(flows_of(ADDRESSES_V6)), draw(segments()))
    kinds = draw(
        st.lists(st.sampled_from((0, 43, 43, 60, 60, 60)), min_size=1, max_size=EXTENSION_HEADERS_MAX + 2)
    )
    if draw(st.booleans()):
        kinds.append(draw(st.sampled_from((44, 50, 59))))
    chain = b""
    for following in [*kinds[1:], 6]:
        words, left = draw(st.sampled_from(((0, 0), (0, 0), (0, 0), (1, 0), (0, 1))))
        chain += bytes((following, words, 0, left)) + bytes(4 + 8 * words)
    cut = len(chain) if draw(st.booleans()) else draw(st.integers(0, len(chain)))
    tail = plain[40:] if draw(st.booleans()) else b""
    return build_ipv6(plain[8:24], plain[24:40], chain[:cut] + tail, protocol=kinds[0])


ODD_ADDRESSES_V4 = st.sampled_from(
    [bytes(4), b"\xff" * 4, b"\xe0\0\0\1", b"\xef\xff\xff\xff", b"\xf0\0\0\1", b"\x7f\0\0\1"]
)
ODD_ADDRESSES_V6 = st.sampled_from(
    [
        bytes(16),
        b"\xff\2" + bytes(14),
        MAPPED_PREFIX + b"\1\2\3\4",
        bytes(15) + b"\1",
        b"\xfe\x80" + bytes(14),
    ]
)


@st.composite
def packets_of_odd_addresses(draw: st.DrawFn) -> bytes:
    """From and to addresses that may be refused, and from an address and port to itself."""
    is_v4 = draw(st.booleans())
    addresses = ODD_ADDRESSES_V4 if is_v4 else ODD_ADDRESSES_V6
    source, destination, ports = draw(addresses), draw(addresses), draw(st.sampled_from((b"abab", b"abcd")))
    body, ecn = build_tcp(source, destination, ports, draw(segments())), draw(st.integers(0, 3))
    return (build_ipv4 if is_v4 else build_ipv6)(source, destination, body, ecn=ecn)


@st.composite
def packets_of_odd_lengths(draw: st.DrawFn) -> bytes:
    """IPv4 whose lengths lie round their bounds, under a right header checksum."""
    packet = bytearray(build_packet(draw(flows_of(ADDRESSES_V4)), draw(segments())))
    packet[0] = 0x40 | draw(st.integers(4, 7))
    total = draw(
        st.sampled_from((0, 19, 20, 21, 24, 28, 39, 40, len(packet) - 1, len(packet), len(packet) + 1))
    )
    return headed_again(bytes(packet[: draw(st.sampled_from((19, 20, 27, 40, 200)))]), total)


QUOTED_EDITS = st.sampled_from(
    ((0, 0x45), (0, 0x46), (0, 0x60), (6, 17), (6, 0x20), (6, 0x1F), (7, 1), (9, 17), (12, 0xE0))
)


@st.composite
def icmp_packets(draw: st.DrawFn) -> bytes:
    """Errors with a right checksum that quote a packet of ours, whole, cut, or edited."""
    flow = draw(FLOWS)
    quoted = bytearray(build_packet(flow, draw(segments())))
    if draw(st.booleans()):
        at, octet = draw(QUOTED_EDITS)
        quoted[at] = octet
    source, destination = wire_address(flow[:16]), wire_address(flow[16:32])
    is_v4 = len(source) == 4
    kind, code = draw(st.sampled_from((1, 2, 3, 3, 4, 8, 11, 12))), draw(st.sampled_from((0, 1, 4)))
    message = (
        struct.pack("!BBHI", kind, code, 0, draw(U32))
        + quoted[: draw(st.sampled_from((0, 27, 28, 47, 48, 200)))]
    )
    before = b"" if is_v4 else pseudo_header(source, destination, 58, len(message))
    message = message[:2] + checksum(before + message).to_bytes(2, "big") + message[4:]
    message = message[: draw(st.sampled_from((7, 8, 300, 300, 300)))]
    return (
        build_ipv4(source, destination, message, 1) if is_v4 else build_ipv6(source, destination, message, 58)
    )


def headed_again(packet: bytes, total: int | None = None) -> bytes:
    """An IPv4 packet with a total length, its own if none is given, and a right header checksum."""
    if len(packet) < 20:
        return packet
    length = len(packet) if total is None else total
    fixed = packet[:2] + length.to_bytes(2, "big") + packet[4:10] + bytes(2) + packet[12:]
    header_sum = checksum(fixed[: (fixed[0] & 15) * 4])
    return fixed[:10] + header_sum.to_bytes(2, "big") + fixed[12:]


@st.composite
def spoilt_packets(draw: st.DrawFn) -> bytes:
    """A packet cut, lengthened, or with some octets overwritten; sometimes with a right IPv4 header again."""
    packet = bytearray(draw(PACKETS))
    for _ in range(draw(st.integers(0, 3))):
        packet[draw(st.integers(0, min(len(packet), 64) - 1))] = draw(U8)
    whole = bytes(packet) + draw(st.binary(max_size=8))
    whole = whole[: draw(st.integers(0, len(whole)) | st.just(len(whole)))]
    return headed_again(whole) if whole[:1] and whole[0] >> 4 == 4 and draw(st.booleans()) else whole


def c_record(packet: bytes, notes: int = 0, before: bytes = b"") -> tuple[Any, Any]:
    """The in-record and the side record that C makes of a packet that stands behind `before`."""
    record, side = ffi.new("struct in_record *"), ffi.new("struct side_record *")
    arena = ffi.from_buffer("uint8_t[]", before + packet)
    lib.packet_parse(arena, len(before), len(packet), notes, record, side)
    in_record = layout.IN_RECORD.unpack(memoryview(ffi.buffer(record)))
    return in_record, layout.SIDE_RECORD.unpack(memoryview(ffi.buffer(side)))


def c_parse(packet: bytes, checksum_ready: bool = True, before: bytes = b"") -> Parsed:
    """What C makes of a packet, as the reference codec says it."""
    record, side = c_record(packet, 0 if checksum_ready else lib.PACKET_CHECKSUM_NOT_READY, before)
    kind, offset, length = record[1], *record[8:10]
    if kind >= min(DropReason):
        return DropReason(kind)
    if kind == layout.KIND_ICMP:
        return read_icmp(record)
    whole = before + packet
    assert len(before) <= offset <= offset + length <= len(whole)
    return record[0], read_segment(record, whole[offset : offset + length], side)


@given(PACKETS, st.binary(max_size=9))
def test_parse__valid_packet__as_the_reference(packet: bytes, before: bytes) -> None:
    expected = parse_packet(packet)
    assert isinstance(expected, tuple)
    assert c_parse(packet, before=before) == expected


@given(segments(), FLOWS)
def test_parse__valid_packet__kind_says_what_it_carries(segment: Segment, flow: Flow) -> None:
    record, _ = c_record(build_packet(flow, segment))
    has_side = bool(segment.sack or segment.syn_options or segment.urgent or segment.user_timeout_s)
    has_side = has_side or segment.ecn_bytes is not None
    plain = layout.KIND_PLAIN if segment.ts_val == NO_TIMESTAMP else layout.KIND_TIMESTAMP
    is_marked = segment.ecn == CE or bool(segment.flags & AE)
    assert record[1] == (layout.KIND_OPTIONS if has_side or is_marked else plain)


HOSTILE = {
    "spoilt": spoilt_packets(),
    "any options": packets_with_any_options(),
    "extension headers": packets_with_extensions(),
    "odd addresses": packets_of_odd_addresses(),
    "odd lengths": packets_of_odd_lengths(),
    "icmp": icmp_packets(),
    "random": st.binary(max_size=150),
}


EXAMPLES = int(os.environ.get("GOSSAMER_PACKET_EXAMPLES", "75"))
"""Packets of each kind; `make fuzz` takes more."""


@pytest.mark.parametrize("packets", HOSTILE.values(), ids=HOSTILE.keys())
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_parse__hostile_packet__as_the_reference(
    packets: st.SearchStrategy[bytes], data: st.DataObject
) -> None:
    packet, checksum_ready = data.draw(packets), data.draw(st.booleans())
    assert c_parse(packet, checksum_ready) == parse_packet(packet, checksum_ready)


@given(PACKETS, st.integers(0, 19))
def test_parse__every_truncation__as_the_reference(packet: bytes, less: int) -> None:
    for length in range(less, len(packet), 20):
        assert c_parse(packet[:length]) == parse_packet(packet[:length])


def test_parse__cut_by_the_kernel__truncated() -> None:
    record, _ = c_record(
        build_packet(ANY_FLOW, Segment(1, 2, 3, 4)),
        lib.PACKET_TRUNCATED,
    )
    assert record[1] == DropReason.TRUNCATED


def test_parse__dropped__the_record_holds_nothing_else() -> None:
    record, _ = c_record(build_packet(ANY_FLOW, Segment(1, 2, 3, 4))[:-1] + b"x")
    assert record == (bytes(36), DropReason.TCP_BAD_CHECKSUM, *(0,) * 10)
