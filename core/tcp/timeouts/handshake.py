"""The retransmission timer of a SYN or a SYN-ACK.

Source: RFC 6298 5.5, RFC 9293 3.8.3 (R2 for a SYN).
"""

import msgspec

from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.calls.open import syn
from gossamer.core.tcp.closed import timed_out
from gossamer.core.tcp.ecn import after_plain_syn_ack
from gossamer.core.tcp.fast_open import without_option
from gossamer.core.tcp.listen import syn_ack
from gossamer.core.tcp.rtt import backed_off_us
from gossamer.core.tcp.tcb import State, Tcb

replace = msgspec.structs.replace


def expired(tcb: Tcb, now_us: int) -> tuple[Tcb | None, Actions]:
    """Send it again, or give up."""
    parameters = tcb.agreed.parameters
    retries = parameters.syn_retries + parameters.syn_linear_retries
    if tcb.agreed.passive:
        retries = parameters.synack_retries
    gives_up_us = tcb.rcv_at_us + parameters.deviations.syn_gives_up_us
    if tcb.backoff >= retries or (now_us >= gives_up_us and not tcb.agreed.passive):
        return timed_out(tcb)
    # The wait doubles by a shift, computed when it is needed: the seed's table of waits was defined as
    # itself.
    retransmits_total = tcb.retransmits_total + 1
    tcb = replace(tcb, backoff=tcb.backoff + 1, rtt_seq=None, retransmits_total=retransmits_total)
    until_us = now_us + backed_off_us(tcb)
    tcb = replace(tcb, rtx_at_us=until_us if tcb.agreed.passive else min(until_us, gives_up_us))
    lost: Actions = ()
    opens = tcb.fast_open
    if tcb.state is State.SYN_SENT and opens is not None and (opens.cookie is not None or opens.is_bare):
        tcb = replace(tcb, fast_open=without_option(opens))
        lost = (Signal.FAST_OPEN_LOST,)
    tcb = _without_options(tcb) if tcb.state is State.SYN_SENT else tcb
    tcb = after_plain_syn_ack(tcb) if tcb.state is State.SYN_RECEIVED else tcb
    segment = syn(tcb, now_us) if tcb.state is State.SYN_SENT else syn_ack(tcb, now_us)
    return tcb, (segment, Signal.RETRANSMITTED, *lost)


def _without_options(tcb: Tcb) -> Tcb:
    """A connection whose SYN goes again, by `plain_syn_from` with nothing that a middlebox may not know."""
    plain_from = tcb.agreed.parameters.deviations.plain_syn_from
    if not plain_from or tcb.backoff < plain_from:
        return tcb
    return replace(tcb, agreed=replace(tcb.agreed, timestamps=False, sack=False, rcv_wind_shift=-1))
