"""The tail loss probe: the first wait for an ACK is over, so ask before taking it for a timeout.

Source: RFC 8985 7.3.
"""

import msgspec

from gossamer.core.seq import seq_add
from gossamer.core.tcp import record_ends
from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.output import flight_bytes, probe_with_new, retransmission
from gossamer.core.tcp.path_mtu import sent_again
from gossamer.core.tcp.recovery.tail_loss_probe import probed
from gossamer.core.tcp.recovery.transmissions import after_retransmission, last_run_bytes
from gossamer.core.tcp.rtt import is_probe_due
from gossamer.core.tcp.send_space import low_water
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace
__all__ = ["expired", "is_probe_due"]


def expired(tcb: Tcb, now_us: int) -> tuple[Tcb, Actions]:
    """Send a segment of new data, else the last one again; then wait for the retransmission timeout.

    Source: RFC 8985 7.3: "If an unsent segment exists AND The receive window allows new data to be sent:
    Transmit the lowest-sequence unsent segment of up to SMSS [...] Else: Retransmit the highest-sequence
    segment sent so far". "After attempting to send a loss probe, regardless of whether a loss probe was sent,
    the sender MUST re-arm the RTO timer, not the PTO timer, if FlightSize is not zero."
    """
    after, segments = probe_with_new(tcb, now_us)
    if segments:
        after = probed(after, is_old=False)
        after = replace(after, rtx_at_us=now_us + tcb.round_trip.rto_us)
        return after, (*segments, *low_water(tcb, after))
    # Of what was sent together the last segment may be shorter, but is never longer; a FIN may ride on it.
    has_fin = flight_bytes(tcb) > tcb.snd_buf_bytes
    length = min(last_run_bytes(tcb), tcb.agreed.smss + has_fin)
    if tcb.record_ends:
        length = record_ends.last_part(tcb, length)
    seq = seq_add(tcb.snd_nxt, -length)
    probe = retransmission(tcb, now_us, seq, length)
    tcb = sent_again(probed(tcb, is_old=True), seq, tcb.snd_nxt, now_us)
    tcb = replace(
        tcb,
        transmissions=after_retransmission(tcb, seq, tcb.snd_nxt, now_us),
        rtx_at_us=now_us + tcb.round_trip.rto_us,
        retransmits_total=tcb.retransmits_total + 1,
        last_ack_sent=tcb.rcv_nxt,
        # Karn: what went twice measures nothing (RFC 6298 3).
        rtt_seq=None,
    )
    return tcb, (probe, Signal.RETRANSMITTED)
