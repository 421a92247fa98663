"""What a retransmission timeout takes for lost; and what goes again for another reason than loss.

Source: RFC 6298 5.4 to 5.6, RFC 6675 5.1, RFC 8985 6.3, RFC 2018 8 (reneging).
"""

import msgspec

from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp.congestion import events as congestion
from gossamer.core.tcp.recovery import forward_rto, rack, spurious
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.recovery.scoreboard import with_lost
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def after_timeout(tcb: Tcb, now_us: int) -> Tcb:
    """The retransmission timer has expired: what is overdue goes again as cwnd allows, the first segment at
    once."""
    is_first = tcb.recovery is None or tcb.recovery.phase is not Phase.LOSS
    recovery = _begun(tcb)
    if forward_rto.can_begin(tcb, is_first):
        recovery = replace(recovery, frto_step=forward_rto.FIRST_ACK)
    undo = spurious.begun_by_timeout(tcb) if is_first else tcb.undo
    head = seq_add(tcb.snd_una, min(tcb.agreed.smss, (tcb.snd_nxt - tcb.snd_una) & MASK))
    recovery = with_lost(recovery, tcb.snd_una, head, tcb.snd_una)
    if rack.is_used(tcb):
        recovery = rack.overdue(tcb, recovery, now_us)
    else:
        recovery = with_lost(recovery, tcb.snd_una, tcb.snd_nxt, tcb.snd_una)
    reduced = congestion.timed_out(tcb, now_us, is_first)
    return replace(tcb, congestion=reduced, recovery=recovery, undo=undo, rtt_seq=None)


def _begun(tcb: Tcb) -> Recovery:
    """The record of a recovery of all that is in flight.

    Source: RFC 6675 5.1: "a SACK TCP sender SHOULD utilize all SACK information made available during the
    loss recovery following an RTO", unless there are signs of reneging.
    """
    held = tcb.recovery or Recovery(Phase.DISORDER, tcb.snd_una)
    is_believed = not _is_reneged(held, tcb.snd_una)
    return Recovery(
        Phase.LOSS,
        recover=tcb.snd_nxt,
        sacked=held.sacked if is_believed else (),
        sacked_bytes=held.sacked_bytes if is_believed else 0,
        must_send=True,
        rack_sent_at_us=held.rack_sent_at_us,
        rack_end=held.rack_end,
        rack_rtt_us=held.rack_rtt_us,
        rack_is_retransmitted=held.rack_is_retransmitted,
    )


def _is_reneged(recovery: Recovery, snd_una: Seq) -> bool:
    """Whether the peer acknowledges only up to what it had reported: it would acknowledge that too, if it
    still had it (RFC 2018 8)."""
    return bool(recovery.sacked) and recovery.sacked[0][0] == snd_una


def with_reneged(tcb: Tcb) -> Tcb:
    """After an ACK in recovery from a timeout: nothing the peer reported is believed when it has reneged.

    Source: RFC 2018 8: "the data sender MUST retransmit the segment at the left edge of the window after a
    retransmit timeout, whether or not the SACKed bit is on for that segment".
    """
    recovery = tcb.recovery
    assert recovery is not None
    if not _is_reneged(recovery, tcb.snd_una):
        return tcb
    recovery = replace(recovery, sacked=(), sacked_bytes=0, judged_to=None)
    return replace(tcb, recovery=with_lost(recovery, tcb.snd_una, recovery.recover, tcb.snd_una))


def flight_marked_lost(tcb: Tcb) -> Tcb:
    """All that is in flight goes again as cwnd allows, and no congestion is meant: a window has opened that a
    probe may not have fitted into, or segments have become shorter (RFC 8201 5.4)."""
    return marked_lost(tcb, tcb.snd_una, tcb.snd_nxt)


def marked_lost(tcb: Tcb, left: Seq, right: Seq) -> Tcb:
    """[left, right), which is in flight, goes again, and no congestion is meant: it was a probe of the path
    MTU (RFC 4821 7.5)."""
    recovery = tcb.recovery
    if recovery is None or recovery.phase is Phase.DISORDER:
        recovery, tcb = _begun(tcb), replace(tcb, undo=None, rtt_seq=None)
    recovery = replace(recovery, must_send=True, probe_end=None)
    return replace(tcb, recovery=with_lost(recovery, left, right, tcb.snd_una))
