"""Which timer it is."""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.tcp import keepalive
from gossamer.core.tcp.actions import Actions
from gossamer.core.tcp.events import Timeout
from gossamer.core.tcp.output import output
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.tcp.timeouts import handshake, persist, retransmission


def deadline_us(tcb: Tcb) -> int:
    """When `Timeout` is to be stepped at the latest; NEVER_US when no timer runs."""
    # Not `min`: this runs for every connection that is armed, and native code makes objects of its arguments.
    due_us = tcb.rtx_at_us if tcb.rtx_at_us < tcb.ack_at_us else tcb.ack_at_us
    due_us = due_us if due_us < tcb.slow_at_us else tcb.slow_at_us
    return due_us if due_us < tcb.pace_at_us else tcb.pace_at_us


def expired(tcb: Tcb, event: Timeout) -> tuple[Tcb | None, Actions]:
    """Handle every timer that is due; none is, when the deadline has moved since it was asked for."""
    now_us = event.now_us
    actions: Actions = ()
    if tcb.rtx_at_us <= now_us:
        after, actions = _retransmission_timer(tcb, now_us)
        if after is None:
            return None, actions
        tcb = after
    if tcb.ack_at_us <= now_us:
        tcb, sent = output(tcb, now_us)
        actions += sent
    if tcb.pace_at_us <= now_us:
        tcb, sent = _pacing_timer(tcb, now_us)
        actions += sent
    if tcb.slow_at_us <= now_us:
        slow, more = _slow_timer(tcb, now_us)
        return slow, actions + more
    return tcb, actions


def _retransmission_timer(tcb: Tcb, now_us: int) -> tuple[Tcb | None, Actions]:
    if tcb.state is State.SYN_SENT or tcb.state is State.SYN_RECEIVED:
        return handshake.expired(tcb, now_us)
    if tcb.snd_wnd == 0 or tcb.snd_una == tcb.snd_nxt:
        return persist.expired(tcb, now_us)
    return retransmission.expired(tcb, now_us)


def _pacing_timer(tcb: Tcb, now_us: int) -> tuple[Tcb, Actions]:
    """Send what waits; when nothing does, the next may leave at once."""
    tcb, sent = output(tcb, now_us)
    return (msgspec.structs.replace(tcb, pace_at_us=NEVER_US) if tcb.pace_at_us <= now_us else tcb), sent


def _slow_timer(tcb: Tcb, now_us: int) -> tuple[Tcb | None, Actions]:
    if tcb.state is State.FIN_WAIT_2 and tcb.receive_closed:
        # The peer never sends its FIN: the record goes, nobody is waiting for it.
        return None, ()
    if tcb.agreed.parameters.keepalive_idle_us >= NEVER_US:
        return msgspec.structs.replace(tcb, slow_at_us=NEVER_US), ()
    return keepalive.expired(tcb, now_us)
