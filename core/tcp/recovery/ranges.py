"""Disjoint ascending ranges of sequence space, as values: found by bisect, changed by splicing.

Owns their arithmetic and nothing else: what a range stands for (reported, lost) its holder knows. Every
function takes a `base` at or before all of them, from which distances are plain ascending integers.

Bounds: the holder's; the work of one call is a bisect and the copy of a short tuple.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from gossamer.core.seq import MASK, Seq, seq_le, seq_lt

Ranges = tuple[tuple[Seq, Seq], ...]


def total_bytes(ranges: Ranges) -> int:
    """The octets in them."""
    return sum([(right - left) & MASK for left, right in ranges])


def _first_ending_after(ranges: Ranges, seq: Seq, base: Seq) -> int:
    """The index of the first range whose right edge lies after `seq`."""
    return bisect_right(ranges, (seq - base) & MASK, key=lambda edge: (edge[1] - base) & MASK)


def above(ranges: Ranges, una: Seq) -> Ranges:
    """The part at or after `una`. Each range is dropped once, so the walk is paid for by its making."""
    index = 0
    while index < len(ranges) and seq_le(ranges[index][1], una):
        index += 1
    kept = ranges[index:]
    if kept and seq_lt(kept[0][0], una):
        return ((una, kept[0][1]), *kept[1:])
    return kept


def gaps(ranges: Ranges, left: Seq, right: Seq, base: Seq) -> Iterator[tuple[Seq, Seq]]:
    """The pieces of [left, right) that no range covers."""
    position, end = (left - base) & MASK, (right - base) & MASK
    for index in range(_first_ending_after(ranges, left, base), len(ranges)):
        low, high = ((edge - base) & MASK for edge in ranges[index])
        if low >= end:
            break
        if position < low:
            yield Seq((base + position) & MASK), Seq((base + low) & MASK)
        position = max(position, high)
    if position < end:
        yield Seq((base + position) & MASK), right


def uncovered(one: Ranges, other: Ranges, left: Seq, right: Seq, base: Seq) -> list[tuple[int, int]]:
    """The pieces of [left, right) that neither covers, as distances from `base`: one walk along both."""
    edges = [((low - base) & MASK, (high - base) & MASK) for low, high in one]
    if other:
        edges += [((low - base) & MASK, (high - base) & MASK) for low, high in other]
        edges.sort()
    position, end = (left - base) & MASK, (right - base) & MASK
    found: list[tuple[int, int]] = []
    for low, high in edges:
        if low >= end:
            break
        if position < low:
            found.append((position, low))
        if position < high:
            position = high
    if position < end:
        found.append((position, end))
    return found


def joined(ranges: Ranges, pieces: list[tuple[int, int]], base: Seq) -> Ranges:
    """The ranges and ascending pieces that none of them covers, given as distances from `base`."""
    if not pieces:
        return ranges
    edges = sorted([*(((low - base) & MASK, (high - base) & MASK) for low, high in ranges), *pieces])
    merged: list[tuple[int, int]] = []
    for low, high in edges:
        if merged and merged[-1][1] == low:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple([(Seq((base + low) & MASK), Seq((base + high) & MASK)) for low, high in merged])


def covered(ranges: Ranges, left: Seq, right: Seq, base: Seq) -> Iterator[tuple[Seq, Seq]]:
    """The pieces of [left, right) that a range covers."""
    start, end = (left - base) & MASK, (right - base) & MASK
    for index in range(_first_ending_after(ranges, left, base), len(ranges)):
        low, high = ((edge - base) & MASK for edge in ranges[index])
        if low >= end:
            break
        yield Seq((base + max(low, start)) & MASK), Seq((base + min(high, end)) & MASK)


def with_range(ranges: Ranges, left: Seq, right: Seq, base: Seq) -> Ranges:
    """The ranges and [left, right), joined with what it touches."""
    first = bisect_left(ranges, (left - base) & MASK, key=lambda edge: (edge[1] - base) & MASK)
    last = bisect_right(ranges, (right - base) & MASK, key=lambda edge: (edge[0] - base) & MASK)
    if first < last:
        left = left if (left - base) & MASK <= (ranges[first][0] - base) & MASK else ranges[first][0]
        end = ranges[last - 1][1]
        right = right if (right - base) & MASK >= (end - base) & MASK else end
    return (*ranges[:first], (left, right), *ranges[last:])


def without(ranges: Ranges, left: Seq, right: Seq, base: Seq) -> Ranges:
    """The ranges less [left, right)."""
    start, end = (left - base) & MASK, (right - base) & MASK
    first = _first_ending_after(ranges, left, base)
    last = bisect_left(ranges, end, key=lambda edge: (edge[0] - base) & MASK)
    if first >= last:
        return ranges
    kept: list[tuple[Seq, Seq]] = []
    if (ranges[first][0] - base) & MASK < start:
        kept.append((ranges[first][0], left))
    if (ranges[last - 1][1] - base) & MASK > end:
        kept.append((right, ranges[last - 1][1]))
    return (*ranges[:first], *kept, *ranges[last:])
