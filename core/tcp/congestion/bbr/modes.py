"""BBR's modes: when it goes from one to the next, and the gains of each.

    STARTUP -> DRAIN -> PROBE_BW <-> PROBE_RTT (and back to STARTUP, when the pipe was never full)

Source: draft-cardwell-iccrg-bbr-congestion-control-00 4.3.
"""

from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.tcp.congestion.bbr.memory import UNKNOWN_US, Memory, Mode
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.pacing import quantum_bytes
from gossamer.core.tcp.parameters import BBR_CWND_GAIN, BBR_HIGH_GAIN, BBR_MIN_SEGMENTS, BBR_PROBE_RTT_US
from gossamer.core.tcp.tcb import Congestion

replace = msgspec.structs.replace

STARTUP, DRAIN, PROBE_BW, PROBE_RTT = Mode.STARTUP, Mode.DRAIN, Mode.PROBE_BW, Mode.PROBE_RTT

CYCLE: Final = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""Pacing gains of ProbeBW: look for more, let go of what that queued, cruise. Source: 4.3.4.2."""


def moved(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """The mode after an ACK whose samples the model has taken in."""
    if memory.mode is PROBE_BW and _is_next_phase(memory, congestion, ack):
        memory = _next_phase(memory, ack.now_us)
    if memory.mode is STARTUP and memory.is_pipe_filled:
        memory = replace(memory, mode=DRAIN, pacing_gain=1 / BBR_HIGH_GAIN, cwnd_gain=BBR_HIGH_GAIN)
    if memory.mode is DRAIN and ack.pipe_bytes <= in_flight_bytes(memory, congestion, ack.smss, 1.0):
        memory = _cruising(memory, ack)
    if memory.mode is not PROBE_RTT and memory.is_rtprop_expired and not memory.is_restarting:
        memory = _probing_round_trip(memory, congestion)
    if memory.mode is PROBE_RTT:
        memory = _in_probe_rtt(memory, ack)
    return replace(memory, is_restarting=False) if memory.is_restarting else memory


def in_flight_bytes(memory: Memory, congestion: Congestion, smss: int, gain: float) -> int:
    """BBRInflight: so many bandwidth-delay products, and room for what hosts send and acknowledge at once.
    Source: 4.2.3.2."""
    if memory.rtprop_us == UNKNOWN_US or not memory.rate:
        return memory.initial_cwnd
    quantum = quantum_bytes(congestion.pacing_rate, smss)
    return int(gain * memory.rate * memory.rtprop_us / SECOND_US) + 3 * quantum


def _cruising(memory: Memory, ack: Ack) -> Memory:
    """Enter ProbeBW. Source: 4.3.4.3: in a random phase, other than the one that drains; a hash of the
    sequence number, which begins at random, is chance enough."""
    phase = (ack.snd_una * 0x9E37_79B1 & 0xFFFF_FFFF) * (len(CYCLE) - 1) >> 32
    memory = replace(memory, mode=PROBE_BW, cwnd_gain=BBR_CWND_GAIN, cycle_index=len(CYCLE) - 1 - phase)
    return _next_phase(memory, ack.now_us)


def _next_phase(memory: Memory, now_us: int) -> Memory:
    index = (memory.cycle_index + 1) % len(CYCLE)
    return replace(memory, cycle_index=index, cycle_at_us=now_us, pacing_gain=CYCLE[index])


def _is_next_phase(memory: Memory, congestion: Congestion, ack: Ack) -> bool:
    """4.3.4.3: each phase lasts an RTprop; one that looks for more until that much was in flight or lost, one
    that drains no longer than until the queue is gone."""
    is_full_length = ack.now_us - memory.cycle_at_us > memory.rtprop_us
    prior_bytes = ack.pipe_bytes + ack.delivered_bytes + ack.lost_bytes
    if memory.pacing_gain > 1:
        wanted = in_flight_bytes(memory, congestion, ack.smss, memory.pacing_gain)
        return is_full_length and (ack.lost_bytes > 0 or prior_bytes >= wanted)
    if memory.pacing_gain < 1:
        return is_full_length or prior_bytes <= in_flight_bytes(memory, congestion, ack.smss, 1.0)
    return is_full_length


def saved_cwnd(memory: Memory, congestion: Congestion) -> int:
    """BBRSaveCwnd: the last cwnd that neither loss recovery nor ProbeRTT held down. Source: 4.2.3.4."""
    if not memory.is_recovering and memory.mode is not PROBE_RTT:
        return congestion.cwnd
    return max(memory.prior_cwnd, congestion.cwnd)


def _probing_round_trip(memory: Memory, congestion: Congestion) -> Memory:
    """Enter ProbeRTT. Source: 4.3.5."""
    return replace(
        memory,
        prior_cwnd=saved_cwnd(memory, congestion),
        mode=PROBE_RTT,
        pacing_gain=1.0,
        cwnd_gain=1.0,
        probe_rtt_until_us=0,
    )


def _in_probe_rtt(memory: Memory, ack: Ack) -> Memory:
    """4.3.5: "maintaining at least 4 packets in flight" for 200 ms and a round at least."""
    memory = replace(memory, ignored_to_bytes=ack.delivered_total + ack.pipe_bytes)
    if not memory.probe_rtt_until_us:
        if ack.pipe_bytes > BBR_MIN_SEGMENTS * ack.smss:
            return memory
        return replace(
            memory,
            probe_rtt_until_us=ack.now_us + BBR_PROBE_RTT_US,
            is_probe_rtt_round_done=False,
            round_ends_at_bytes=ack.delivered_total,
        )
    is_round_done = memory.is_probe_rtt_round_done or memory.is_round_start
    if is_round_done and ack.now_us > memory.probe_rtt_until_us:
        memory = replace(memory, rtprop_at_us=ack.now_us, is_rtprop_expired=False)
        if memory.is_pipe_filled:
            return _cruising(memory, ack)
        return replace(memory, mode=STARTUP, pacing_gain=BBR_HIGH_GAIN, cwnd_gain=BBR_HIGH_GAIN)
    return replace(memory, is_probe_rtt_round_done=is_round_done)
