"""What goes again now. RFC 6675 4 and 5 (C)."""

import pytest

from gossamer.core.seq import Seq, seq_add
from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp.recovery.forward_rto import SECOND_ACK
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.recovery.retransmit import next_lost, retransmitted
from gossamer.core.tcp.recovery.scoreboard import with_lost
from gossamer.core.tcp.tcb import Tcb

from .lossy import MS, SMSS, at, in_flight, replace


def missing(*lost: tuple[int, int], cwnd: int = 8, must_send: bool = False, frto_step: int = 0) -> Tcb:
    """Eight in flight, of which so many are lost."""
    tcb = in_flight(8)
    recovery = Recovery(Phase.LOSS, tcb.snd_nxt, must_send=must_send, frto_step=frto_step)
    for left, right in lost:
        recovery = with_lost(recovery, at(tcb, left), at(tcb, right), tcb.snd_una)
    return replace(tcb, recovery=recovery, congestion=replace(tcb.congestion, cwnd=cwnd * SMSS))


@pytest.mark.parametrize(
    ("tcb", "place"),
    [
        (missing(), None),
        (missing((0, 2), (5, 6)), 0),
        (missing((3, 4), cwnd=8), 3),
        # Seven are under way, and cwnd has room for no eighth.
        (missing((3, 4), cwnd=7), None),
        (missing((3, 4), cwnd=7, must_send=True), 3),
        # F-RTO looks first whether the rest comes by itself.
        (missing((3, 4), must_send=True, frto_step=SECOND_ACK), None),
    ],
    ids=["nothing", "lowest", "room", "cwnd-full", "must", "f-rto"],
)
def test_next_lost(tcb: Tcb, place: int | None) -> None:
    assert next_lost(tcb) == (None if place is None else (at(tcb, place), SMSS))


def test_next_lost__less_than_a_segment__just_that() -> None:
    tcb = in_flight(8)
    end = seq_add(tcb.snd_una, 100)
    recovery = with_lost(Recovery(Phase.LOSS, tcb.snd_nxt), tcb.snd_una, end, tcb.snd_una)
    assert next_lost(replace(tcb, recovery=recovery)) == (tcb.snd_una, 100)


def test_retransmitted__no_longer_lost__sent_now_and_again() -> None:
    tcb = missing((0, 2), must_send=True)
    after = retransmitted(tcb, tcb.snd_una, SMSS, NOW_US + MS)
    assert after.recovery is not None
    assert after.recovery.lost == ((at(tcb, 1), at(tcb, 2)),)
    assert (after.recovery.lost_bytes, after.recovery.must_send) == (SMSS, False)
    run = after.transmissions[0]
    assert (run.right, run.sent_at_us, run.retransmitted) == (Seq(at(tcb, 1)), NOW_US + MS, True)
