"""Startup and Drain."""

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, Memory, Mode

from .paths import BBR, BDP, DELIVERED, KNOWN, RTT_US, SMSS, START_US, acked, hears, on


def test_startup__rate_doubles_each_round__goes_on_and_full_after_three_without_growth() -> None:
    congestion, modes = BBR.begin(10 * SMSS, SMSS), []
    for number, rate in enumerate([10_000, 20_000, 40_000, 49_000, 45_000, 48_000, 47_000]):
        ack = acked(START_US + number * RTT_US, rate, starts_round=True, pipe_bytes=1 << 30)
        congestion = hears(congestion, replace(ack, delivered_total=DELIVERED + number * SMSS))
        congestion = replace(
            congestion,
            memory=replace(congestion.memory, rounds=replace(congestion.memory.rounds, ends_at_bytes=0)),
        )
        modes.append(congestion.memory.mode)
    assert modes == [Mode.STARTUP] * 5 + [Mode.DRAIN] * 2
    assert congestion.pacing_rate == int(0.5 * 49_000 * 99 / 100)


YOUNG = replace(
    KNOWN, mode=Mode.STARTUP, bandwidth=replace(KNOWN.bandwidth, is_full_now=False, is_full_reached=False)
)
LOSSY = replace(
    YOUNG, short_term=replace(YOUNG.short_term, losses=5, is_loss_in_round=True, round_ends_at_bytes=1)
)


def after_sixth_loss(memory: Memory = LOSSY, **values: object) -> Memory:
    fields = {"starts_round": True, "is_recovering": True, "lost_bytes": SMSS, "lost_since": 6 * SMSS}
    return hears(on(memory), acked(**(fields | values))).memory  # type: ignore[arg-type, no-any-return]


def test_startup__a_round_of_recovery_with_six_losses__is_over_with_what_was_delivered() -> None:
    after = after_sixth_loss(in_flight=2 * BDP)
    assert after.mode is not Mode.STARTUP
    assert after.bandwidth.is_full_reached
    assert after.inflight_longterm == BDP
    assert after.undo_mode == Mode.STARTUP


def test_startup__fewer_losses_or_less_than_two_percent_or_no_whole_round__goes_on() -> None:
    fewer = replace(LOSSY, short_term=replace(LOSSY.short_term, losses=4))
    assert after_sixth_loss(fewer).mode is Mode.STARTUP
    assert after_sixth_loss(in_flight=300 * SMSS).mode is Mode.STARTUP
    assert after_sixth_loss(starts_round=False).mode is Mode.STARTUP
    assert after_sixth_loss(is_recovering=False).mode is Mode.STARTUP


def test_startup__without_sack__any_loss_ends_it() -> None:
    after = after_sixth_loss(YOUNG, has_sack=False, lost_since=SMSS)
    assert after.bandwidth.is_full_reached


def test_drain__until_the_queue_is_gone_or_for_three_rounds() -> None:
    draining = replace(KNOWN, mode=Mode.DRAIN, drain_from_round=9)
    assert hears(on(draining), acked(pipe_bytes=2 * BDP)).memory.mode is Mode.DRAIN
    after = hears(on(draining), acked(pipe_bytes=BDP)).memory
    assert after.mode is Mode.PROBE_BW_CRUISE, "through DOWN, where nothing is left to drain"
    assert after.inflight_longterm == UNBOUNDED
    long_ago = replace(draining, drain_from_round=5)
    ack = acked(pipe_bytes=2 * BDP, starts_round=True)
    assert hears(on(long_ago), ack).memory.mode is Mode.PROBE_BW_DOWN
