"""Disjoint ascending ranges of sequence space, as values: found by bisect, changed by splicing.

Owns their arithmetic and nothing else: what a range stands for (reported, lost) its holder knows. Every
function takes a `base` at or before all of them, from which distances are plain ascending integers.

Bounds: the holder's; the work of one call is a bisect and the copy of a short tuple.
"""

from collections.abc import Iterable

from gossamer.core.seq import MASK, Seq, seq_le, seq_lt

Ranges = tuple[tuple[Seq, Seq], ...]


def total_bytes(ranges: Iterable[tuple[int, int]]) -> int:
    """The octets in them."""
    return sum([(right - left) & MASK for left, right in ranges])


def _first_ending_from(ranges: Ranges, distance: int, base: Seq) -> int:
    """The index of the first range whose right edge lies at least so far after `base`."""
    low, high = 0, len(ranges)
    while low < high:
        middle = (low + high) >> 1
        if (ranges[middle][1] - base) & MASK < distance:
            low = middle + 1
        else:
            high = middle
    return low


def _first_beginning_from(ranges: Ranges, distance: int, base: Seq) -> int:
    """The index of the first range whose left edge lies at least so far after `base`."""
    low, high = 0, len(ranges)
    while low < high:
        middle = (low + high) >> 1
        if (ranges[middle][0] - base) & MASK < distance:
            low = middle + 1
        else:
            high = middle
    return low


def _covered_to(ranges: Ranges, seq: Seq, base: Seq) -> Seq:
    """The right edge of the range that holds the octet `seq`; `seq` itself when none does."""
    distance = (seq - base) & MASK
    index = _first_ending_from(ranges, distance + 1, base)
    if index < len(ranges) and (ranges[index][0] - base) & MASK <= distance:
        return ranges[index][1]
    return seq


def _covered_from(ranges: Ranges, seq: Seq, base: Seq) -> Seq:
    """The left edge of the range that holds the octet before `seq`; `seq` itself when none does."""
    distance = (seq - base) & MASK
    index = _first_ending_from(ranges, distance, base)
    if index < len(ranges) and (ranges[index][0] - base) & MASK < distance:
        return ranges[index][0]
    return seq


def uncovered_from(one: Ranges, other: Ranges, left: Seq, base: Seq) -> Seq:
    """The first octet from `left` on that neither covers."""
    while (right := _covered_to(other, _covered_to(one, left, base), base)) != left:
        left = right
    return left


def uncovered_to(one: Ranges, other: Ranges, right: Seq, base: Seq) -> Seq:
    """The end of the last octet before `right` that neither covers."""
    while (left := _covered_from(other, _covered_from(one, right, base), base)) != right:
        right = left
    return right


def above(ranges: Ranges, una: Seq) -> Ranges:
    """The part at or after `una`. Each range is dropped once, so the walk is paid for by its making."""
    index = 0
    while index < len(ranges) and seq_le(ranges[index][1], una):
        index += 1
    kept = ranges[index:] if index else ranges
    if kept and seq_lt(kept[0][0], una):
        return ((una, kept[0][1]), *kept[1:])
    return kept


def gaps(ranges: Ranges, left: Seq, right: Seq, base: Seq) -> list[tuple[Seq, Seq]]:
    """The pieces of [left, right) that no range covers."""
    if not ranges:
        return [(left, right)] if left != right else []
    position, end = (left - base) & MASK, (right - base) & MASK
    found: list[tuple[Seq, Seq]] = []
    for index in range(_first_ending_from(ranges, position + 1, base), len(ranges)):
        low, high = ranges[index]
        distance = (low - base) & MASK
        if distance >= end:
            break
        if position < distance:
            found.append((Seq((base + position) & MASK), low))
        position = (high - base) & MASK
    if position < end:
        found.append((Seq((base + position) & MASK), right))
    return found


def uncovered(one: Ranges, other: Ranges, left: Seq, right: Seq, base: Seq) -> list[tuple[Seq, Seq]]:
    """The pieces of [left, right) that neither covers: one walk along both."""
    apart = gaps(one, left, right, base)
    if not other:
        return apart
    found: list[tuple[Seq, Seq]] = []
    index, count = _first_ending_from(other, ((left - base) & MASK) + 1, base), len(other)
    for low, high in apart:
        position, end = (low - base) & MASK, (high - base) & MASK
        while index < count:
            start, stop = other[index]
            distance = (start - base) & MASK
            if distance >= end:
                break
            if position < distance:
                found.append((Seq((base + position) & MASK), start))
            position = max(position, (stop - base) & MASK)
            if position > end:
                break
            index += 1
        if position < end:
            found.append((Seq((base + position) & MASK), high))
    return found


def joined(ranges: Ranges, pieces: list[tuple[Seq, Seq]], base: Seq) -> Ranges:
    """The ranges and pieces that none of them covers."""
    if len(pieces) == 1:
        return with_range(ranges, *pieces[0], base)
    edges = sorted(((low - base) & MASK, (high - base) & MASK) for low, high in (*ranges, *pieces))
    merged: list[tuple[int, int]] = []
    for low, high in edges:
        if merged and merged[-1][1] == low:
            merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple([(Seq((base + low) & MASK), Seq((base + high) & MASK)) for low, high in merged])


def covered(ranges: Ranges, left: Seq, right: Seq, base: Seq) -> list[tuple[Seq, Seq]]:
    """The pieces of [left, right) that a range covers."""
    start, end = (left - base) & MASK, (right - base) & MASK
    found: list[tuple[Seq, Seq]] = []
    for index in range(_first_ending_from(ranges, start + 1, base), len(ranges)):
        low, high = ((edge - base) & MASK for edge in ranges[index])
        if low >= end:
            break
        found.append((Seq((base + max(low, start)) & MASK), Seq((base + min(high, end)) & MASK)))
    return found


def with_range(ranges: Ranges, left: Seq, right: Seq, base: Seq) -> Ranges:
    """The ranges and [left, right), joined with what it touches."""
    first = _first_ending_from(ranges, (left - base) & MASK, base)
    last = _first_beginning_from(ranges, ((right - base) & MASK) + 1, base)
    if first < last:
        left = left if (left - base) & MASK <= (ranges[first][0] - base) & MASK else ranges[first][0]
        end = ranges[last - 1][1]
        right = right if (right - base) & MASK >= (end - base) & MASK else end
    return (*ranges[:first], (left, right), *ranges[last:])


def without(ranges: Ranges, left: Seq, right: Seq, base: Seq) -> Ranges:
    """The ranges less [left, right)."""
    start, end = (left - base) & MASK, (right - base) & MASK
    first = _first_ending_from(ranges, start + 1, base)
    last = _first_beginning_from(ranges, end, base)
    if first >= last:
        return ranges
    kept: list[tuple[Seq, Seq]] = []
    if (ranges[first][0] - base) & MASK < start:
        kept.append((ranges[first][0], left))
    if (ranges[last - 1][1] - base) & MASK > end:
        kept.append((right, ranges[last - 1][1]))
    return (*ranges[:first], *kept, *ranges[last:])
