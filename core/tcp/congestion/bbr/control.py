"""BBR's controls: pacing rate and cwnd, from the model and the gains of the mode.

Source: draft-cardwell-iccrg-bbr-congestion-control-00 4.2.
"""

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.tcp.congestion.bbr.memory import Memory
from gossamer.core.tcp.congestion.bbr.model import measured_us, updated
from gossamer.core.tcp.congestion.bbr.modes import PROBE_BW, PROBE_RTT, in_flight_bytes, moved, saved_cwnd
from gossamer.core.tcp.congestion.control import Ack, Control, Loss
from gossamer.core.tcp.parameters import BBR_HIGH_GAIN, BBR_MARK_GAIN, BBR_MIN_SEGMENTS
from gossamer.core.tcp.tcb import Congestion

replace = msgspec.structs.replace


class Bbr(Control):
    """Source: draft-cardwell-iccrg-bbr-congestion-control-00."""

    name = "bbr"
    memory = Memory
    paces = True

    def begin(self, cwnd: int, smss: int) -> Congestion:
        del smss
        return Congestion(cwnd, every_ack=True, memory=Memory(initial_cwnd=cwnd))

    def on_ack(self, congestion: Congestion, ack: Ack) -> Congestion:
        # 4.1: BBRUpdateOnACK: the model and the mode first, then what they control.
        before: Memory = congestion.memory
        memory = moved(updated(before, ack), congestion, ack)
        congestion = replace(congestion, pacing_rate=_pacing_rate(congestion, memory, ack))
        if before.mode is PROBE_RTT and memory.mode is not PROBE_RTT:
            congestion, memory = _restored(congestion, memory)
        congestion, memory = _with_recovery(congestion, memory, ack)
        if memory.held_to_bytes < 0:
            memory = replace(memory, held_to_bytes=ack.delivered_total + ack.pipe_bytes)
        return replace(congestion, cwnd=_cwnd(congestion, memory, ack), memory=memory)

    def on_loss(self, congestion: Congestion, loss: Loss) -> Congestion:
        # The model does not use it. The ACK that showed the loss comes next, and says whether this is a
        # recovery and how much is in the network.
        del loss
        return congestion

    def on_rto(self, congestion: Congestion, loss: Loss, first: bool) -> Congestion:
        # 4.2.3.4: "Upon an RTO, [...] BBR.prior_cwnd = BBRSaveCwnd(), cwnd = 1".
        del first
        memory = congestion.memory
        memory = replace(
            memory, prior_cwnd=saved_cwnd(memory, congestion), is_recovering=True, is_conserving=False
        )
        return replace(congestion, cwnd=loss.smss, memory=memory)

    def on_ecn(self, congestion: Congestion, loss: Loss) -> Congestion:
        # Differs: version 1 knows no ECN, and leaves a mark unanswered. RFC 3168 6.1.2 wants an answer: less
        # in flight, for a round trip; the rate that was measured stays.
        cwnd = max(int(loss.flight_bytes * BBR_MARK_GAIN), BBR_MIN_SEGMENTS * loss.smss)
        memory = replace(congestion.memory, held_to_bytes=-1)
        return replace(congestion, cwnd=min(congestion.cwnd, cwnd), memory=memory)

    def on_recovered(self, congestion: Congestion, loss: Loss) -> Congestion:
        # The ACK that ends the recovery says so itself.
        del loss
        return congestion

    def on_undo(self, congestion: Congestion, before: Congestion) -> Congestion:
        # What was learned of the path meanwhile stays true.
        return replace(congestion, cwnd=max(congestion.cwnd, before.cwnd))

    def on_idle(self, congestion: Congestion, restart_window: int) -> Congestion:
        # 4.3.4.4: paced at the rate that the path had, the burst that RFC 5681 4.1 fears does not happen.
        del restart_window
        memory: Memory = congestion.memory
        rate = memory.rate if memory.mode is PROBE_BW else congestion.pacing_rate
        return replace(congestion, pacing_rate=rate, memory=replace(memory, is_restarting=True))


def _pacing_rate(congestion: Congestion, memory: Memory, ack: Ack) -> int:
    """4.2.1: "if (BBR.filled_pipe || rate > BBR.pacing_rate) BBR.pacing_rate = rate", at first from the
    initial window and one round trip."""
    rate = int(memory.pacing_gain * memory.rate)
    if not rate:
        rtt_us = ack.round_trip.srtt_us or measured_us(ack)
        return int(BBR_HIGH_GAIN * congestion.cwnd * SECOND_US / max(rtt_us, 1)) if rtt_us > 0 else 0
    return rate if memory.is_pipe_filled or rate > congestion.pacing_rate else congestion.pacing_rate


def _with_recovery(congestion: Congestion, memory: Memory, ack: Ack) -> tuple[Congestion, Memory]:
    """Into loss recovery, through its first round, and out of it. Source: 4.2.3.4."""
    if not ack.is_recovering:
        if not memory.is_recovering:
            return congestion, memory
        memory = replace(memory, is_recovering=False, is_conserving=False)
        return _restored(congestion, memory) if memory.mode is not PROBE_RTT else (congestion, memory)
    if not memory.is_recovering:
        # "cwnd = packets_in_flight + max(packets_delivered, 1); BBR.packet_conservation = true"
        prior_cwnd = saved_cwnd(memory, congestion)
        memory = replace(
            memory,
            prior_cwnd=prior_cwnd,
            is_recovering=True,
            is_conserving=True,
            round_ends_at_bytes=ack.delivered_total,
        )
        return replace(congestion, cwnd=ack.pipe_bytes + max(ack.delivered_bytes, ack.smss)), memory
    if memory.is_conserving and memory.is_round_start:
        memory = replace(memory, is_conserving=False)
    return congestion, memory


def _restored(congestion: Congestion, memory: Memory) -> tuple[Congestion, Memory]:
    """BBRRestoreCwnd."""
    if memory.is_recovering:
        return congestion, memory
    return replace(congestion, cwnd=max(congestion.cwnd, memory.prior_cwnd)), replace(memory, prior_cwnd=0)


def _cwnd(congestion: Congestion, memory: Memory, ack: Ack) -> int:
    """BBRSetCwnd: towards `cwnd_gain` bandwidth-delay products, by what was delivered. Source: 4.2.3."""
    cwnd, least = congestion.cwnd, BBR_MIN_SEGMENTS * ack.smss
    if ack.is_recovering and ack.lost_bytes:
        cwnd = max(cwnd - ack.lost_bytes, ack.smss)
    if memory.is_conserving:
        cwnd = max(cwnd, ack.pipe_bytes + ack.delivered_bytes)
    elif ack.delivered_total >= memory.held_to_bytes:
        target = in_flight_bytes(memory, congestion, ack.smss, memory.cwnd_gain)
        if memory.is_pipe_filled:
            cwnd = min(cwnd + ack.delivered_bytes, target)
        elif cwnd < target or ack.delivered_total < memory.initial_cwnd:
            cwnd += ack.delivered_bytes
        cwnd = max(cwnd, least)
    return min(cwnd, least) if memory.mode is PROBE_RTT else max(cwnd, ack.smss)
