"""The scoreboard against a model of one octet at a time."""

import pytest
from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp.recovery import scoreboard
from hypothesis import given
from hypothesis import strategies as st

FLIGHT = 400
BLOCKS = st.lists(st.tuples(st.integers(-20, 420), st.integers(-20, 420)), max_size=4)


@pytest.mark.parametrize(
    "start", [Seq(0), Seq(MASK - 100), Seq((1 << 31) - 100)], ids=["zero", "wrap", "sign"]
)
@given(rounds=st.lists(st.tuples(st.integers(0, 60), BLOCKS), max_size=6))
def test_update__any_blocks__exactly_what_was_reported_and_is_in_flight(
    start: Seq, rounds: list[tuple[int, list[tuple[int, int]]]]
) -> None:
    sacked: scoreboard.Ranges = ()
    una, model = 0, set[int]()
    snd_nxt = seq_add(start, FLIGHT)
    for acked, blocks in rounds:
        una += acked
        wire = [(seq_add(start, left), seq_add(start, right)) for left, right in blocks]
        sacked = scoreboard.update(sacked, wire, seq_add(start, una), snd_nxt)
        for left, right in blocks:
            if una <= left < right <= FLIGHT:
                model |= set(range(left, right))
        model = {at for at in model if at >= una}
        assert octets_of(sacked, start) == sorted(model), "in order, apart, and nothing else"
        gaps = [at for at in range(una, FLIGHT) if at not in model]
        found = [
            ((left - start) & MASK, (right - start) & MASK)
            for left, right, _ in scoreboard.holes(sacked, seq_add(start, una), snd_nxt)
        ]
        assert [at for left, right in found for at in range(left, right)] == gaps


def octets_of(sacked: scoreboard.Ranges, start: Seq) -> list[int]:
    return [at for left, right in sacked for at in range((left - start) & MASK, (right - start) & MASK)]


def test_is_lost__more_than_two_segments_above() -> None:
    """RFC 6675 4."""
    assert not scoreboard.is_lost(2 * 1_000, 1_000)
    assert scoreboard.is_lost(2 * 1_000 + 1, 1_000)


def test_next_hole__only_what_is_lost() -> None:
    sacked: scoreboard.Ranges = ((Seq(100), Seq(200)), (Seq(300), Seq(600)))
    assert scoreboard.next_hole(sacked, Seq(0), Seq(700), 100, lost_only=True) == (0, 100)
    assert scoreboard.next_hole(sacked, Seq(100), Seq(700), 100, lost_only=True) == (200, 100)
    assert scoreboard.next_hole(sacked, Seq(300), Seq(700), 100, lost_only=True) is None
    assert scoreboard.next_hole(sacked, Seq(300), Seq(700), 100, lost_only=False) == (600, 100)
