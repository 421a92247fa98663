"""What a timeout takes for lost. RFC 6298 5.4, RFC 8985 6.3, RFC 6675 5.1, RFC 2018 8."""

import pytest

from gossamer.core.sim.states import NOW_US
from gossamer.core.tcp.recovery.records import Phase, Recovery, Run
from gossamer.core.tcp.recovery.timeout import after_timeout, marked_lost, with_reneged

from .lossy import MS, NEWRENO, RTT_US, SMSS, at, in_flight, replace

LATE_US = NOW_US + 3 * RTT_US


@pytest.mark.parametrize(
    ("rack", "last_sent_us", "lost"),
    [
        (True, NOW_US, 8),
        # RFC 8985 6.3: what was sent within a round trip may still come.
        (True, LATE_US - MS, 4),
        (False, LATE_US - MS, 8),
    ],
)
def test_overdue__the_first_and_what_had_time(rack: bool, last_sent_us: int, lost: int) -> None:
    tcb = in_flight(8, replace(NEWRENO, rack=rack))
    runs = (Run(at(tcb, 4), NOW_US), Run(at(tcb, 8), last_sent_us))
    tcb = after_timeout(replace(tcb, transmissions=runs), LATE_US)
    assert tcb.recovery is not None
    assert tcb.recovery.lost == ((tcb.snd_una, at(tcb, lost)),)
    assert (tcb.recovery.phase, tcb.recovery.must_send) == (Phase.LOSS, True)
    assert tcb.congestion.cwnd == SMSS


def test_first_alone_is_old_enough__even_when_it_went_just_now() -> None:
    tcb = in_flight(8)
    tcb = after_timeout(replace(tcb, transmissions=(Run(at(tcb, 8), LATE_US),)), LATE_US)
    assert tcb.recovery is not None
    assert tcb.recovery.lost == ((tcb.snd_una, at(tcb, 1)),)


@pytest.mark.parametrize(("left", "is_believed"), [(2, True), (0, False)])
def test_reported_before__is_believed__unless_it_stands_at_snd_una(left: int, is_believed: bool) -> None:
    """RFC 6675 5.1; RFC 2018 8: who acknowledges less than it has reported has reneged."""
    tcb = in_flight(8)
    held = Recovery(Phase.FAST, at(tcb, 8), sacked=((at(tcb, left), at(tcb, 4)),), sacked_bytes=SMSS)
    after = after_timeout(replace(tcb, recovery=held), LATE_US)
    assert after.recovery is not None
    assert bool(after.recovery.sacked) is is_believed
    assert (after.recovery.lost_bytes == 8 * SMSS) is not is_believed


@pytest.mark.parametrize(("left", "lost"), [(0, 8), (1, 0)])
def test_reneged_later__all_is_lost(left: int, lost: int) -> None:
    tcb = in_flight(8)
    held = Recovery(Phase.LOSS, at(tcb, 8), sacked=((at(tcb, left), at(tcb, 4)),), sacked_bytes=SMSS)
    after = with_reneged(replace(tcb, recovery=held))
    assert after.recovery is not None
    assert after.recovery.lost_bytes == lost * SMSS


def test_marked_lost__no_congestion_is_meant() -> None:
    """RFC 4821 7.5."""
    tcb = in_flight(8)
    after = marked_lost(tcb, at(tcb, 2), at(tcb, 3))
    assert after.congestion == tcb.congestion
    assert after.recovery is not None
    assert after.recovery.lost == ((at(tcb, 2), at(tcb, 3)),)
    assert (after.undo, after.recovery.must_send) == (None, True)
