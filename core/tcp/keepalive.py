"""Keepalive: probes on an idle connection, and the end of it when none is answered (the seed never gave up).

Source: RFC 9293 3.8.4, RFC 1122 4.2.3.6.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import seq_add
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.closed import reset_segment, timed_out
from gossamer.core.tcp.output import make_segment
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.user_timeout import in_force_us
from gossamer.core.wire.segment import ACK

replace = msgspec.structs.replace


def idle_deadline_us(tcb: Tcb, now_us: int) -> int:
    """When a connection that stays idle from now on is probed."""
    idle_us = tcb.agreed.parameters.keepalive_idle_us
    return now_us + idle_us if idle_us < NEVER_US else NEVER_US


def expired(tcb: Tcb, now_us: int) -> tuple[Tcb | None, Actions]:
    """The keepalive timer fired. It is not moved with each segment, so look first when the last one came."""
    parameters = tcb.agreed.parameters
    idle_until_us = idle_deadline_us(tcb, tcb.rcv_at_us)
    if idle_until_us > now_us:
        return replace(
            tcb, slow_at_us=idle_until_us, backoff=0 if tcb.snd_una == tcb.snd_nxt else tcb.backoff
        ), ()
    if tcb.snd_una != tcb.snd_nxt or tcb.snd_buf_bytes:
        # RFC 1122 4.2.3.6: only "when no data or acknowledgement packets have been received [...] within an
        # interval"; with data in flight the retransmission timer already asks.
        return replace(tcb, slow_at_us=now_us + parameters.keepalive_interval_us), ()
    if _is_given_up(tcb, now_us):
        _, actions = timed_out(tcb)
        return None, (reset_segment(tcb, now_us), *actions)
    tcb = replace(tcb, slow_at_us=now_us + parameters.keepalive_interval_us, backoff=tcb.backoff + 1)
    # "SEG.SEQ = SND.NXT-1": an octet the peer has, so that it must answer.
    return tcb, (make_segment(tcb, now_us, seq_add(tcb.snd_nxt, -1), ACK),)


def _is_given_up(tcb: Tcb, now_us: int) -> bool:
    """By time where a user timeout is in force, so that probes never end what RFC 5482 4.2 wants to last
    longer; else by count."""
    timeout_us = in_force_us(tcb)
    if timeout_us >= NEVER_US:
        return tcb.backoff >= tcb.agreed.parameters.keepalive_probes
    return tcb.backoff > 0 and now_us - tcb.rcv_at_us >= timeout_us
