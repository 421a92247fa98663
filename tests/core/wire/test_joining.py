"""Joining what comes in: what becomes one, and what stays two."""

import pytest

from gossamer.core.records import replace
from gossamer.core.seq import MASK
from gossamer.core.wire.cutting import cut
from gossamer.core.wire.joining import joined
from gossamer.core.wire.segment import ACK, CE, CWR, ECE, ECT_0, FIN, PSH, URG, EcnBytes, Segment, SynOptions

FIRST_ACK = Segment(100, 1_000, ACK, 50, 7, 3)
LATER_ACK = Segment(100, 4_000, ACK, 60, 8, 5)
FIRST_TEXT = Segment(100, 1_000, ACK, 50, 7, 3, b"a" * 10)
NEXT_TEXT = Segment(110, 1_000, ACK | PSH, 50, 7, 3, b"b" * 10)


def test_later_ack__stands_for_both() -> None:
    assert joined(FIRST_ACK, LATER_ACK, 0) == LATER_ACK


def test_ack_that_wraps__is_later() -> None:
    first, second = replace(FIRST_ACK, ack=MASK - 5), replace(LATER_ACK, ack=3)
    assert joined(first, second, 0) == second
    assert joined(second, first, 0) is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ack": 1_000}, id="a duplicate"),
        pytest.param({"ack": 900}, id="an old one"),
        pytest.param({"seq": 101}, id="of another place"),
        pytest.param({"ts_val": 6}, id="of an earlier clock"),
        pytest.param({"ts_val": -1}, id="without a timestamp"),
        pytest.param({"flags": ACK | ECE}, id="ECE"),
        pytest.param({"flags": ACK | CWR}, id="CWR"),
        pytest.param({"flags": ACK | FIN}, id="FIN"),
        pytest.param({"flags": ACK | PSH}, id="PSH"),
        pytest.param({"flags": ACK | URG}, id="URG"),
        pytest.param({"sack": ((5_000, 6_000),)}, id="SACK"),
        pytest.param({"ecn": CE}, id="CE"),
        pytest.param({"ecn": ECT_0}, id="another codepoint"),
        pytest.param({"user_timeout_s": 3}, id="a user timeout"),
        pytest.param({"ecn_bytes": EcnBytes(1)}, id="an AccECN option"),
        pytest.param({"syn_options": SynOptions(mss=1)}, id="options of a SYN"),
        pytest.param({"payload": b"x"}, id="text"),
    ],
)
def test_ack_of_another_kind__stays_alone(changes: dict[str, object]) -> None:
    assert joined(FIRST_ACK, replace(LATER_ACK, **changes), 0) is None
    if "ack" not in changes and "ts_val" not in changes:
        assert joined(replace(FIRST_ACK, **changes), LATER_ACK, 0) is None


FIRST_REPORT = Segment(100, 1_000, ACK, 50, 7, 3, sack=((3_000, 4_000), (6_000, 7_000)))
LATER_REPORT = replace(FIRST_REPORT, window=60, ts_val=8, sack=((3_000, 5_000), (6_000, 7_000)))


def test_duplicate_whose_first_block_grows__stands_for_both() -> None:
    """RFC 2018 4: the first block is the one that holds what came last; what the others say is repeated."""
    assert joined(FIRST_REPORT, LATER_REPORT, 0) == LATER_REPORT
    assert joined(LATER_REPORT, FIRST_REPORT, 0) is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"ack": 2_000}, id="another acknowledgment"),
        pytest.param({"seq": 101}, id="of another place"),
        pytest.param({"ts_val": 6}, id="of an earlier clock"),
        pytest.param({"ts_val": -1}, id="without a timestamp"),
        pytest.param({"flags": ACK | ECE}, id="ECE"),
        pytest.param({"flags": ACK | PSH}, id="PSH"),
        pytest.param({"ecn": CE}, id="CE"),
        pytest.param({"user_timeout_s": 3}, id="a user timeout"),
        pytest.param({"ecn_bytes": EcnBytes(1)}, id="an AccECN option"),
        pytest.param({"payload": b"x"}, id="text"),
        pytest.param({"sack": ()}, id="no report"),
        pytest.param({"sack": ((3_000, 4_000), (6_000, 7_000))}, id="no news"),
        pytest.param({"sack": ((3_000, 5_000), (6_000, 8_000))}, id="another block that grew"),
        pytest.param({"sack": ((2_000, 5_000), (6_000, 7_000))}, id="growth before the block"),
        pytest.param({"sack": ((3_000, 5_000),)}, id="a block less"),
        pytest.param({"sack": ((8_000, 9_000), (3_000, 5_000), (6_000, 7_000))}, id="a block more"),
    ],
)
def test_duplicate_of_another_kind__stays_alone(changes: dict[str, object]) -> None:
    """Where another block grew too, which came first would not be known: it may show reordering."""
    assert joined(FIRST_REPORT, replace(LATER_REPORT, **changes), 0) is None


@pytest.mark.parametrize(
    ("left", "others"), [(500, ((6_000, 7_000),)), (1_000, ()), (6_200, ((6_000, 9_000),))]
)
def test_dsack__stays_alone(left: int, others: tuple[tuple[int, int], ...]) -> None:
    """RFC 2883 4: its first block lies before SEG.ACK, or in the second one."""
    first, second = (
        replace(FIRST_REPORT, sack=((left, right), *others)) for right in (left + 100, left + 200)
    )
    assert joined(first, second, 0) is None


def test_text_behind_text__is_one_and_cut_again_the_same_two() -> None:
    both = joined(FIRST_TEXT, NEXT_TEXT, 10)
    assert both == Segment(100, 1_000, ACK | PSH, 50, 7, 3, b"a" * 10 + b"b" * 10)
    assert cut(replace(both, cut_bytes=10)) == (FIRST_TEXT, NEXT_TEXT)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({"flags": ACK | PSH}, {}, id="after PSH"),
        pytest.param({}, {"seq": 111}, id="a gap"),
        pytest.param({}, {"seq": 109}, id="an overlap"),
        pytest.param({}, {"ack": 1_001}, id="another acknowledgment"),
        pytest.param({}, {"window": 51}, id="another window"),
        pytest.param({}, {"ts_val": 8}, id="another timestamp"),
        pytest.param({}, {"ts_ecr": 4}, id="another echo"),
        pytest.param({}, {"payload": b"c" * 11}, id="longer than the first"),
        pytest.param({"payload": b"a" * 15, "seq": 95}, {}, id="after a shorter one"),
        pytest.param({"payload": b"a" * 65_450}, {"seq": 65_550}, id="too long"),
        pytest.param({}, {"flags": ACK | FIN}, id="FIN"),
    ],
)
def test_text_that_does_not_follow__stays_alone(first: dict[str, object], second: dict[str, object]) -> None:
    assert joined(replace(FIRST_TEXT, **first), replace(NEXT_TEXT, **second), 10) is None
