"""How much may be in flight: bandwidth-delay products, the room beside them, and cwnd.

Source: draft-ietf-ccwg-bbr-06 5.6.4, 5.6.1 (the gains).
"""

from gossamer.core.clock import SECOND_US
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, UNKNOWN_US, Memory, Mode
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import (
    BBR_CWND_GAIN,
    BBR_CWND_GAIN_UP,
    BBR_HEADROOM,
    BBR_MIN_SEGMENTS,
    BBR_OFFLOAD_QUANTA,
    BBR_PROBE_RTT_CWND_GAIN,
)
from gossamer.core.tcp.pacing import quantum_bytes


def bdp_bytes(memory: Memory, bw: int, gain: float = 1.0) -> int:
    """BDPMultiple."""
    if memory.min_rtt.least_us == UNKNOWN_US or not bw:
        return memory.initial_cwnd
    return int(gain * bw * memory.min_rtt.least_us / SECOND_US)


def _with_budget(memory: Memory, congestion: Congestion, smss: int, octets: int) -> int:
    """QuantizationBudget: never less than what hosts send and acknowledge at once."""
    quantum = quantum_bytes(congestion.pacing_rate, smss)
    octets = max(octets, BBR_OFFLOAD_QUANTA * quantum, BBR_MIN_SEGMENTS * smss)
    return octets + 2 * smss if memory.mode is Mode.PROBE_BW_UP else octets


def inflight_bytes(memory: Memory, congestion: Congestion, smss: int, bw: int) -> int:
    """Inflight(1.0): what fills the path and no queue."""
    return _with_budget(memory, congestion, smss, bdp_bytes(memory, bw))


def target_bytes(memory: Memory, congestion: Congestion) -> int:
    """TargetInflight. Source: 5.3.3.8.3."""
    return min(bdp_bytes(memory, memory.bw), congestion.cwnd)


def headroom_bytes(memory: Memory, smss: int) -> int:
    """InflightWithHeadroom: inflight_longterm, less what is left to others. Source: 5.3.3.9."""
    most = memory.inflight_longterm
    if most == UNBOUNDED:
        return UNBOUNDED
    return max(most - max(smss, int(most * BBR_HEADROOM)), BBR_MIN_SEGMENTS * smss)


def probe_rtt_cwnd(memory: Memory, smss: int) -> int:
    """ProbeRTTCwnd."""
    return max(bdp_bytes(memory, memory.bw, BBR_PROBE_RTT_CWND_GAIN), BBR_MIN_SEGMENTS * smss)


def saved_cwnd(memory: Memory, congestion: Congestion) -> int:
    """SaveCwnd: the last cwnd that neither loss recovery nor ProbeRTT held down. Source: 5.6.4.4."""
    if not memory.is_recovering and memory.mode is not Mode.PROBE_RTT:
        return congestion.cwnd
    return max(memory.prior_cwnd, congestion.cwnd)


def next_cwnd(memory: Memory, congestion: Congestion, ack: Ack) -> int:
    """SetCwnd: towards max_inflight by what was delivered, within all bounds. Source: 5.6.4.6."""
    gain = BBR_CWND_GAIN_UP if memory.mode is Mode.PROBE_BW_UP else BBR_CWND_GAIN
    if memory.mode is Mode.PROBE_RTT:
        gain = BBR_PROBE_RTT_CWND_GAIN
    wanted = bdp_bytes(memory, memory.bw, gain) + memory.aggregation.extra_bytes
    most = _with_budget(memory, congestion, ack.smss, wanted)
    cwnd = congestion.cwnd
    if memory.bandwidth.is_full_reached:
        cwnd = min(cwnd + ack.delivered_bytes, most)
    elif cwnd < most or ack.delivered_total < memory.initial_cwnd:
        cwnd += ack.delivered_bytes
    cwnd = max(cwnd, BBR_MIN_SEGMENTS * ack.smss)
    if memory.mode is Mode.PROBE_RTT:
        cwnd = min(cwnd, probe_rtt_cwnd(memory, ack.smss))
    return min(cwnd, _bound(memory, ack.smss))


def _bound(memory: Memory, smss: int) -> int:
    """BoundCwndForModel. Source: 5.6.4.7."""
    bound = UNBOUNDED
    if memory.mode is Mode.PROBE_BW_CRUISE or memory.mode is Mode.PROBE_RTT:
        bound = headroom_bytes(memory, smss)
    elif memory.is_in_probe_bw:
        bound = memory.inflight_longterm
    return max(min(bound, memory.short_term.inflight_bytes), BBR_MIN_SEGMENTS * smss)
