"""The scoreboard against a model of one octet at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossamer.core.records import replace
from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.sim import states
from gossamer.core.sim.states import NOW_US, send
from gossamer.core.tcp.recovery import ranges, scoreboard, transmissions
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.tcb import Tcb

SMSS = 1448
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
        before, una = seq_add(start, una), min(una + acked, FLIGHT)
        passed = {at for at in range(una - acked, una) if at >= 0} - model
        wire = [(seq_add(start, left), seq_add(start, right)) for left, right in blocks]
        sacked, arrived = scoreboard.updated(sacked, wire, before, seq_add(start, una), snd_nxt)
        known = set(model)
        for left, right in blocks:
            if una <= left < right <= FLIGHT:
                model |= set(range(left, right))
        news = {at for at in (model - known) | passed if at >= (before - start) & MASK}
        assert sorted(octets_of(arrived, start)) == sorted(news), "each octet is news once"
        model = {at for at in model if at >= una}
        assert octets_of(sacked, start) == sorted(model), "in order, apart, and nothing else"


def octets_of(sacked: scoreboard.Ranges, start: Seq) -> list[int]:
    return [at for left, right in sacked for at in range((left - start) & MASK, (right - start) & MASK)]


def test_is_lost__more_than_two_segments_above() -> None:
    """RFC 6675 4."""
    assert not scoreboard.is_lost(2 * 1_000, 1_000)
    assert scoreboard.is_lost(2 * 1_000 + 1, 1_000)


def lossy(*sacked: tuple[int, int]) -> tuple[Tcb, Recovery]:
    """Eight segments in flight, of which so many are reported; edges count segments."""
    tcb, _ = send(states.established(), b"x" * 8 * SMSS)
    blocks = tuple((seq_add(tcb.snd_una, a * SMSS), seq_add(tcb.snd_una, b * SMSS)) for a, b in sacked)
    recovery = Recovery(Phase.DISORDER, tcb.snd_una, sacked=blocks, sacked_bytes=ranges.total_bytes(blocks))
    return tcb, recovery


@pytest.mark.parametrize(
    ("sacked", "lost"),
    [
        (((1, 3),), ()),
        (((1, 4),), ((0, 1),)),
        (((1, 2), (3, 6)), ((0, 1), (2, 3))),
        (((1, 2), (4, 6)), ((0, 1),)),
        (((1, 2), (3, 4), (5, 7)), ((0, 1), (2, 3))),
    ],
)
def test_counted__more_than_two_segments_above__lost(
    sacked: tuple[tuple[int, int], ...], lost: tuple[tuple[int, int], ...]
) -> None:
    """RFC 6675 4, IsLost."""
    tcb, recovery = lossy(*sacked)
    found = scoreboard.counted(tcb, recovery).lost
    assert found == tuple((seq_add(tcb.snd_una, a * SMSS), seq_add(tcb.snd_una, b * SMSS)) for a, b in lost)


def test_counted__sent_again__left_to_the_timer() -> None:
    tcb, recovery = lossy((1, 5))
    again = transmissions.after_retransmission(tcb, tcb.snd_una, seq_add(tcb.snd_una, SMSS), NOW_US + 1)
    assert scoreboard.counted(replace(tcb, transmissions=again), recovery).lost == ()


def test_with_lost__reported_octets_are_not_lost() -> None:
    tcb, recovery = lossy((1, 2), (4, 5))
    recovery = scoreboard.with_lost(recovery, tcb.snd_una, seq_add(tcb.snd_una, 5 * SMSS), tcb.snd_una)
    assert recovery.lost_bytes == 3 * SMSS == ranges.total_bytes(recovery.lost)
    recovery = scoreboard.without_lost(
        recovery, seq_add(tcb.snd_una, SMSS), seq_add(tcb.snd_una, 3 * SMSS), tcb.snd_una
    )
    assert recovery.lost_bytes == 2 * SMSS
    assert recovery.lost[0] == (tcb.snd_una, seq_add(tcb.snd_una, SMSS))


def test_pipe__reported_and_lost__are_gone() -> None:
    """RFC 6675 4, SetPipe."""
    tcb, recovery = lossy((1, 2), (3, 6))
    recovery = scoreboard.counted(tcb, replace(recovery, phase=Phase.FAST))
    assert scoreboard.pipe_bytes(replace(tcb, recovery=recovery)) == (8 - 4 - 2) * SMSS
