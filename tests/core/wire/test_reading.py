"""Records as values: one of each kind."""

import pytest

from gossamer.core.wire.flow import pack_flow
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.reading import InRecord, SideRecord, read_icmp, read_segment
from gossamer.core.wire.record import (
    COOKIE_EXPERIMENT,
    IN_RECORD,
    KIND_ICMP,
    KIND_OPTIONS,
    KIND_PLAIN,
    KIND_TIMESTAMP,
    OUT_RECORD,
    SIDE_RECORD,
)
from gossamer.core.wire.segment import ACK, NO_TIMESTAMP, SYN, URG, EcnBytes, Segment, SynOptions

FLOW = pack_flow(("192.0.2.1", 80), ("192.0.2.2", 1024))
NO_COOKIE = (bytes(16), 0, -1)
NO_ECN_OPTION = (0, 0, 0, 0)
STALE: SideRecord = (1, 1, 7, 2, 9, 9, *range(8), bytes(16), 30, 8, 2, 1, 1, 1)
"""What an earlier packet left: it must not be looked at."""


def record(kind: int, flags: int = ACK, ts_val: int = 0, ts_ecr: int = 0, ecn: int = 0) -> InRecord:
    return (FLOW, kind, flags, 100, 1, 2, ts_val, ts_ecr, 0, 4, ecn, 1)


def side(
    has_timestamp: int = 0, sack_permitted: int = 0, window_scale: int = -1, mss: int = 0, urgent: int = 0
) -> SideRecord:
    return (
        has_timestamp,
        sack_permitted,
        window_scale,
        0,
        mss,
        urgent,
        *range(8),
        *NO_COOKIE,
        *NO_ECN_OPTION,
    )


def test_records__sizes__are_a_cache_line_and_words() -> None:
    assert (IN_RECORD.size, SIDE_RECORD.size, OUT_RECORD.size) == (64, 72, 68)


def test_read_segment__plain__no_options() -> None:
    assert read_segment(record(KIND_PLAIN), b"data", STALE) == Segment(1, 2, ACK, 100, payload=b"data")


def test_read_segment__timestamp__its_values() -> None:
    assert read_segment(record(KIND_TIMESTAMP, ACK, 0, 8), b"", STALE) == Segment(1, 2, ACK, 100, 0, 8)


def test_read_segment__syn_options__from_the_side_record() -> None:
    found = read_segment(record(KIND_OPTIONS, SYN, 7, 8), b"", side(1, 1, 14, 1460))
    assert found == Segment(1, 2, SYN, 100, 7, 8, syn_options=SynOptions(1460, 14, True))


def test_read_segment__window_scale_of_zero__is_present() -> None:
    found = read_segment(record(KIND_OPTIONS, SYN), b"", side(window_scale=0))
    assert found.syn_options == SynOptions(window_scale=0)
    assert found.ts_val == NO_TIMESTAMP


def test_read_segment__sack__as_many_blocks_as_counted() -> None:
    two_blocks = (0, 0, -1, 2, 0, 0, 10, 20, 30, 40, 50, 60, 70, 80, *NO_COOKIE, *NO_ECN_OPTION)
    found = read_segment(record(KIND_OPTIONS), b"", two_blocks)
    assert found.sack == ((10, 20), (30, 40))
    assert found.syn_options is None


def test_read_segment__urg__its_pointer() -> None:
    assert read_segment(record(KIND_OPTIONS, ACK | URG), b"", side(urgent=3)).urgent == 3


@pytest.mark.parametrize("kind", [KIND_PLAIN, KIND_TIMESTAMP, KIND_OPTIONS])
def test_read_segment__any_kind__its_ecn_codepoint(kind: int) -> None:
    assert [read_segment(record(kind, ecn=ecn), b"", side()).ecn for ecn in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("cookie_bytes", "expected"),
    [
        (-1, (None, False)),
        (0, (b"", False)),
        (8, (bytes(range(8)), False)),
        (COOKIE_EXPERIMENT, (b"", True)),
        (COOKIE_EXPERIMENT + 16, (bytes(range(16)), True)),
    ],
)
def test_read_segment__cookie__as_long_as_counted(
    cookie_bytes: int, expected: tuple[bytes | None, bool]
) -> None:
    found = read_segment(
        record(KIND_OPTIONS, SYN), b"", (*side(mss=1)[:-7], bytes(range(16)), 0, cookie_bytes, *NO_ECN_OPTION)
    )
    cookie, is_experimental = expected
    assert found.syn_options == SynOptions(1, cookie=cookie, is_cookie_experimental=is_experimental)


@pytest.mark.parametrize(("field", "seconds"), [(0, 0), (0x8000, 0), (30, 30), (0x8001, 60)])
def test_read_segment__user_timeout__in_seconds(field: int, seconds: int) -> None:
    found = read_segment(record(KIND_OPTIONS), b"", (*side()[:-7], bytes(16), field, -1, *NO_ECN_OPTION))
    assert found.user_timeout_s == seconds


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        pytest.param((0, 7, 8, 9), None, id="none"),
        pytest.param((1, 7, 8, 9), EcnBytes(), id="empty"),
        pytest.param((3, 7, 8, 9), EcnBytes(ee0b=7, eceb=8), id="two fields"),
        pytest.param((4, 7, 8, 9), EcnBytes(7, 8, 9), id="all"),
        pytest.param((6, 7, 8, 9), EcnBytes(ee1b=7, is_order_1=True), id="one of order 1"),
        pytest.param((8, 7, 8, 9), EcnBytes(9, 8, 7, True), id="all of order 1"),
    ],
)
def test_read_segment__accecn_option__its_fields(option: tuple[int, ...], expected: EcnBytes | None) -> None:
    assert read_segment(record(KIND_OPTIONS), b"", (*side()[:-4], *option)).ecn_bytes == expected


def test_read_icmp__fields__of_the_quoted_segment() -> None:
    assert read_icmp((FLOW, KIND_ICMP, 3, 4, 0x01020304, 1400, 0, 0, 28, 56, 0, 1)) == IcmpMessage(
        FLOW, 3, 4, 0x01020304, 1400
    )
