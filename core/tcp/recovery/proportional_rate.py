"""Proportional rate reduction: how much fast recovery sends for what has arrived.

cwnd goes from what it was to ssthresh along with the ACKs, neither in a burst nor after a silence. An
algorithm that hears every ACK (`Congestion.every_ack`) keeps its own cwnd.

Source: RFC 9937 6 (RFC 6937 before it).
"""

import msgspec

from gossamer.core.tcp.recovery.scoreboard import pipe_bytes
from gossamer.core.tcp.tcb import Tcb

replace = msgspec.structs.replace


def begun(tcb: Tcb, arrived_bytes: int, flight_bytes: int) -> Tcb:
    """Fast recovery begins; `flight_bytes` is RecoverFS: what was in the network before this ACK, without
    what had been reported earlier."""
    recovery = tcb.recovery
    assert recovery is not None
    recovery = replace(recovery, prr_delivered=0, prr_out=0, prr_flight=max(flight_bytes, 1))
    return delivered(replace(tcb, recovery=recovery), arrived_bytes, is_safe=False)


def delivered(tcb: Tcb, arrived_bytes: int, is_safe: bool) -> Tcb:
    """After an ACK in fast recovery: "cwnd = inflight + sndcnt"."""
    recovery, congestion = tcb.recovery, tcb.congestion
    assert recovery is not None
    if congestion.every_ack or (not arrived_bytes and recovery.prr_out):
        return tcb
    prr_delivered, pipe = recovery.prr_delivered + arrived_bytes, pipe_bytes(tcb)
    count = send_count(
        prr_delivered,
        recovery.prr_out,
        recovery.prr_flight,
        arrived_bytes=arrived_bytes,
        pipe=pipe,
        ssthresh=congestion.ssthresh,
        extra_bytes=tcb.agreed.smss if is_safe else 0,
    )
    if not recovery.prr_out:
        # "Force a fast retransmit upon entering recovery". Differs: two, when nothing is in the network any
        # more, as after a tail loss probe: RFC 6675 5 lets out ssthresh then, which is two at the least, and
        # with one alone the ACK of one is waited for, or of none that is delayed.
        count = max(count, min(2 * tcb.agreed.smss, congestion.ssthresh) if not pipe else tcb.agreed.smss)
    cwnd = max(pipe + count, tcb.agreed.smss)
    return replace(
        tcb,
        recovery=replace(recovery, prr_delivered=prr_delivered),
        congestion=congestion if cwnd == congestion.cwnd else replace(congestion, cwnd=cwnd),
    )


def send_count(
    prr_delivered: int,
    prr_out: int,
    recover_fs: int,
    *,
    arrived_bytes: int,
    pipe: int,
    ssthresh: int,
    extra_bytes: int,
) -> int:
    """SndCnt: how many octets may go now. `extra_bytes` is SMSS on a safeACK, one that advances SND.UNA and
    shows no further loss, else 0."""
    if pipe > ssthresh:
        # "SndCnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out"
        return max(-(-prr_delivered * ssthresh // recover_fs) - prr_out, 0)
    # PRR-CRB, and PRR-SSRB on a safeACK: "SndCnt = MAX(prr_delivered - prr_out, DeliveredData)", "+ MSS", "at
    # most ssthresh - inflight".
    count = max(prr_delivered - prr_out, arrived_bytes) + extra_bytes
    return min(ssthresh - pipe, count)


def sent(tcb: Tcb, sent_bytes: int) -> Tcb:
    """After sending in recovery, new octets or old ones: "prr_out += (data sent)"."""
    recovery = tcb.recovery
    if recovery is None or not recovery.prr_flight or not sent_bytes:
        return tcb
    return replace(tcb, recovery=replace(recovery, prr_out=recovery.prr_out + sent_bytes))
