"""The sender's scoreboard: which octets the peer has reported as received, and which are therefore lost.

Source: RFC 2018 5, RFC 6675 3 and 4.
"""

from collections.abc import Iterable

from gossamer.core.seq import MASK, Seq, seq_add, seq_le, seq_lt, seq_max, seq_min
from gossamer.core.tcp.parameters import DUP_THRESH, SACKED_RANGES_MAX

Ranges = tuple[tuple[Seq, Seq], ...]


def update(sacked: Ranges, blocks: Iterable[tuple[int, int]], snd_una: Seq, snd_nxt: Seq) -> Ranges:
    """The ranges with new SACK blocks taken in and what SND.UNA has passed taken out.

    A block that is inverted, empty, or reaches outside (SND.UNA, SND.NXT] is ignored: it is old, a D-SACK, or
    forged.
    """
    edges = [(seq_max(left, snd_una), right) for left, right in sacked if seq_lt(snd_una, right)]
    flight = (snd_nxt - snd_una) & MASK
    news = [
        (Seq(left), Seq(right))
        for left, right in blocks
        if (left - snd_una) & MASK < (right - snd_una) & MASK <= flight
    ]
    return _merged(edges + news, snd_una)[:SACKED_RANGES_MAX] if news else tuple(edges)


def _merged(edges: list[tuple[Seq, Seq]], snd_una: Seq) -> Ranges:
    edges.sort(key=lambda edge: (edge[0] - snd_una) & MASK)
    merged: list[tuple[Seq, Seq]] = []
    for left, right in edges:
        if merged and seq_le(left, merged[-1][1]):
            merged[-1] = (merged[-1][0], seq_max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return tuple(merged)


def sacked_bytes(sacked: Ranges) -> int:
    """Octets reported as received."""
    return sum((right - left) & MASK for left, right in sacked)


def holes(sacked: Ranges, start: Seq, end: Seq) -> Iterable[tuple[Seq, Seq, int]]:
    """The unreported ranges in [start, end), each with the number of reported octets above it: (left, right,
    above)."""
    above = sacked_bytes(sacked)
    position = start
    for left, right in sacked:
        if seq_le(end, left):
            break
        if seq_lt(position, left):
            yield position, left, above
        above -= (right - left) & MASK
        position = seq_max(position, right)
    if seq_lt(position, end):
        yield position, end, above


def is_lost(above: int, smss: int) -> bool:
    """Source: RFC 6675 4, IsLost: "more than (DupThresh - 1) * SMSS bytes with sequence numbers greater than
    'SeqNum'"."""
    return above > (DUP_THRESH - 1) * smss


def next_hole(sacked: Ranges, start: Seq, end: Seq, smss: int, lost_only: bool) -> tuple[Seq, int] | None:
    """The first hole at or after `start` to send again: (seq, length up to smss)."""
    for left, right, above in holes(sacked, start, end):
        if lost_only and not is_lost(above, smss):
            return None
        return left, (seq_min(right, seq_add(left, smss)) - left) & MASK
    return None


def lost_bytes(sacked: Ranges, start: Seq, end: Seq, smss: int) -> int:
    """Octets in [start, end) that are lost and (start being HighRxt) not sent again."""
    return sum(
        (right - left) & MASK for left, right, above in holes(sacked, start, end) if is_lost(above, smss)
    )
