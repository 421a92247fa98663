"""A log-linear histogram of latencies: fixed memory, one array store a sample, error below 1 %.

    value < 256          one bucket a microsecond
    2^k <= value < 2^k+1 128 buckets, each 2^(k-7) wide

A sample may be known only as "at least so much": what was given up on. It counts in every percentile, and a
percentile that it may have pushed up is one of which only the least value is known.

This file owns what is counted of a load test; the mapping from value to bucket and back is that of
`core.log_linear`. It knows nothing of requests or clocks.

Source: censored samples as in survival analysis.
"""

from array import array
from collections.abc import MutableSequence, Sequence
from typing import Final, Self

from gossamer.core.log_linear import LogLinear, rank_of

SUB_BUCKET_BITS: Final = 7
LAYOUT: Final = LogLinear(SUB_BUCKET_BITS, 36)
LINEAR_MAX: Final = LAYOUT.linear_max
VALUE_MAX_US: Final = (1 << LAYOUT.value_bits) - 1
"""About 19 hours; larger samples are counted as this one, and `max_us` keeps the truth."""
LANE_BYTES: Final = 8
BUCKETS: Final = LAYOUT.buckets


bucket_of: Final = LAYOUT.bucket_of
bucket_top_us: Final = LAYOUT.top_of


def lanes_bytes(lanes: Sequence[int]) -> bytes:
    """The octets of counters; an array and a memory both have them at hand."""
    return memoryview(lanes).tobytes()  # type: ignore[arg-type]


Lanes = MutableSequence[int] | memoryview
"""A counter of 64 bits for each bucket: an array, or words of a memory that others read."""


def empty_lanes() -> Lanes:
    """Counters of nothing."""
    return array("Q", bytes(LANE_BYTES * BUCKETS))


class Histogram:
    """Counts samples in microseconds. Bounds: twice BUCKETS counters of 8 bytes, whatever is recorded."""

    def __init__(self, counts: Lanes | None = None, floors: Lanes | None = None) -> None:
        self.counts: Lanes = empty_lanes() if counts is None else counts
        self.floors: Lanes = empty_lanes() if floors is None else floors
        """The samples of which only the least value is known."""
        self.samples_total = 0
        self.floors_total = 0
        self.sum_us = 0
        self.max_us = 0

    @classmethod
    def of(cls, counts: bytes, floors: bytes = b"") -> Self:
        """What `counted` and `counted_floors` gave, or a difference of two; its maximum is that of the
        highest bucket."""
        made = cls()
        for lanes, octets in ((made.counts, counts), (made.floors, floors)):
            lanes[: len(octets) // LANE_BYTES] = array("Q", octets)
        made.settle(max(len(counts), len(floors)) // LANE_BYTES)
        return made

    def settle(self, buckets: int = BUCKETS) -> None:
        """Find the totals anew, as well as the buckets tell them; none beyond so many is used."""
        used = self.counts[:buckets], self.floors[:buckets]
        self.samples_total, self.floors_total = map(sum, used)
        self.sum_us = self.max_us = 0
        for bucket, (count, floors) in enumerate(zip(*used, strict=True)):
            if count or floors:
                self.max_us = bucket_top_us(bucket)
                self.sum_us += self.max_us * (count + floors)

    def counted(self) -> bytes:
        """The counters, 8 octets each, the lowest bucket first, up to the highest that has been used."""
        return lanes_bytes(self.counts[: bucket_of(self.max_us) + 1])

    def counted_floors(self) -> bytes:
        """The same of the samples of which only the least value is known."""
        return lanes_bytes(self.floors[: bucket_of(self.max_us) + 1]) if self.floors_total else b""

    def count_from(self, bucket: int) -> int:
        """How many samples stand there or above."""
        return sum(self.counts[bucket:]) + sum(self.floors[bucket:])

    def record(self, value_us: int) -> int:
        """Count one sample; its bucket, by `bucket_of`, which stands here without the call."""
        if value_us < LINEAR_MAX:
            bucket = value_us if value_us > 0 else 0
        elif value_us <= VALUE_MAX_US:
            shift = value_us.bit_length() - SUB_BUCKET_BITS - 1
            bucket = (shift << SUB_BUCKET_BITS) + (value_us >> shift)
        else:
            bucket = BUCKETS - 1
        self.counts[bucket] += 1
        self.samples_total += 1
        self.sum_us += value_us
        if value_us > self.max_us:
            self.max_us = value_us
        return bucket

    def record_at_least(self, value_us: int, count: int = 1) -> None:
        """Count samples that are this long or longer."""
        self.floors[bucket_of(value_us)] += count
        self.floors_total += count
        self.sum_us += count * value_us
        if value_us > self.max_us:
            self.max_us = value_us

    def merge(self, other: "Histogram") -> None:
        """Add all that `other` has counted."""
        for ours, theirs in ((self.counts, other.counts), (self.floors, other.floors)):
            for bucket, count in enumerate(theirs):
                if count:
                    ours[bucket] += count
        self.samples_total += other.samples_total
        self.floors_total += other.floors_total
        self.sum_us += other.sum_us
        self.max_us = max(self.max_us, other.max_us)

    def percentile_us(self, percent: float) -> int:
        """The value that `percent` of the samples do not exceed, the least that it can be; 0 when nothing was
        recorded.

        Raises: ValueError outside 0..100.
        """
        return min(bucket_top_us(self._lowest_bucket(self._rank(percent))), self.max_us)

    def is_at_least(self, percent: float) -> bool:
        """Whether a percentile may be more than `percentile_us` says.

        It may where samples of which only the least value is known could stand above it, by more than what
        one bucket cannot tell.
        """
        if not self.floors_total:
            return False
        rank = self._rank(percent)
        if rank > self.samples_total:
            return True
        return self._highest_bucket(rank) > self._lowest_bucket(rank) + 1

    def _rank(self, percent: float) -> int:
        return rank_of(percent, self.samples_total + self.floors_total)

    def _lowest_bucket(self, rank: int) -> int:
        """Where the sample of that rank stands if every floor is the value itself."""
        passed = 0
        for bucket, (count, floors) in enumerate(zip(self.counts, self.floors, strict=True)):
            passed += count + floors
            if passed >= rank:
                return bucket
        return BUCKETS - 1

    def _highest_bucket(self, rank: int) -> int:
        """Where it stands if what is above a floor never ends."""
        passed = 0
        for bucket, count in enumerate(self.counts):
            passed += count
            if passed >= rank:
                return bucket
        return BUCKETS - 1

    def mean_us(self) -> float:
        """The mean of all samples, the least that it can be; 0 when nothing was recorded."""
        total = self.samples_total + self.floors_total
        return self.sum_us / total if total else 0.0
