"""The points that are kept of a time-sequence graph, and what is no point."""

import msgspec
import pytest

from gossamer.shards.seen.tracepoints import POINTS_MAX, KeptPoints, PointKind, TracePoint, TraceRecord


def test_kept__bounded__and_those_that_are_new() -> None:
    kept = KeptPoints()
    points = tuple(TracePoint(at, PointKind.SENT, at, 1) for at in range(100))
    for _ in range(POINTS_MAX // 100 + 1):
        kept.add(TraceRecord(0, points, 4))
    assert (kept.next, kept.lost_total) == (POINTS_MAX + 100, 4)
    assert len(kept.since(0)) == POINTS_MAX
    assert [point.at_us for point in kept.since(kept.next - 2)] == [98, 99]
    assert list(kept.since(kept.next)) == list(kept.since(kept.next + 9)) == []


def test_record__of_an_untrue_worker__is_none() -> None:
    whole = msgspec.msgpack.encode(TraceRecord(0, (TracePoint(1, PointKind.SENT, 1, 1),), 0))
    assert msgspec.msgpack.decode(whole, type=TraceRecord).points
    for wrong in ([0, [[1, 9, 1, 1]], 0], [0, [[1, 0, "a", 1]], 0], {"worker": 0}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(msgspec.msgpack.encode(wrong), type=TraceRecord)
