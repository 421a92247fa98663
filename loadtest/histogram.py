"""A log-linear histogram of latencies: fixed memory, one array store a sample, error below 1 %.

    value < 256          one bucket a microsecond
    2^k <= value < 2^k+1 128 buckets, each 2^(k-7) wide

This file owns the mapping from value to bucket and back; it knows nothing of requests or clocks.

Source: the layout of HdrHistogram (G. Tene), with our own figures.
"""

from array import array
from typing import Final

SUB_BUCKET_BITS: Final = 7
LINEAR_MAX: Final = 2 << SUB_BUCKET_BITS
VALUE_MAX_US: Final = (1 << 36) - 1
"""About 19 hours; larger samples are counted as this one, and `max_us` keeps the truth."""
BUCKETS: Final = ((VALUE_MAX_US.bit_length() - SUB_BUCKET_BITS - 1) << SUB_BUCKET_BITS) + LINEAR_MAX


def bucket_of(value_us: int) -> int:
    """The bucket that counts `value_us`."""
    if value_us < LINEAR_MAX:
        return max(value_us, 0)
    shift = min(value_us, VALUE_MAX_US).bit_length() - SUB_BUCKET_BITS - 1
    return (shift << SUB_BUCKET_BITS) + (min(value_us, VALUE_MAX_US) >> shift)


def bucket_top_us(bucket: int) -> int:
    """The largest value that `bucket` counts."""
    if bucket < LINEAR_MAX:
        return bucket
    shift = (bucket >> SUB_BUCKET_BITS) - 1
    mantissa = bucket - (shift << SUB_BUCKET_BITS)
    return ((mantissa + 1) << shift) - 1


class Histogram:
    """Counts samples in microseconds. Bounds: BUCKETS counters of 8 bytes, whatever is recorded."""

    def __init__(self) -> None:
        self.counts = array("Q", bytes(8 * BUCKETS))
        self.samples_total = 0
        self.sum_us = 0
        self.max_us = 0

    def record(self, value_us: int) -> None:
        """Count one sample."""
        self.counts[bucket_of(value_us)] += 1
        self.samples_total += 1
        self.sum_us += value_us
        if value_us > self.max_us:
            self.max_us = value_us

    def merge(self, other: "Histogram") -> None:
        """Add all that `other` has counted."""
        for bucket, count in enumerate(other.counts):
            if count:
                self.counts[bucket] += count
        self.samples_total += other.samples_total
        self.sum_us += other.sum_us
        self.max_us = max(self.max_us, other.max_us)

    def percentile_us(self, percent: float) -> int:
        """The value that `percent` of the samples do not exceed; 0 when nothing was recorded.

        Raises: ValueError outside 0..100.
        """
        if not 0 <= percent <= 100:
            raise ValueError(f"percentile {percent}: allowed is 0..100")
        rank = max(1, -int(-self.samples_total * percent // 100))
        passed = 0
        for bucket, count in enumerate(self.counts):
            passed += count
            if passed >= rank:
                return min(bucket_top_us(bucket), self.max_us)
        return self.max_us

    def mean_us(self) -> float:
        """The mean of all samples; 0 when nothing was recorded."""
        return self.sum_us / self.samples_total if self.samples_total else 0.0
