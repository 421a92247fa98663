"""F-RTO: was a retransmission timeout spurious? The two ACKs after it show it.

After the one segment that a timeout sends again, new data goes instead of more old, and the next ACK shows
whether what is outstanding arrives by itself.

Source: RFC 5682 2.1 (basic), 3.1 (with SACK).
"""

import msgspec

from gossamer.core.seq import MASK, seq_lt
from gossamer.core.tcp.recovery import transmissions
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.recovery.report import AckReport
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace

FIRST_ACK, SECOND_ACK = 2, 3
NEW_SEGMENTS_MAX = 2
"""RFC 5682 2.1 (2b): "transmit up to two new (previously unsent) segments"."""
CWND_SEGMENTS_MAX = 3
"""RFC 5682 2.1 (3a): "set the congestion window to no more than 3 * MSS"."""


def can_begin(tcb: Tcb, is_first: bool) -> bool:
    """Whether a timeout is looked into; `tcb` is the connection before it.

    Source: RFC 5682 2.1 (1): not when "the TCP sender is already in RTO recovery", nor (SND.UNA =< recover)
    in fast recovery.
    """
    is_calm = tcb.recovery is None or tcb.recovery.phase is Phase.DISORDER
    return is_first and is_calm and tcb.agreed.parameters.forward_rto


def is_waiting(recovery: Recovery) -> bool:
    """Whether new data goes instead of old."""
    return recovery.frto_step == SECOND_ACK


def is_spurious(tcb: Tcb, recovery: Recovery, report: AckReport) -> bool:
    """Whether the second ACK shows that what was not sent again has arrived.

    Source: RFC 5682 2.1 (3b): "If the acknowledgment advances the window, [...] the TCP sender SHOULD declare
    the timeout to be spurious"; 3.1 (3b) with SACK: "either cumulatively or through selective
    acknowledgments", data below `recover`.
    """
    if recovery.frto_step == FIRST_ACK:
        return _are_both(tcb, report) and _shows_first_transmission(recovery, report)
    if recovery.frto_step != SECOND_ACK:
        return False
    return _shows_first_transmission(recovery, report) or (
        report.acked_bytes > 0 and not report.before.agreed.sack
    )


def _are_both(tcb: Tcb, report: AckReport) -> bool:
    """Whether the second ACK came together with the first, as one (`core.wire.joining`): both advance
    SND.UNA, and there is new data that would have gone between them.

    With SACK alone: without it the first may have been a duplicate, which ends F-RTO.
    """
    is_second = report.acks > 1 and report.acked_bytes > 0 and tcb.agreed.sack
    return is_second and _has_new_data(tcb)


def _shows_first_transmission(recovery: Recovery, report: AckReport) -> bool:
    """Whether an ACK is the first to report octets below `recover` that were not sent again."""
    return any(
        seq_lt(left, recovery.recover) and not run.retransmitted
        for low, high in report.arrived
        for left, _, run in transmissions.pieces(report.before, low, high)
    )


def stepped(tcb: Tcb, report: AckReport) -> Tcb:
    """After an ACK that does not yet show a spurious timeout: on to the second ACK, or to conventional
    recovery."""
    recovery = tcb.recovery
    assert recovery is not None
    if not recovery.frto_step:
        return tcb
    if recovery.frto_step == SECOND_ACK:
        # RFC 5682 2.1 (3a): "continue with the slow start algorithm retransmitting unacknowledged segments",
        # the new ones with them; the first at once, whatever cwnd says of those.
        recovery = replace(recovery, recover=tcb.snd_nxt, must_send=True)
        cwnd = min(tcb.congestion.cwnd, CWND_SEGMENTS_MAX * tcb.agreed.smss)
        tcb = replace(tcb, congestion=replace(tcb.congestion, cwnd=cwnd))
    following = SECOND_ACK if recovery.frto_step == FIRST_ACK and _can_go_on(tcb, report) else 0
    return replace(tcb, recovery=replace(recovery, frto_step=following))


def _can_go_on(tcb: Tcb, report: AckReport) -> bool:
    """Source: RFC 5682 2.1 (2): the ACK advances SND.UNA, past what went again, and there is new data that
    the peer's window takes."""
    runs = transmissions.runs_of(tcb)
    is_past = report.acked_bytes > 0 and bool(runs) and not runs[0].retransmitted
    return is_past and _has_new_data(tcb)


def _has_new_data(tcb: Tcb) -> bool:
    flight = (tcb.snd_nxt - tcb.snd_una) & MASK
    return tcb.snd_buf_bytes > flight < tcb.snd_wnd
