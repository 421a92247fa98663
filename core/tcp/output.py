"""What to send now: new data as the windows allow, a FIN, an ACK that is due; and the timers that go with it.

The one place where segments of a synchronized connection are made. Whoever changes a connection so that
something may have become sendable ends with `output`.

Source: RFC 9293 3.7.4 (Nagle), 3.8.6.2.1 (silly windows), 3.8.6.3 (delayed ACK); RFC 6298 5.
"""

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import MASK, Seq, seq_add
from gossamer.core.tcp import ecn, ecn_bytes, path_mtu, record_ends, send_limits
from gossamer.core.tcp.actions import Actions, Signal
from gossamer.core.tcp.buffer import text_at
from gossamer.core.tcp.congestion.initial_window import after_idle
from gossamer.core.tcp.delivery_rate import before_sending
from gossamer.core.tcp.handshake import TIMESTAMP_OPTION_BYTES
from gossamer.core.tcp.pacing import UNPACED, allowance_bytes, next_at_us
from gossamer.core.tcp.parameters import NOTSENT_UNLIMITED
from gossamer.core.tcp.reassembly import SACK_BLOCKS_MAX, sack_blocks
from gossamer.core.tcp.recovery import dsack, proportional_rate
from gossamer.core.tcp.recovery.records import Phase
from gossamer.core.tcp.recovery.retransmit import next_lost, retransmitted
from gossamer.core.tcp.recovery.scoreboard import pipe_bytes
from gossamer.core.tcp.recovery.transmissions import after_sending, with_fin_apart
from gossamer.core.tcp.rtt import backed_off_us, can_probe, expires_after_sending_us, wait_us
from gossamer.core.tcp.send_space import low_water
from gossamer.core.tcp.silly_window import CLOSED_BY_US, is_worth_sending
from gossamer.core.tcp.super_segment import Room, retransmitted_together, together
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.tcp.timestamps import ts_value
from gossamer.core.tcp.window import textless_seq, window_field
from gossamer.core.wire.segment import ACK, FIN, NO_TIMESTAMP, NOT_ECT, PSH, SackBlock, Segment
from gossamer.core.wire.text import Payload

replace = msgspec.structs.replace

PACED = Signal.PACED

SACK_HEADER_BYTES, SACK_BLOCK_BYTES = 4, 8
"""NOP NOP kind length, and two sequence numbers. Source: RFC 2018 3."""
SACK_BLOCKS_WITH_TIMESTAMPS = (40 - TIMESTAMP_OPTION_BYTES - SACK_HEADER_BYTES) // SACK_BLOCK_BYTES


def make_segment(
    tcb: Tcb,
    now_us: int,
    seq: Seq,
    flags: int,
    payload: Payload = b"",
    ect: int = NOT_ECT,
    cut_bytes: int = 0,
) -> Segment:
    """A segment that carries what every one of a synchronized connection does: ACK, window, timestamps; and
    SACK when it has no payload, since options would take from the room of a full one. `ect` is for new data
    alone (RFC 3168 6.1.4 to 6.1.6)."""
    agreed = tcb.agreed
    if tcb.ecn is not None:
        flags |= ecn.flags_of(tcb)
    sack: tuple[SackBlock, ...] = ()
    if tcb.reassembly is not None and agreed.sack and not payload:
        sack = dsack.blocks_with_duplicate(tcb.reassembly, sack_blocks(tcb.reassembly))
        if agreed.timestamps:
            sack = sack[:SACK_BLOCKS_WITH_TIMESTAMPS]
        else:
            sack = sack[:SACK_BLOCKS_MAX]
    ts_val = ts_value(agreed.ts_offset, now_us) if agreed.timestamps else NO_TIMESTAMP
    window = window_field(tcb)
    if agreed.ect and not ect and agreed.parameters.deviations.ect_on == "all":
        ect = agreed.ect
    is_on_all = tcb.ecn is not None and agreed.accurate_ecn > 0 and agreed.parameters.ecn_on_all
    segment = Segment(
        seq,
        tcb.rcv_nxt,
        flags,
        window,
        ts_val,
        tcb.ts_recent,
        payload,
        sack,
        None,
        0,
        (agreed.ect if is_on_all else ect) | agreed.traffic_class,
        0,
        cut_bytes,
    )
    return ecn_bytes.on_all(tcb, segment) if is_on_all else segment


def acknowledgment(tcb: Tcb, now_us: int) -> Segment:
    """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>."""
    segment = make_segment(tcb, now_us, textless_seq(tcb), ACK)
    return segment if tcb.ecn is None else ecn_bytes.with_option(tcb, segment)


def due_acknowledgment(tcb: Tcb, now_us: int) -> Segment:
    """The ACK that is due of itself, and no answer to what should not have come: by `repeats_fin` our FIN
    again, until it is acknowledged."""
    answer = acknowledgment(tcb, now_us)
    is_fin_out = tcb.state in CLOSED_BY_US and flight_bytes(tcb) > tcb.snd_buf_bytes
    if not is_fin_out or not tcb.agreed.parameters.deviations.repeats_fin:
        return answer
    return replace(answer, seq=seq_add(tcb.snd_nxt, -1), flags=answer.flags | FIN)


def flight_bytes(tcb: Tcb) -> int:
    """FlightSize: SND.NXT - SND.UNA, a FIN included."""
    return (tcb.snd_nxt - tcb.snd_una) & MASK


def is_fin_unsent(tcb: Tcb) -> bool:
    """Whether a FIN is still to follow."""
    return tcb.state in CLOSED_BY_US and flight_bytes(tcb) <= tcb.snd_buf_bytes


def output(tcb: Tcb, now_us: int) -> tuple[Tcb, Actions]:
    """Send all that may be sent now."""
    ack_due = tcb.ack_at_us <= now_us
    if tcb.ecn is not None:
        tcb = ecn.settled(tcb)
    is_idle = tcb.recovery is None and tcb.snd_una == tcb.snd_nxt and not tcb.snd_buf_bytes
    if is_idle and not ack_due and tcb.state not in CLOSED_BY_US:
        return tcb, ()
    segments: list[Segment] = []
    retransmitted = 0
    allowance = allowance_bytes(tcb, now_us) if tcb.congestion.pacing_rate else UNPACED
    if tcb.recovery is not None and tcb.recovery.lost:
        tcb, retransmitted = _retransmit(tcb, now_us, segments, allowance)
        if retransmitted and tcb.agreed.ect:
            tcb = ecn.with_cwr_at_once(ecn.on_retransmission(tcb), segments)
    before = tcb
    tcb = _send_new(tcb, now_us, segments, allowance)
    if tcb.recovery is not None and tcb.recovery.phase is Phase.FAST:
        tcb = proportional_rate.sent(tcb, sum(len(segment.payload) for segment in segments))
    if ack_due and (not segments or tcb.reassembly is not None):
        answers = due_acknowledgment if tcb.state in CLOSED_BY_US else acknowledgment
        segments.append(answers(tcb, now_us))
    if segments:
        tcb = replace(tcb, last_ack_sent=tcb.rcv_nxt, ack_at_us=NEVER_US)
        tcb = ecn_bytes.after_telling(tcb, segments) if tcb.ecn is not None else tcb
    if tcb.reassembly is not None and ack_due:
        tcb = dsack.reported(tcb)
    actions: Actions = tuple(segments)
    if retransmitted:
        actions += (Signal.RETRANSMITTED,) * retransmitted
        tcb = replace(tcb, retransmits_total=tcb.retransmits_total + retransmitted)
    if allowance != UNPACED or tcb.pace_at_us <= now_us:
        tcb, actions = _paced(tcb, actions, segments, now_us)
    if tcb.agreed.parameters.notsent_lowat_bytes != NOTSENT_UNLIMITED:
        actions += low_water(before, tcb)
    return _left_alone(tcb, now_us), actions


def _paced(tcb: Tcb, actions: Actions, segments: list[Segment], now_us: int) -> tuple[Tcb, Actions]:
    """What has left takes its time before more does; when nothing has, the next may leave at once."""
    sent_bytes = sum(len(segment.payload) for segment in segments)
    if not sent_bytes or not tcb.congestion.pacing_rate:
        return (replace(tcb, pace_at_us=NEVER_US) if tcb.pace_at_us <= now_us else tcb), actions
    pace_at_us = next_at_us(tcb, sent_bytes, now_us)
    return replace(tcb, pace_at_us=pace_at_us), (*actions, PACED)


def _left_alone(tcb: Tcb, now_us: int) -> Tcb:
    """Until the next event: with the timer that is due, and what holds back from now on."""
    tcb = _timer_armed(tcb, now_us)
    return tcb if tcb.send_limits is None else send_limits.judged(tcb, now_us)


def _timer_armed(tcb: Tcb, now_us: int) -> Tcb:
    # RFC 6298 5.1: "Every time a packet containing data is sent [...], if the timer is not running, start
    # it". The same field is the persist timer while data waits for a window (RFC 9293 3.8.6.1).
    if tcb.rtx_at_us != NEVER_US:
        return tcb
    waits = tcb.pace_at_us == NEVER_US and (tcb.snd_buf_bytes or is_fin_unsent(tcb))
    if tcb.snd_una != tcb.snd_nxt:
        return replace(tcb, rtx_at_us=now_us + wait_us(tcb))
    return replace(tcb, rtx_at_us=now_us + backed_off_us(tcb)) if waits else tcb


def _send_new(tcb: Tcb, now_us: int, segments: list[Segment], allowance: int, probe_bytes: int = 0) -> Tcb:
    """Data that was never sent, and the FIN behind it; `allowance` is what pacing lets out, and up to
    `probe_bytes` go whatever cwnd says."""
    flight = flight_bytes(tcb)
    unsent = tcb.snd_buf_bytes - flight
    if unsent < 0 or (unsent == 0 and not is_fin_unsent(tcb)):
        return tcb
    usable = tcb.snd_wnd - flight
    largest = tcb.agreed.smss
    if tcb.path is not None:
        tcb, largest = path_mtu.probe(tcb, now_us, 0 if tcb.record_ends else unsent, usable)
    congestion = tcb.congestion if flight else after_idle(tcb, now_us)
    room = probe_bytes or congestion.cwnd - (pipe_bytes(tcb) if tcb.recovery is not None else flight)
    if allowance != UNPACED:
        allowance -= sum(len(segment.payload) for segment in segments)
    snd_nxt, first, is_fin_apart = tcb.snd_nxt, len(segments), False
    while unsent > 0:
        part = record_ends.within(tcb, snd_nxt, unsent) if tcb.record_ends else unsent
        size = min(part, largest, usable)
        is_worth = size == part < unsent or is_worth_sending(tcb, size, unsent, flight)
        if size > room or allowance <= 0 or not is_worth:
            break
        cut_bytes = 0
        if size < part and tcb.agreed.parameters.super_segment_bytes:
            size, cut_bytes = together(tcb, size, flight, part, Room(usable, room, allowance))
        payload = text_at(tcb.snd_buf, tcb.snd_buf_offset, flight, size, is_large=cut_bytes > 0)
        unsent, largest = unsent - size, tcb.agreed.smss
        flags = ACK | PSH if unsent == 0 or size == part else ACK
        if unsent == 0 and tcb.state in CLOSED_BY_US and usable > size:
            flags |= FIN
        segments.append(make_segment(tcb, now_us, snd_nxt, flags, payload, tcb.agreed.ect, cut_bytes))
        taken = size + (flags & FIN)
        snd_nxt = seq_add(snd_nxt, taken)
        flight, usable, room = flight + taken, usable - taken, room - taken
        allowance -= size
    if unsent == 0 and tcb.state in CLOSED_BY_US and flight == tcb.snd_buf_bytes and usable > 0:
        segments.append(make_segment(tcb, now_us, snd_nxt, ACK | FIN))
        snd_nxt, is_fin_apart = seq_add(snd_nxt, 1), True
    if snd_nxt == tcb.snd_nxt:
        return tcb
    tcb = _completed(tcb, segments, first)
    tcb = _sent(replace(tcb, congestion=congestion), snd_nxt, now_us)
    return replace(tcb, transmissions=with_fin_apart(tcb)) if is_fin_apart and can_probe(tcb) else tcb


def _completed(tcb: Tcb, segments: list[Segment], first: int) -> Tcb:
    """What new segments, those from `first` on, bear beside their text, and what is known of them."""
    if tcb.path is not None:
        tcb = path_mtu.sent(tcb, segments[first].cut_bytes or len(segments[first].payload))
    if tcb.ecn is not None:
        tcb = ecn.announced(tcb, segments, first)
        room_bytes = tcb.agreed.smss - len(segments[first].payload)
        segments[first] = ecn_bytes.with_option(tcb, segments[first], room_bytes)
    if tcb.reassembly is not None and tcb.agreed.sack:
        segments[first:] = [_with_sack(tcb, segment) for segment in segments[first:]]
    return tcb


def _with_sack(tcb: Tcb, segment: Segment) -> Segment:
    """A segment of new data with as many SACK blocks as find room beside its text.

    Source: RFC 2018 4: "SACK options SHOULD be included in all ACKs which do not ACK the highest sequence
    number in the data receiver's queue." Differs: a full segment gives no room away for them, since whatever
    comes out of order is answered by an ACK without text too, which has them all.
    """
    assert tcb.reassembly is not None
    room_bytes = tcb.agreed.smss - len(segment.payload) - SACK_HEADER_BYTES
    most = SACK_BLOCKS_WITH_TIMESTAMPS if tcb.agreed.timestamps else SACK_BLOCKS_MAX
    count = min(most, room_bytes // SACK_BLOCK_BYTES)
    if count <= 0 or segment.sack:
        return segment
    return replace(segment, sack=sack_blocks(tcb.reassembly)[:count])


def _sent(tcb: Tcb, snd_nxt: Seq, now_us: int) -> Tcb:
    """The connection after new octets up to `snd_nxt`; without timestamps one segment at a time is timed (RFC
    6298 3)."""
    if tcb.congestion.every_ack:
        tcb = replace(tcb, delivery=before_sending(tcb, now_us))
    transmissions = after_sending(tcb, snd_nxt, now_us)
    if tcb.rtx_at_us != NEVER_US and tcb.snd_una != tcb.snd_nxt:
        tcb = replace(tcb, rtx_at_us=expires_after_sending_us(tcb, snd_nxt, now_us))
    if tcb.agreed.timestamps or tcb.rtt_seq is not None or tcb.recovery is not None:
        return replace(tcb, snd_nxt=snd_nxt, snd_at_us=now_us, transmissions=transmissions)
    return replace(
        tcb,
        snd_nxt=snd_nxt,
        snd_at_us=now_us,
        rtt_seq=snd_nxt,
        rtt_at_us=now_us,
        transmissions=transmissions,
    )


def _retransmit(tcb: Tcb, now_us: int, segments: list[Segment], allowance: int) -> tuple[Tcb, int]:
    """Send again what loss recovery names, as long as cwnd has room, and pacing lets it out; with how many
    segments that is when they are cut."""
    again: list[tuple[Seq, int]] = []
    while allowance > 0 and (lost := next_lost(tcb)) is not None:
        seq, length = lost
        allowance -= length
        again.append(lost)
        tcb = retransmitted(tcb, seq, length, now_us)
    for seq, length, cut_bytes in retransmitted_together(tcb, again):
        segments.append(retransmission(tcb, now_us, seq, length, cut_bytes))
    return tcb, len(again)


def probe_with_new(tcb: Tcb, now_us: int) -> tuple[Tcb, tuple[Segment, ...]]:
    """One segment of new data whatever cwnd and pacing say, for a tail loss probe; none when there is none,
    or the peer's window takes none."""
    segments: list[Segment] = []
    tcb = _send_new(tcb, now_us, segments, UNPACED, tcb.agreed.smss)
    if segments:
        tcb = replace(tcb, last_ack_sent=tcb.rcv_nxt, ack_at_us=NEVER_US)
    return tcb, tuple(segments)


def retransmission(tcb: Tcb, now_us: int, seq: Seq, length: int, cut_bytes: int = 0) -> Segment:
    """The octets [seq, seq + length) of what is in flight, a FIN among them if it was sent there."""
    start = (seq - tcb.snd_una) & MASK
    size = min(length, tcb.snd_buf_bytes - start)
    payload = text_at(tcb.snd_buf, tcb.snd_buf_offset, start, size, is_large=cut_bytes > 0)
    fin = start + length > tcb.snd_buf_bytes and tcb.state in CLOSED_BY_US
    is_pushed = start + length >= tcb.snd_buf_bytes or seq_add(seq, length) in tcb.record_ends
    flags = ACK | (FIN if fin else 0) | (PSH if payload and is_pushed else 0)
    return make_segment(tcb, now_us, seq, flags, payload, NOT_ECT, cut_bytes)
