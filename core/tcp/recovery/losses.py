"""What is lost, by whichever rule the connection uses, and what follows: fast recovery begins, or a
retransmission is known to be lost too.

    RACK                with SACK                                RFC 8985 6
    counting            with SACK, `tcp.rack` off                RFC 6675
    duplicate ACKs      without SACK                             RFC 6582

Source: as named.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.tcp.recovery import fast, rack, scoreboard
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.recovery.report import AckReport
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def found(tcb: Tcb, report: AckReport, delivered_bytes: int) -> Tcb:
    """The connection after looking what an ACK shows to be lost."""
    recovery = tcb.recovery
    assert recovery is not None
    if rack.is_used(tcb):
        return _timed(tcb, recovery, delivered_bytes, report.now_us)
    if tcb.agreed.sack:
        shown = scoreboard.counted(tcb, recovery)
    else:
        shown = fast.found_by_duplicates(tcb, recovery, report)
    return _entered(replace(tcb, recovery=shown), delivered_bytes, report.now_us)


def _timed(tcb: Tcb, recovery: Recovery, delivered_bytes: int, now_us: int) -> Tcb:
    seen = rack.detected(tcb, recovery, now_us)
    if seen.recovery is not recovery:
        tcb = _entered(replace(tcb, recovery=seen.recovery), delivered_bytes, now_us)
    is_lost_again = recovery.phase is Phase.FAST and seen.retransmitted_at_us >= recovery.reduced_at_us
    if is_lost_again and tcb.agreed.parameters.second_reduction:
        tcb = fast.reduced_again(tcb, now_us)
    return rack.with_timer(tcb, seen.timeout_us, now_us)


def _entered(tcb: Tcb, delivered_bytes: int, now_us: int) -> Tcb:
    recovery = tcb.recovery
    assert recovery is not None
    if recovery.phase is not Phase.DISORDER or not recovery.lost_bytes:
        return tcb
    return fast.entered(tcb, delivered_bytes, now_us)


def is_reordering_timer(tcb: Tcb, now_us: int) -> bool:
    """Whether what has expired is the reordering timer, and the retransmission timeout is still to come."""
    return tcb.recovery is not None and now_us < tcb.recovery.rto_at_us < NEVER_US


def after_reordering_timer(tcb: Tcb, now_us: int) -> Tcb:
    """The time is over in which what was sent earlier might still arrive.

    Source: RFC 8985 6.3 of the timers: "when the reordering timer expires, the sender MUST perform RACK loss
    detection again".
    """
    recovery = tcb.recovery
    assert recovery is not None
    tcb = replace(tcb, rtx_at_us=recovery.rto_at_us)
    return _timed(tcb, replace(recovery, rto_at_us=NEVER_US), 0, now_us)
