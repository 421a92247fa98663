"""The retransmission timer of data and FIN, in every state that has any in flight, CLOSE-WAIT too. The
reordering timer and the tail loss probe share its field (RFC 8985 8).

Source: RFC 6298 5.4 to 5.6, RFC 9293 3.8.3.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.tcp import path_mtu
from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.closed import timed_out
from gossamer.core.tcp.constants import DELIVERY_PROBLEM_RETRIES
from gossamer.core.tcp.output import output
from gossamer.core.tcp.recovery.losses import after_reordering_timer, is_reordering_timer
from gossamer.core.tcp.recovery.timeout import after_timeout, flight_marked_lost
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timeouts import tail_probe
from gossamer.core.tcp.user_timeout import gives_up_at_us

replace = msgspec.structs.replace


def expired(tcb: Tcb, now_us: int) -> tuple[Tcb | None, Actions]:
    """ "Retransmit the earliest segment that has not been acknowledged", or give up."""
    if is_reordering_timer(tcb, now_us):
        return output(after_reordering_timer(tcb, now_us), now_us)
    if is_given_up(tcb, now_us):
        return timed_out(tcb)
    if tail_probe.is_probe_due(tcb):
        return tail_probe.expired(tcb, now_us)
    tcb, learned = path_mtu.timed_out(tcb, now_us)
    if learned:
        # A router has reported the cause: no sign of congestion (RFC 8201 5.4).
        tcb, sent = output(replace(flight_marked_lost(tcb), rtx_at_us=NEVER_US), now_us)
        return tcb, sent + learned
    # RFC 6298 5.5: "The host MUST set RTO <- RTO * 2 ('back off the timer')"; output starts the stopped timer
    # with it (5.6).
    tcb = replace(after_timeout(tcb, now_us), backoff=tcb.backoff + 1, rtx_at_us=NEVER_US)
    tcb, sent = output(tcb, now_us)
    if tcb.backoff == DELIVERY_PROBLEM_RETRIES:
        # RFC 9293 3.8.3: R1 is reached (MUST-20, SHLD-10), which the user should be able to learn (SHLD-9).
        sent = (*sent, Signal.DELIVERY_PROBLEM)
    return replace(tcb, rtx_at_us=min(tcb.rtx_at_us, gives_up_at_us(tcb))), sent


def is_given_up(tcb: Tcb, now_us: int) -> bool:
    """Whether R2 is reached: by time where a user timeout is in force, else by count."""
    gives_up_us = gives_up_at_us(tcb)
    return now_us >= gives_up_us if gives_up_us < NEVER_US else tcb.backoff >= tcb.agreed.parameters.retries
