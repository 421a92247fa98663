"""Tail loss probe: when two round trips pass without an ACK, one segment asks what became of the last ones.

Owns when a probe is due, and what its answer means. `core.tcp.timeouts.tail_probe` sends it.

Source: RFC 8985 7.
"""

import msgspec

from gossamer.core.seq import Seq, seq_le, seq_lt
from gossamer.core.tcp.congestion import events as congestion
from gossamer.core.tcp.recovery.records import Phase, Recovery
from gossamer.core.tcp.recovery.report import AckReport
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.wire.segment import SackBlock

replace = msgspec.structs.replace


def probed(tcb: Tcb, is_old: bool) -> Tcb:
    """A probe has left; `is_old` when it carried what had been sent before.

    Source: RFC 8985 7.3: "TLP.end_seq = SND.NXT".
    """
    recovery = tcb.recovery or Recovery(Phase.DISORDER, Seq((tcb.snd_una - 1) & 0xFFFFFFFF))
    recovery = replace(recovery, probe_end=tcb.snd_nxt, probe_is_retransmission=is_old, again_since_us=0)
    return replace(tcb, recovery=recovery)


def answered(tcb: Tcb, report: AckReport) -> Tcb:
    """TLP_process_ack. Source: RFC 8985 7.4.2."""
    recovery, segment = tcb.recovery, report.segment
    if recovery is None or recovery.probe_end is None or seq_lt(tcb.snd_una, recovery.probe_end):
        return tcb
    settled = replace(tcb, recovery=replace(recovery, probe_end=None))
    if not recovery.probe_is_retransmission:
        return settled
    if is_probe_duplicate(recovery, report.dsack):
        # Case 1: the original had arrived, and the probe too.
        return settled
    if seq_lt(recovery.probe_end, tcb.snd_una):
        # "ACK.seq > TLP.end_seq: [...] the probe repaired the loss": "Invoke congestion control to react".
        return replace(settled, congestion=congestion.lost(tcb, report.now_us))
    # Case 2: a duplicate ACK without SACK says that both arrived, to a peer without D-SACK.
    return settled if report.is_duplicate and not report.acked_bytes and not segment.sack else tcb


def is_probe_duplicate(recovery: Recovery, duplicate: SackBlock | None) -> bool:
    """Whether a D-SACK names the octets of a probe that had been sent before."""
    return duplicate is not None and recovery.probe_is_retransmission and duplicate[1] == recovery.probe_end


def is_settled(recovery: Recovery, snd_una: Seq) -> bool:
    """Whether all that recovery still waits for is a word on a probe whose octets are acknowledged."""
    return (
        recovery.phase is Phase.DISORDER
        and not recovery.sacked
        and not recovery.dup_acks
        and recovery.probe_end is not None
        and seq_le(recovery.probe_end, snd_una)
    )
