"""The C parser against the reference codec: the same segments, the same reasons, never out of bounds."""

import ctypes
import mmap
import random
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from gossamer.core.wire import record as layout
from gossamer.core.wire.checksum import checksum, pseudo_header
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import MAPPED_PREFIX, Flow
from gossamer.core.wire.ip import is_bad_address, wire_address
from gossamer.core.wire.ipv6 import EXTENSION_HEADERS_MAX, build_ipv6
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.packet import Parsed, build_packet, parse_packet
from gossamer.core.wire.reading import read_icmp, read_segment
from gossamer.core.wire.segment import NO_TIMESTAMP, SYN, URG, Segment, SynOptions
from gossamer.ffi._packet import ffi, lib
from hypothesis import example, given
from hypothesis import strategies as st

U8, U16, U32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
PAGE_BYTES = mmap.PAGESIZE
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
SYN_OPTIONS = st.builds(SynOptions, st.integers(1, 65535), st.integers(-1, 127), st.booleans())


@st.composite
def segments(draw: st.DrawFn, flags: st.SearchStrategy[int] = U8) -> Segment:
    """Segments that say all they hold: what a SYN or URG alone may carry is there with that bit only."""
    bits = draw(flags)
    ts_val, ts_ecr = draw(STAMPS)
    syn_options = draw(st.none() | SYN_OPTIONS) if bits & SYN else None
    used_bytes = len(encode_options(Segment(0, 0, bits, 0, ts_val, ts_ecr, syn_options=syn_options)))
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
    )


PACKETS = st.builds(build_packet, FLOWS, segments())


@st.composite
def packets_with_any_options(draw: st.DrawFn) -> bytes:
    """Right checksums round option octets that may be nonsense."""
    octets = draw(st.binary(max_size=40) | st.lists(OPTION_PIECES, max_size=10).map(b"".join))[:40]
    padded = octets + bytes(-len(octets) % 4)
    return build_packet(draw(FLOWS), draw(segments()), options=padded)


OPTION_PIECES = st.sampled_from(
    [
        bytes.fromhex(piece)
        for piece in (
            "01",
            "00",
            "020405b4",
            "03030e",
            "0402",
            "080a0000000100000002",
            "0101080a",
            "050a0000000100000002",
            "05120000000100000002000000030000000f",
            "0502",
            "0509",
            "0300",
            "fe03",
            "02",
        )
    ]
)


@st.composite
def packets_with_extensions(draw: st.DrawFn) -> bytes:
    """IPv6 with a chain of extension headers, in and out of order, whole and cut."""
    flow, segment = draw(flows_of(ADDRESSES_V6)), draw(segments())
    plain = build_packet(flow, segment)
    kinds = draw(
        st.lists(st.sampled_from((0, 43, 60, 60, 44, 50)), min_size=1, max_size=EXTENSION_HEADERS_MAX + 2)
    )
    chain = b""
    for following in [*kinds[1:], 6]:
        words = draw(st.sampled_from((0, 0, 0, 1, 30)))
        left = draw(st.sampled_from((0, 0, 0, 1)))
        chain += bytes((following, words, 0, left)) + bytes(4 + 8 * words)
    cut = draw(st.integers(0, len(chain)) | st.just(len(chain)))
    return build_ipv6(plain[8:24], plain[24:40], chain[:cut] + plain[40:], protocol=kinds[0])


@st.composite
def icmp_packets(draw: st.DrawFn) -> bytes:
    """Errors with a right checksum that quote a packet of ours, whole, cut, or spoilt."""
    flow = draw(FLOWS)
    quoted = draw(
        spoilt(st.just(build_packet(flow, draw(segments())))) | st.just(build_packet(flow, draw(segments())))
    )
    source, destination = wire_address(flow[:16]), wire_address(flow[16:32])
    is_v4 = len(source) == 4
    kind, code = draw(st.sampled_from((1, 2, 3, 3, 4, 8, 11, 12))), draw(st.sampled_from((0, 1, 4)))
    message = (
        struct.pack("!BBHI", kind, code, 0, draw(U32)) + quoted[: draw(st.sampled_from((20, 28, 48, 200)))]
    )
    before = b"" if is_v4 else pseudo_header(source, destination, 58, len(message))
    message = message[:2] + checksum(before + message).to_bytes(2, "big") + message[4:]
    if not is_v4:
        return build_ipv6(source, destination, message, 58)
    return headed_again(
        build_packet(flow, Segment(0, 0, 0, 0))[:9] + b"\x01" + bytes(2) + source + destination + message
    )


def headed_again(packet: bytes) -> bytes:
    """An IPv4 packet with its total length and header checksum made right."""
    fixed = packet[:2] + len(packet).to_bytes(2, "big") + packet[4:10] + bytes(2) + packet[12:]
    total = checksum(fixed[: (fixed[0] & 15) * 4])
    return fixed[:10] + total.to_bytes(2, "big") + fixed[12:]


@st.composite
def spoilt(draw: st.DrawFn, packets: st.SearchStrategy[bytes]) -> bytes:
    """A packet cut, lengthened, or with some octets overwritten; sometimes with a right IPv4 header again."""
    packet = bytearray(draw(packets))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, min(len(packet), 64) - 1))
        packet[at] = draw(U8)
    whole = bytes(packet) + draw(st.binary(max_size=8))
    whole = whole[: draw(st.integers(0, len(whole)) | st.just(len(whole)))]
    return headed_again(whole) if len(whole) >= 20 and whole[0] >> 4 == 4 and draw(st.booleans()) else whole


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
    kind, offset, length = record[1], *record[-2:]
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
    has_side = bool(segment.sack or segment.syn_options or segment.urgent)
    plain = layout.KIND_PLAIN if segment.ts_val == NO_TIMESTAMP else layout.KIND_TIMESTAMP
    assert record[1] == (layout.KIND_OPTIONS if has_side else plain)


@given(
    PACKETS
    | spoilt(PACKETS)
    | spoilt(packets_with_any_options())
    | packets_with_extensions()
    | icmp_packets()
    | st.binary(max_size=150),
    st.booleans(),
)
@example(b"", True)
@example(b"\x60" + bytes(39), True)
def test_parse__any_packet__as_the_reference(packet: bytes, checksum_ready: bool) -> None:
    assert c_parse(packet, checksum_ready) == parse_packet(packet, checksum_ready)


@given(packets_with_any_options())
def test_parse__any_options__as_the_reference(packet: bytes) -> None:
    assert c_parse(packet) == parse_packet(packet)


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
    assert record == (bytes(36), DropReason.TCP_BAD_CHECKSUM, 0, 0, 0, 0, 0, 0, 0, 0)


@pytest.fixture
def guarded() -> Iterator[Any]:
    """Sixteen pages of memory whose end is followed by a page that may not be touched."""
    pages = 16
    memory = mmap.mmap(-1, (pages + 1) * PAGE_BYTES)
    view = ffi.from_buffer("uint8_t[]", memory)
    address = int(ffi.cast("uintptr_t", view))
    libc = ctypes.CDLL(None, use_errno=True)
    guard = ctypes.c_void_p(address + pages * PAGE_BYTES)
    assert libc.mprotect(guard, ctypes.c_size_t(PAGE_BYTES), 0) == 0
    yield memory, view, pages * PAGE_BYTES
    assert libc.mprotect(guard, ctypes.c_size_t(PAGE_BYTES), mmap.PROT_READ | mmap.PROT_WRITE) == 0
    ffi.release(view)
    memory.close()


def noisy_packet(rng: random.Random) -> bytes:
    """A packet with lengths, offsets and options that lie."""
    family = rng.choice((4, 16))
    prefix = MAPPED_PREFIX if family == 4 else b""
    flow = prefix + rng.randbytes(family) + prefix + rng.randbytes(family) + rng.randbytes(4)
    packet = bytearray(
        build_packet(flow, Segment(1, 2, rng.getrandbits(8), 4, 5, 6, rng.randbytes(rng.randrange(50))))
    )
    for _ in range(rng.randrange(4)):
        packet[rng.randrange(len(packet))] = rng.getrandbits(8)
    if rng.random() < 0.5:
        packet[0] = rng.choice((0x45, 0x46, 0x4F, 0x60))
    whole = bytes(packet[: rng.randrange(len(packet) + 1)] if rng.random() < 0.5 else packet)
    return headed_again(whole) if len(whole) >= 20 and whole[0] >> 4 == 4 and rng.random() < 0.7 else whole


def test_parse__packets_at_the_very_end_of_memory__never_read_behind_it(guarded: Any) -> None:
    memory, view, end = guarded
    rng = random.Random(20_000)
    record, side = ffi.new("struct in_record *"), ffi.new("struct side_record *")
    seen = set()
    for _ in range(20_000):
        packet = noisy_packet(rng)
        memory[end - len(packet) : end] = packet
        seen.add(lib.packet_parse(view, end - len(packet), len(packet), rng.randrange(2), record, side))
    assert len(seen) > 10, f"the packets tried reach only {sorted(seen)}"
