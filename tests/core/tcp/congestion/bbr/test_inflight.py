"""How much may be in flight."""

import pytest

from gossamer.core.records import replace
from gossamer.core.tcp.congestion.bbr import inflight
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, Memory, Mode, ShortTerm

from .paths import BDP, KNOWN, SMSS, UP, acked, hears, on


def test_inflight__a_product__and_never_less_than_three_quanta_or_four_segments() -> None:
    assert inflight.inflight_bytes(KNOWN, on(KNOWN), SMSS, KNOWN.bw) == BDP
    assert inflight.inflight_bytes(KNOWN, on(KNOWN), SMSS, 1) == 3 * 2 * SMSS
    slow = replace(on(KNOWN), pacing_rate=1)
    assert inflight.inflight_bytes(KNOWN, slow, SMSS, 1) == 4 * SMSS
    assert inflight.inflight_bytes(UP, on(UP), SMSS, UP.bw) == BDP + 2 * SMSS
    assert inflight.bdp_bytes(Memory(initial_cwnd=7), 0) == 7, "nothing is known yet"


def test_headroom__a_part_of_the_bound_is_left_to_others() -> None:
    assert inflight.headroom_bytes(KNOWN, SMSS) == UNBOUNDED
    assert inflight.headroom_bytes(replace(KNOWN, inflight_longterm=BDP), SMSS) == BDP * 85 // 100
    assert inflight.headroom_bytes(replace(KNOWN, inflight_longterm=5 * SMSS), SMSS) == 4 * SMSS


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.PROBE_BW_DOWN, BDP),
        (Mode.PROBE_BW_CRUISE, BDP * 85 // 100),
        (Mode.PROBE_BW_REFILL, BDP),
        (Mode.PROBE_BW_UP, BDP),
        (Mode.PROBE_RTT, BDP // 2),
        (Mode.DRAIN, 2 * BDP),
    ],
)
def test_cwnd__bounded_by_what_probing_has_shown__as_the_mode_has_it(mode: Mode, expected: int) -> None:
    memory = replace(KNOWN, mode=mode, inflight_longterm=BDP)
    assert inflight.next_cwnd(memory, on(memory), acked()) == expected
    lowered = replace(memory, short_term=ShortTerm(inflight_bytes=20 * SMSS))
    assert inflight.next_cwnd(lowered, on(lowered), acked()) == 20 * SMSS
    least = replace(memory, short_term=ShortTerm(inflight_bytes=SMSS))
    assert inflight.next_cwnd(least, on(least), acked()) == 4 * SMSS


def test_cwnd__rises_by_what_is_delivered__and_falls_at_once() -> None:
    assert inflight.next_cwnd(KNOWN, on(KNOWN, BDP), acked()) == BDP + 2 * SMSS
    assert inflight.next_cwnd(KNOWN, on(KNOWN, 5 * BDP), acked()) == 2 * BDP
    assert inflight.next_cwnd(UP, on(UP, 5 * BDP), acked()) == BDP * 225 // 100 + 2 * SMSS
    assert hears(on(KNOWN), acked(delivered_bytes=9 * SMSS)).cwnd == 2 * BDP + 9 * SMSS, "a burst of ACKs"
