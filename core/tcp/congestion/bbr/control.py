"""BBR's order of things with each ACK, and its pacing rate.

Source: draft-ietf-ccwg-bbr-06 5.2, 5.6.2.
"""

from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.tcp.congestion.bbr import (
    aggregation,
    bandwidth,
    cycle,
    long_term,
    min_rtt,
    probe_bw,
    rounds,
    short_term,
    startup,
)
from gossamer.core.tcp.congestion.bbr.inflight import next_cwnd, saved_cwnd
from gossamer.core.tcp.congestion.bbr.memory import Memory, Mode
from gossamer.core.tcp.congestion.control import Ack, Control, Loss
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import (
    BBR_BETA,
    BBR_DRAIN_GAIN,
    BBR_MIN_SEGMENTS,
    BBR_PACING_PERCENT,
    BBR_STARTUP_GAIN,
)

replace = msgspec.structs.replace

PACING_GAINS: Final[dict[int, float]] = {
    Mode.STARTUP: BBR_STARTUP_GAIN,
    Mode.DRAIN: BBR_DRAIN_GAIN,
    Mode.PROBE_BW_DOWN: 0.9,
    Mode.PROBE_BW_CRUISE: 1.0,
    Mode.PROBE_BW_REFILL: 1.0,
    Mode.PROBE_BW_UP: 1.25,
    Mode.PROBE_RTT: 1.0,
}
"""Source: 5.6.1."""


class Bbr(Control):
    """Source: draft-ietf-ccwg-bbr-06."""

    name = "bbr"
    memory = Memory
    paces = True

    def begin(self, cwnd: int, smss: int) -> Congestion:
        del smss
        return Congestion(cwnd, every_ack=True, memory=Memory(initial_cwnd=cwnd))

    def on_ack(self, congestion: Congestion, ack: Ack) -> Congestion:
        """The model and the mode first, then what they control. Source: 5.2.3."""
        before: Memory = congestion.memory
        memory = _moved(before, congestion, ack)
        has_recovered = memory.is_recovering and not ack.is_recovering
        if has_recovered or memory.is_recovering != ack.is_recovering:
            memory = replace(memory, is_recovering=ack.is_recovering)
        if has_recovered or (before.mode is Mode.PROBE_RTT and memory.mode is not Mode.PROBE_RTT):
            # 5.6.4.4: RestoreCwnd.
            congestion = replace(congestion, cwnd=max(congestion.cwnd, memory.prior_cwnd))
        congestion = replace(congestion, pacing_rate=_pacing_rate(congestion, memory, ack))
        return replace(congestion, cwnd=next_cwnd(memory, congestion, ack), memory=memory)

    def on_loss(self, congestion: Congestion, loss: Loss) -> Congestion:
        """cwnd stays: the ACK that showed the loss comes next, and says how much it was. Source: 5.6.4.4."""
        del loss
        return replace(congestion, memory=_saved(congestion))

    def on_rto(self, congestion: Congestion, loss: Loss, first: bool) -> Congestion:
        """All is taken for lost, and one segment goes; what was in flight was too much, if it was to find out
        how much is. Source: 5.6.4.4."""
        memory = _saved(congestion) if first else congestion.memory
        memory = short_term.noted(memory, memory.rounds.delivered_bytes)
        if memory.probe.is_sample:
            memory = long_term.lowered(
                memory, congestion, loss.flight_bytes, loss.now_us, is_app_limited=False
            )
        return replace(congestion, cwnd=loss.smss, memory=replace(memory, is_recovering=True))

    def on_ecn(self, congestion: Congestion, loss: Loss) -> Congestion:
        """A probe that is marked went too high; and what is in flight is bounded until the next probe as a
        loss would at most, though all of it is delivered. Source: 3.7: the draft has no answer to marks of
        its own, but "the congestion controller response MUST treat any CE marks as congestion"."""
        memory: Memory = congestion.memory
        if memory.mode is Mode.STARTUP:
            memory = startup.bounded(memory)
        elif memory.probe.is_sample:
            memory = long_term.lowered(
                memory, congestion, loss.flight_bytes, loss.now_us, is_app_limited=False
            )
        short = memory.short_term
        octets = min(loss.flight_bytes, short.inflight_bytes)
        octets = max(int(octets * BBR_BETA), BBR_MIN_SEGMENTS * loss.smss)
        # No loss that proves none takes it back.
        ended: int = congestion.memory.undo_mode
        memory = replace(memory, short_term=replace(short, inflight_bytes=octets), undo_mode=ended)
        return replace(congestion, cwnd=min(congestion.cwnd, octets), memory=memory)

    def on_recovered(self, congestion: Congestion, loss: Loss) -> Congestion:
        """Nothing: the ACK that ends the recovery says so itself."""
        del loss
        return congestion

    def on_undo(self, congestion: Congestion, before: Congestion) -> Congestion:
        """HandleSpuriousLossDetection. Source: 5.5.11.2: the bounds are what they were at least, and what the
        loss has ended goes on."""
        memory: Memory = congestion.memory
        then: Memory = before.memory
        short, was = memory.short_term, then.short_term
        short = replace(
            short,
            is_loss_in_round=False,
            bw=max(short.bw, was.bw),
            inflight_bytes=max(short.inflight_bytes, was.inflight_bytes),
        )
        memory = bandwidth.sought(replace(memory, short_term=short), 0)
        longterm = max(memory.inflight_longterm, then.inflight_longterm)
        memory = _back(replace(memory, inflight_longterm=longterm))
        return replace(congestion, cwnd=max(congestion.cwnd, before.cwnd), memory=memory)

    def on_idle(self, congestion: Congestion, restart_window: int) -> Congestion:
        """Paced at the rate that the path had, the burst that RFC 5681 4.1 fears does not happen. Source:
        5.4.1. Differs: a ProbeRTT that a pause has outlasted is left with the next ACK, not before."""
        del restart_window
        memory: Memory = congestion.memory
        rate = congestion.pacing_rate
        if memory.is_in_probe_bw:
            rate = memory.bw * BBR_PACING_PERCENT // 100
        # What was acknowledged before the pause is no burst: with nothing counted the next ACK begins anew.
        calm = replace(memory.aggregation, delivered_bytes=0)
        memory = replace(memory, is_restarting=True, aggregation=calm)
        return replace(congestion, pacing_rate=rate, memory=memory)


def _moved(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """UpdateModelAndState; before it, what this ACK shows to be lost. Source: 5.2.3, 5.2.4."""
    rate = bandwidth.sample(memory, ack)
    if ack.lost_bytes:
        memory = long_term.lost(short_term.noted(memory, ack.delivered_total), congestion, ack)
    memory = short_term.latest(memory, ack, rate)
    memory = rounds.counted(memory, congestion, ack)
    memory = short_term.adapted(bandwidth.measured(memory, ack, rate), congestion)
    if ack.delivered_bytes:
        memory = aggregation.estimated(memory, congestion, ack)
        memory = startup.moved(bandwidth.filled(memory, ack, rate), congestion, ack)
        memory = probe_bw.moved(memory, congestion, ack, rate)
    memory = min_rtt.probed(min_rtt.measured(memory, ack), congestion, ack)
    return short_term.advanced(memory, ack, rate)


def _saved(congestion: Congestion) -> Memory:
    """SaveStateUponLoss; the rest of it is kept for `on_undo` by whoever begins the recovery. Source:
    5.5.11.1."""
    memory: Memory = congestion.memory
    return replace(memory, prior_cwnd=saved_cwnd(memory, congestion), undo_mode=0)


def _back(memory: Memory) -> Memory:
    """Into the mode that a loss has ended which was none."""
    ended, now = memory.undo_mode, memory.mode
    memory = replace(memory, undo_mode=0)
    if ended == Mode.STARTUP and now is not Mode.STARTUP:
        memory = replace(memory, bandwidth=replace(memory.bandwidth, is_full_reached=False))
        return memory if now is Mode.PROBE_RTT else replace(memory, mode=Mode.STARTUP)
    if ended == Mode.PROBE_BW_UP and now is not Mode.PROBE_BW_UP and now is not Mode.PROBE_RTT:
        return cycle.refilling(memory)
    return memory


def _pacing_rate(congestion: Congestion, memory: Memory, ack: Ack) -> int:
    """SetPacingRate: never lower before the pipe is full; at first from the initial window and one round
    trip."""
    gain = PACING_GAINS[memory.mode]
    rate = int(gain * memory.bw * BBR_PACING_PERCENT / 100)
    if not rate:
        rtt_us = ack.round_trip.srtt_us or min_rtt.shown_us(ack)
        return int(BBR_STARTUP_GAIN * congestion.cwnd * SECOND_US / max(rtt_us, 1)) if rtt_us > 0 else 0
    return (
        rate if memory.bandwidth.is_full_reached or rate > congestion.pacing_rate else congestion.pacing_rate
    )
