"""SET OPTIONS: the user changes what a connection was opened with.

The parameters stand in `Agreed`, which all copies of a connection share; a change replaces it, so that code
that reads a parameter need not know whether it was ever changed.

Source: RFC 9293 3.7.4 (MUST-17: Nagle off), 3.8.4 (keepalive), 3.8.3 and RFC 5482 (user timeout); the rest is
of tcp(7).
"""

import msgspec

from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.congestion.change import with_control
from gossamer.core.tcp.events import SetOptions
from gossamer.core.tcp.handshake import TIMESTAMP_OPTION_BYTES
from gossamer.core.tcp.keepalive import idle_deadline_us
from gossamer.core.tcp.output import acknowledgment, output
from gossamer.core.tcp.socket_options import SocketOptions, options_of, parameters_with
from gossamer.core.tcp.tcb import Agreed, State, Tcb, TimeWait
from gossamer.core.tcp.user_timeout import FIXED, advertised_s
from gossamer.core.wire.segment import ECN_BITS

replace = msgspec.structs.replace


def set_options(tcb: Tcb | TimeWait, event: SetOptions) -> tuple[Tcb | TimeWait, Actions]:
    """Obey from now on; what may be sent because of it is sent. In TIME-WAIT there is nothing left to set."""
    if not isinstance(tcb, Tcb):
        return tcb, ()
    if event.options.congestion not in (None, tcb.agreed.parameters.congestion):
        tcb = with_control(tcb, event.options.congestion)
    tcb = replace(tcb, agreed=_agreed_with(tcb.agreed, event.options))
    if event.options.user_timeout_us is not None:
        # RFC 5482 3.1: CHANGEABLE becomes false when the user sets a timeout.
        tcb = replace(tcb, user_timeout=FIXED)
    if tcb.state <= State.SYN_RECEIVED:
        return tcb, ()
    if event.options.keepalive_idle_us is not None and not _is_waiting_for_fin(tcb):
        # The time that has passed idle counts.
        tcb = replace(tcb, slow_at_us=idle_deadline_us(tcb, tcb.rcv_at_us))
    tcb, sent = output(tcb, event.now_us)
    # Who waits for less to be unsent may go on under a higher bound.
    space: Actions = () if event.options.notsent_lowat_bytes is None else (Signal.SEND_SPACE,)
    return tcb, sent + _advertisement(tcb, event) + space


def _advertisement(tcb: Tcb, event: SetOptions) -> Actions:
    """A user timeout that was changed is advertised to the peer at once (RFC 5482 3.1)."""
    seconds = advertised_s(tcb.agreed.parameters)
    if event.options.user_timeout_us is None or not seconds:
        return ()
    return (replace(acknowledgment(tcb, event.now_us), user_timeout_s=seconds),)


def _agreed_with(agreed: Agreed, options: SocketOptions) -> Agreed:
    smss = agreed.smss
    if options.maxseg_bytes is not None:
        overhead = TIMESTAMP_OPTION_BYTES if agreed.timestamps else 0
        smss = min(smss, options.maxseg_bytes - overhead)
    parameters = parameters_with(agreed.parameters, options)
    return replace(agreed, parameters=parameters, smss=smss, traffic_class=parameters.dscp << ECN_BITS)


def _is_waiting_for_fin(tcb: Tcb) -> bool:
    """Whether the slow timer is that of FIN-WAIT-2."""
    return tcb.state is State.FIN_WAIT_2 and tcb.receive_closed


def get_options(tcb: Tcb) -> SocketOptions:
    """What holds now."""
    overhead = TIMESTAMP_OPTION_BYTES if tcb.agreed.timestamps else 0
    return options_of(tcb.agreed.parameters, tcb.agreed.smss + overhead)
