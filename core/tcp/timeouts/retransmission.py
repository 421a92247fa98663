"""The retransmission timer of data and FIN, in every state that has any in flight (the seed forgot
CLOSE-WAIT).

Source: RFC 6298 5.4 to 5.6, RFC 9293 3.8.3.
"""

import msgspec
from gossamer.core.clock import NEVER_US
from gossamer.core.tcp import path_mtu
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.closed import timed_out
from gossamer.core.tcp.output import output
from gossamer.core.tcp.recovery.fast import after_timeout, sent_again
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def expired(tcb: Tcb, now_us: int) -> tuple[Tcb | None, Actions]:
    """ "Retransmit the earliest segment that has not been acknowledged", or give up."""
    if is_given_up(tcb, now_us):
        return timed_out(tcb)
    tcb, learned = path_mtu.timed_out(tcb, now_us)
    if learned:
        # A router has told why: no sign of congestion (RFC 8201 5.4).
        tcb, sent = output(replace(sent_again(tcb), rtx_at_us=NEVER_US), now_us)
        return tcb, sent + learned
    # RFC 6298 5.5: "The host MUST set RTO <- RTO * 2 ('back off the timer')"; output starts the stopped timer
    # with it (5.6).
    tcb = replace(after_timeout(tcb, now_us), backoff=tcb.backoff + 1, rtx_at_us=NEVER_US)
    return output(tcb, now_us)


def is_given_up(tcb: Tcb, now_us: int) -> bool:
    """Whether R2 or the user timeout is reached: so long is it that data was sent and that anything came
    back."""
    parameters = tcb.agreed.parameters
    return (
        tcb.backoff >= parameters.retries
        or now_us - max(tcb.snd_at_us, tcb.rcv_at_us) >= parameters.user_timeout_us
    )
