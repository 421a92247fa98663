"""What the last round trips say of loss."""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr import short_term
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, Memory, Mode

from .paths import BDP, DELIVERED, KNOWN, RATE, SMSS, acked, hears, on


def after_a_round_with_loss(memory: Memory, rate: int) -> Memory:
    """A loss is noted, and the round in which it was ends; it delivered at this rate."""
    memory = short_term.noted(memory, DELIVERED)
    memory = hears(on(memory), acked(rate=rate)).memory
    assert memory.short_term.bw == UNBOUNDED, "once a round, at its end"
    return hears(on(memory), acked(rate=rate, starts_round=True)).memory


def test_loss_while_cruising__down_to_what_was_delivered_and_to_seven_tenths_at_most() -> None:
    memory = after_a_round_with_loss(KNOWN, RATE * 95 // 100)
    assert (memory.short_term.bw, memory.bw, memory.max_bw) == (RATE * 95 // 100, RATE * 95 // 100, RATE)
    assert memory.short_term.inflight_bytes == 2 * BDP * 7 // 10
    assert not memory.short_term.is_loss_in_round
    memory = after_a_round_with_loss(KNOWN, RATE // 2)
    assert memory.short_term.bw == RATE * 7 // 10
    again = short_term.noted(memory, DELIVERED)
    again = hears(on(again), acked(rate=RATE // 4, starts_round=True)).memory
    assert again.short_term.bw == RATE // 2, "what the round before ended with is the first of this one"


def test_loss_while_bandwidth_is_probed__leaves_the_short_term_alone() -> None:
    for mode in (Mode.STARTUP, Mode.PROBE_BW_REFILL, Mode.PROBE_BW_UP):
        memory = replace(short_term.noted(KNOWN, 0), mode=mode)
        after = short_term.adapted(short_term.latest(memory, acked(starts_round=True), RATE), on(memory))
        assert after.short_term.bw == UNBOUNDED
        assert not after.short_term.is_loss_in_round


def test_round__begins_with_the_first_loss__and_its_losses_are_counted() -> None:
    memory = short_term.noted(short_term.noted(KNOWN, 7 * SMSS), 9 * SMSS)
    assert memory.short_term.round_ends_at_bytes == 7 * SMSS
    assert memory.short_term.losses == 2
    memory = short_term.advanced(short_term.latest(memory, acked(starts_round=True), 5), acked(), 5)
    assert memory.short_term.losses == 0
    assert memory.short_term.bw_latest == 5
