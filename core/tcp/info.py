"""What there is to know about a connection, by the names that Linux gives it in struct tcp_info.

Owns the record and how it is read from a Tcb. Nothing is counted for it while segments come and go as
predicted: a field that would need that is None. `core.loop.sock.option` reads the same record from a kernel
socket.

Source: tcp(7), TCP_INFO; linux/tcp.h for names and units; RFC 4898 for what the counters mean.
"""

import msgspec

from gossamer.core.seq import MASK
from gossamer.core.tcp.accurate_ecn import FIRST
from gossamer.core.tcp.arrival import text_at_us
from gossamer.core.tcp.constants import CLOCK_GRANULARITY_US, DUP_THRESH, SSTHRESH_INITIAL
from gossamer.core.tcp.output import flight_bytes
from gossamer.core.tcp.path_mtu import header_bytes
from gossamer.core.tcp.recovery.ranges import covered
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.rtt import backed_off_us
from gossamer.core.tcp.send_limits import NEVER_LIMITED, limited_us
from gossamer.core.tcp.tcb import SendLimit, State, Tcb, TimeWait
from gossamer.core.tcp.urgent import urgent_bytes

STATE_NUMBERS = {
    State.ESTABLISHED: 1,
    State.SYN_SENT: 2,
    State.SYN_RECEIVED: 3,
    State.FIN_WAIT_1: 4,
    State.FIN_WAIT_2: 5,
    State.CLOSE_WAIT: 8,
    State.LAST_ACK: 9,
    State.CLOSING: 11,
}
TIME_WAIT_NUMBER = 6
CLOSED_NUMBER = 7

CA_OPEN, CA_DISORDER, CA_RECOVERY, CA_LOSS = 0, 1, 3, 4
CA_NUMBERS = {Phase.DISORDER: CA_DISORDER, Phase.FAST: CA_RECOVERY, Phase.LOSS: CA_LOSS}

OPTION_TIMESTAMPS, OPTION_SACK, OPTION_WSCALE, OPTION_ECN = 1, 2, 4, 8

INFINITE_SSTHRESH = 0x7FFFFFFF
"""What Linux shows for ssthresh before the first loss."""


class TcpInfo(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A connection as `ss -i` would show it; None is what this stack does not keep, or an old kernel does
    not report.

    Units: `tcpi_last_*` are milliseconds; `tcpi_rto`, `_ato`, `_rtt`, `_rttvar`, `_min_rtt` and the times of
    `_busy_time` and `_limited` microseconds; rates bytes a second; windows of congestion segments of
    `tcpi_snd_mss` bytes. Byte counters of the functional TCP count modulo 2^32.
    """

    tcpi_state: int
    """1 ESTABLISHED, 2 SYN-SENT, 3 SYN-RECEIVED, 4 FIN-WAIT-1, 5 FIN-WAIT-2, 6 TIME-WAIT, 7 CLOSED, 8
    CLOSE-WAIT, 9 LAST-ACK, 10 LISTEN, 11 CLOSING."""
    tcpi_ca_state: int | None = None
    """0 open, 1 disorder, 2 window reduced, 3 recovery, 4 loss."""
    tcpi_retransmits: int | None = None
    """Retransmission timeouts in a row."""
    tcpi_probes: int | None = None
    """Unanswered probes of a closed window or an idle peer."""
    tcpi_backoff: int | None = None
    tcpi_options: int | None = None
    """Bits: 1 timestamps, 2 SACK, 4 window scale, 8 ECN."""
    tcpi_snd_wscale: int | None = None
    """Shift of the windows that we receive."""
    tcpi_rcv_wscale: int | None = None
    tcpi_rto: int | None = None
    tcpi_ato: int | None = None
    """How long an ACK may be delayed."""
    tcpi_snd_mss: int | None = None
    tcpi_rcv_mss: int | None = None
    tcpi_unacked: int | None = None
    """Segments in flight."""
    tcpi_sacked: int | None = None
    tcpi_lost: int | None = None
    tcpi_retrans: int | None = None
    """Segments in flight that were sent again; they are among `tcpi_lost`, too."""
    tcpi_fackets: int | None = None
    tcpi_last_data_sent: int | None = None
    """Since data was last sent for the first time."""
    tcpi_last_ack_sent: int | None = None
    tcpi_last_data_recv: int | None = None
    """Since text last came in order, or the connection was established."""
    tcpi_last_ack_recv: int | None = None
    """Since the last acceptable segment."""
    tcpi_pmtu: int | None = None
    tcpi_rcv_ssthresh: int | None = None
    """The window we offer."""
    tcpi_rtt: int | None = None
    tcpi_rttvar: int | None = None
    tcpi_snd_ssthresh: int | None = None
    tcpi_snd_cwnd: int | None = None
    tcpi_advmss: int | None = None
    tcpi_reordering: int | None = None
    """By how many segments the path has been seen to reorder, at least 3."""
    tcpi_rcv_rtt: int | None = None
    tcpi_rcv_space: int | None = None
    tcpi_total_retrans: int | None = None
    tcpi_pacing_rate: int | None = None
    """0 where segments leave as cwnd allows."""
    tcpi_max_pacing_rate: int | None = None
    tcpi_bytes_acked: int | None = None
    tcpi_bytes_received: int | None = None
    tcpi_segs_out: int | None = None
    tcpi_segs_in: int | None = None
    tcpi_notsent_bytes: int | None = None
    tcpi_min_rtt: int | None = None
    tcpi_data_segs_in: int | None = None
    tcpi_data_segs_out: int | None = None
    tcpi_delivery_rate: int | None = None
    tcpi_busy_time: int | None = None
    """While something was in flight or waited to be sent; the functional TCP leaves out what left at once as
    one segment, whose times nothing is written down of."""
    tcpi_rwnd_limited: int | None = None
    """That part of it in which the peer's window kept more from being sent."""
    tcpi_sndbuf_limited: int | None = None
    """That part of it in which the user had more, and the send buffer no room."""
    tcpi_delivered: int | None = None
    """Segments that have arrived, the SYN too; the functional TCP makes full ones of the octets."""
    tcpi_delivered_ce: int | None = None
    """Those of them that were marked, where accurate ECN was agreed on."""
    tcpi_bytes_sent: int | None = None
    tcpi_bytes_retrans: int | None = None
    tcpi_dsack_dups: int | None = None
    tcpi_reord_seen: int | None = None
    tcpi_rcv_ooopack: int | None = None
    tcpi_snd_wnd: int | None = None
    tcpi_rcv_wnd: int | None = None
    tcpi_rehash: int | None = None
    snd_cwnd_bytes: int | None = None
    """cwnd as this stack keeps it; not of Linux."""
    snd_ssthresh_bytes: int | None = None
    urgent_bytes: int | None = None
    """What is left to read before the peer's urgent mark (RFC 9293 3.8.5, MUST-33); not of Linux."""


def info(connection: Tcb | TimeWait | None, now_us: int) -> TcpInfo:
    """A connection at a time; None is CLOSED."""
    if connection is None:
        return TcpInfo(tcpi_state=CLOSED_NUMBER)
    if isinstance(connection, TimeWait):
        return TcpInfo(tcpi_state=TIME_WAIT_NUMBER)
    fields = {
        **_handshake(connection),
        **_timers(connection, now_us),
        **_held_back(connection, now_us),
    }
    return TcpInfo(
        tcpi_state=STATE_NUMBERS[connection.state], **fields, **_sending(connection), **_receiving(connection)
    )


def _segments(octets: int, smss: int) -> int:
    return -(-octets // smss)


def _handshake(tcb: Tcb) -> dict[str, int]:
    """What was agreed."""
    agreed = tcb.agreed
    scaling = max(agreed.snd_wind_shift, agreed.rcv_wind_shift, 0)
    return {
        "tcpi_options": (OPTION_TIMESTAMPS if agreed.timestamps else 0)
        | (OPTION_SACK if agreed.sack else 0)
        | (OPTION_WSCALE if scaling else 0)
        | (OPTION_ECN if agreed.ecn or agreed.accurate_ecn else 0),
        "tcpi_snd_wscale": agreed.snd_wind_shift,
        "tcpi_rcv_wscale": max(agreed.rcv_wind_shift, 0),
        "tcpi_snd_mss": agreed.smss,
        "tcpi_rcv_mss": agreed.rmss,
        "tcpi_advmss": agreed.rmss,
        "tcpi_pmtu": agreed.smss + header_bytes(agreed),
        "tcpi_ato": agreed.parameters.delayed_ack_us,
        "tcpi_reordering": tcb.rack.reordering if tcb.rack is not None else DUP_THRESH,
    }


def _timers(tcb: Tcb, now_us: int) -> dict[str, int]:
    """Times and what was tried in vain: probes, when there is no window or nothing in flight."""
    probed = tcb.state > State.SYN_RECEIVED and (not tcb.snd_wnd or tcb.snd_una == tcb.snd_nxt)
    least_us = tcb.round_trip.min_us
    since_rcv_ms = max(now_us - tcb.rcv_at_us, 0) // CLOCK_GRANULARITY_US
    return {
        "tcpi_rto": backed_off_us(tcb),
        "tcpi_rtt": tcb.round_trip.srtt_us,
        "tcpi_rttvar": tcb.round_trip.rttvar_us,
        "tcpi_backoff": tcb.backoff,
        "tcpi_retransmits": 0 if probed else tcb.backoff,
        "tcpi_probes": tcb.backoff if probed else 0,
        "tcpi_last_data_sent": max(now_us - tcb.snd_at_us, 0) // CLOCK_GRANULARITY_US,
        "tcpi_last_ack_recv": since_rcv_ms,
        "tcpi_last_data_recv": max(now_us - text_at_us(tcb), 0) // CLOCK_GRANULARITY_US,
        **({"tcpi_min_rtt": least_us} if least_us else {}),
    }


def _held_back(tcb: Tcb, now_us: int) -> dict[str, int]:
    """How long something was to be sent, and what kept it from being."""
    held = tcb.send_limits or NEVER_LIMITED
    return {
        "tcpi_busy_time": tcb.busy_us + max(now_us - held.busy_at_us, 0),
        "tcpi_rwnd_limited": held.receiver_us + limited_us(held, SendLimit.RECEIVER, now_us),
        "tcpi_sndbuf_limited": held.sender_us + limited_us(held, SendLimit.SENDER, now_us),
    }


def _sending(tcb: Tcb) -> dict[str, int]:
    """Windows and counters of our direction."""
    smss, congestion, flight = tcb.agreed.smss, tcb.congestion, flight_bytes(tcb)
    recovery = tcb.recovery
    sacked, lost = (recovery.sacked_bytes, recovery.lost_bytes) if recovery is not None else (0, 0)
    again = _again_bytes(tcb)
    is_infinite = congestion.ssthresh >= SSTHRESH_INITIAL
    syn = 1 if tcb.state > State.SYN_RECEIVED else 0
    return {
        "tcpi_ca_state": CA_OPEN if recovery is None else CA_NUMBERS[recovery.phase],
        "tcpi_unacked": _segments(flight, smss),
        "tcpi_sacked": _segments(sacked, smss),
        # What was lost and went again is both, until it arrives.
        "tcpi_lost": _segments(lost + again, smss),
        "tcpi_retrans": _segments(again, smss),
        "tcpi_reord_seen": int(tcb.rack is not None and tcb.rack.reordering_seen),
        "tcpi_snd_cwnd": max(congestion.cwnd // smss, 1),
        "tcpi_snd_ssthresh": INFINITE_SSTHRESH if is_infinite else congestion.ssthresh // smss,
        "snd_cwnd_bytes": congestion.cwnd,
        "snd_ssthresh_bytes": congestion.ssthresh,
        "tcpi_snd_wnd": tcb.snd_wnd,
        "tcpi_bytes_acked": (tcb.snd_una - tcb.agreed.iss - syn) & MASK,
        "tcpi_bytes_sent": (tcb.snd_nxt - tcb.agreed.iss - 1) & MASK,
        "tcpi_notsent_bytes": max(tcb.snd_buf_bytes - flight, 0),
        "tcpi_total_retrans": tcb.retransmits_total,
        "tcpi_pacing_rate": congestion.pacing_rate,
        **_delivered(tcb),
    }


def _again_bytes(tcb: Tcb) -> int:
    """What is in flight and went again; what of it the peer has reported is left out."""
    held = tcb.recovery.sacked if tcb.recovery is not None else ()
    una = tcb.snd_una
    again, left = 0, una
    for run in tcb.transmissions:
        if run.retransmitted:
            reported = covered(held, left, run.right, una)
            again += ((run.right - left) & MASK) - sum((right - start) & MASK for start, right in reported)
        left = run.right
    return max(again, _refused_bytes(tcb))


def _refused_bytes(tcb: Tcb) -> int:
    """What our SYN carried, the peer did not take, and is in flight now."""
    agreed = tcb.agreed
    if agreed.syn_text_bytes == agreed.syn_taken_bytes:
        return 0
    acked_bytes = (tcb.snd_una - agreed.iss - 1) & MASK
    return max(min(agreed.syn_text_bytes - acked_bytes, (tcb.snd_nxt - tcb.snd_una) & MASK), 0)


def _delivered(tcb: Tcb) -> dict[str, int]:
    """What the peer has acknowledged or reported, in full segments; the SYN is one, with its text."""
    if tcb.state <= State.SYN_RECEIVED:
        return {"tcpi_delivered": 0}
    sacked = tcb.recovery.sacked_bytes if tcb.recovery is not None else 0
    octets = ((tcb.snd_una - tcb.agreed.iss - 1) & MASK) - tcb.agreed.syn_taken_bytes + sacked
    marked = {"tcpi_delivered_ce": tcb.ecn.sent_ce - FIRST} if tcb.agreed.accurate_ecn and tcb.ecn else {}
    return {"tcpi_delivered": _segments(octets, tcb.agreed.smss) + 1, **marked}


def _receiving(tcb: Tcb) -> dict[str, int]:
    """Windows and counters of the peer's direction."""
    heard_syn = tcb.state is not State.SYN_SENT
    return {
        "tcpi_rcv_space": tcb.agreed.parameters.receive_buffer_bytes,
        "tcpi_rcv_ssthresh": tcb.rcv_wnd,
        "tcpi_rcv_wnd": tcb.rcv_wnd,
        "tcpi_bytes_received": (tcb.rcv_nxt - tcb.agreed.irs - 1) & MASK if heard_syn else 0,
        "urgent_bytes": urgent_bytes(tcb),
    }
