"""Which timers a `Timeout` finds due, by the names that RFCs have for them. Nothing is decided here."""

from gossamer.core.tcp.tcb import State, Tcb


def timers_due(tcb: Tcb, now_us: int) -> tuple[str, ...]:
    """The timers that have expired at that time, in the order in which they are handled.

    Source: RFC 9293 3.8.1, 3.8.4, 3.8.6.1, 3.8.6.3, 3.6; RFC 6298; RFC 8985 7.
    """
    running = (
        (tcb.rtx_at_us, _retransmission_timer(tcb)),
        (tcb.ack_at_us, "delayed ACK"),
        (tcb.pace_at_us, "pacing"),
        (tcb.slow_at_us, _slow_timer(tcb)),
    )
    return tuple(name for at_us, name in running if at_us <= now_us)


def _retransmission_timer(tcb: Tcb) -> str:
    if tcb.state in (State.SYN_SENT, State.SYN_RECEIVED):
        return "retransmission (handshake)"
    if tcb.snd_wnd == 0 or tcb.snd_una == tcb.snd_nxt:
        return "persist"
    return "retransmission or tail loss probe"


def _slow_timer(tcb: Tcb) -> str:
    return "FIN-WAIT-2" if tcb.state is State.FIN_WAIT_2 and tcb.receive_closed else "keepalive"
