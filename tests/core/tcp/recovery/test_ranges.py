"""Ranges of sequence space against a model of one octet at a time."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp.recovery import ranges

SPAN = 120
EDGES = st.tuples(st.integers(0, SPAN - 1), st.integers(1, 40)).map(lambda e: (e[0], min(SPAN, e[0] + e[1])))
CHANGES = st.lists(st.tuples(st.booleans(), EDGES), max_size=12)
BASES = pytest.mark.parametrize("base", [Seq(0), Seq(MASK - 60), Seq((1 << 31) - 60)], ids=str)


def octets(held: ranges.Ranges, base: Seq) -> list[int]:
    return [at for left, right in held for at in range((left - base) & MASK, (right - base) & MASK)]


def built(changes: list[tuple[bool, tuple[int, int]]], base: Seq) -> tuple[ranges.Ranges, set[int]]:
    held: ranges.Ranges = ()
    model: set[int] = set()
    for is_added, (left, right) in changes:
        low, high = seq_add(base, left), seq_add(base, right)
        if is_added:
            held, model = ranges.with_range(held, low, high, base), model | set(range(left, right))
        else:
            held, model = ranges.without(held, low, high, base), model - set(range(left, right))
    return held, model


@BASES
@given(changes=CHANGES)
def test_with_and_without__any_changes__the_same_octets_ascending_and_apart(
    base: Seq, changes: list[tuple[bool, tuple[int, int]]]
) -> None:
    held, model = built(changes, base)
    assert octets(held, base) == sorted(model)
    assert ranges.total_bytes(held) == len(model)
    assert all(a[1] != b[0] for a, b in itertools.pairwise(held))


@BASES
@given(changes=CHANGES, part=EDGES)
def test_gaps_and_covered__a_stretch__divide_it(
    base: Seq, changes: list[tuple[bool, tuple[int, int]]], part: tuple[int, int]
) -> None:
    held, model = built(changes, base)
    low, high = seq_add(base, part[0]), seq_add(base, part[1])
    stretch = range(*part)
    assert octets(tuple(ranges.gaps(held, low, high, base)), base) == [a for a in stretch if a not in model]
    assert octets(tuple(ranges.covered(held, low, high, base)), base) == [a for a in stretch if a in model]


@BASES
@given(one=CHANGES, other=CHANGES, part=EDGES)
def test_uncovered__by_neither__and_joined_with_what_they_are_not(
    base: Seq,
    one: list[tuple[bool, tuple[int, int]]],
    other: list[tuple[bool, tuple[int, int]]],
    part: tuple[int, int],
) -> None:
    (held, model), (more, others) = built(one, base), built(other, base)
    low, high = seq_add(base, part[0]), seq_add(base, part[1])
    pieces = ranges.uncovered(held, more, low, high, base)
    assert octets(tuple(pieces), base) == [a for a in range(*part) if a not in model | others]
    together = ranges.joined(held, pieces, base)
    assert octets(together, base) == sorted(model | set(octets(tuple(pieces), base)))
    assert all(a[1] != b[0] for a, b in itertools.pairwise(together))


@BASES
@given(one=CHANGES, other=CHANGES, at=st.integers(0, SPAN))
def test_uncovered_from_and_to__the_nearest_octet_that_neither_covers(
    base: Seq,
    one: list[tuple[bool, tuple[int, int]]],
    other: list[tuple[bool, tuple[int, int]]],
    at: int,
) -> None:
    (held, model), (more, others) = built(one, base), built(other, base)
    free = set(range(SPAN + 2)) - model - others
    behind = ranges.uncovered_from(held, more, seq_add(base, at), base)
    assert (behind - base) & MASK == min(octet for octet in free if octet >= at)
    before = ranges.uncovered_to(held, more, seq_add(base, at), base)
    assert (before - base) & MASK == max((octet + 1 for octet in free if octet < at), default=0)


@BASES
@given(changes=CHANGES, una=st.integers(0, SPAN))
def test_from__snd_una_moves__what_it_passed_is_gone(
    base: Seq, changes: list[tuple[bool, tuple[int, int]]], una: int
) -> None:
    held, model = built(changes, base)
    assert octets(ranges.above(held, seq_add(base, una)), base) == sorted(at for at in model if at >= una)
