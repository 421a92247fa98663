"""Log-linear buckets: from a whole number to the bucket that counts it, and back. Pure.

    value < 2 << bits    a bucket for each value
    2^k <= value         1 << bits buckets in each octave, all equally wide

Owns the layout, and where a percentile stands in counters of it. What is counted, and in which memory, is its
user's: response times of a worker in shared memory, those of a load test in arrays.

Source: the layout of HdrHistogram (G. Tene), with our own figures.
"""

from collections.abc import Iterable

import msgspec


class LogLinear(msgspec.Struct, frozen=True):
    """A layout of buckets. What they tell of a value is wrong by less than one part in `1 << bits`."""

    bits: int
    """Of the place within an octave."""
    value_bits: int
    """Values of more bits are counted in the last bucket."""

    @property
    def linear_max(self) -> int:
        """From here on a bucket counts more than one value."""
        return 2 << self.bits

    @property
    def buckets(self) -> int:
        """How many there are."""
        return ((self.value_bits - self.bits - 1) << self.bits) + self.linear_max

    def bucket_of(self, value: int) -> int:
        """The bucket that counts it; the first for what is negative."""
        if value < self.linear_max:
            return max(value, 0)
        value = min(value, (1 << self.value_bits) - 1)
        shift = value.bit_length() - self.bits - 1
        return (shift << self.bits) + (value >> shift)

    def top_of(self, bucket: int) -> int:
        """The largest value that a bucket counts."""
        if bucket < self.linear_max:
            return bucket
        shift = (bucket >> self.bits) - 1
        mantissa = bucket - (shift << self.bits)
        return ((mantissa + 1) << shift) - 1


def rank_of(percent: float, total: int) -> int:
    """Which of so many samples, by size, a percentile is. Raises: ValueError outside 0..100."""
    if not 0 <= percent <= 100:
        raise ValueError(f"percentile {percent}: allowed is 0..100")
    return max(1, -int(-total * percent // 100))


def percentile_of(counted: Iterable[tuple[int, int]], percent: float) -> int:
    """The value that `percent` of the samples do not exceed, as the top of its bucket; 0 of none.

    Shapes: (top of a bucket, how many samples), the lowest first. Raises: ValueError outside 0..100.
    """
    pairs = tuple(counted)
    rank, passed = rank_of(percent, sum(count for _, count in pairs)), 0
    for top, count in pairs:
        passed += count
        if passed >= rank:
            return top
    return 0
