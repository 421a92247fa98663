"""ProbeBW: when it goes from one phase to the next.

Source: draft-ietf-ccwg-bbr-06 5.3.3.
"""

import msgspec

from gossamer.core.tcp.congestion.bbr import bandwidth, cycle, long_term, rounds
from gossamer.core.tcp.congestion.bbr.inflight import headroom_bytes, inflight_bytes, target_bytes
from gossamer.core.tcp.congestion.bbr.memory import AckPhase, Memory, Mode
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import BBR_RENO_ROUNDS_MAX

replace = msgspec.structs.replace


def moved(memory: Memory, congestion: Congestion, ack: Ack, rate: int) -> Memory:
    """UpdateProbeBWCyclePhase."""
    if not memory.bandwidth.is_full_reached:
        return memory
    was_refilling = memory.probe.acks is AckPhase.REFILLING
    memory = long_term.adapted(memory, congestion, ack)
    if not was_refilling and memory.probe.acks is AckPhase.REFILLING:
        return memory
    mode = memory.mode
    if mode is Mode.PROBE_BW_DOWN or mode is Mode.PROBE_BW_CRUISE:
        if _is_time_to_probe(memory, congestion, ack):
            return cycle.refilling(memory)
        if mode is Mode.PROBE_BW_DOWN and _is_drained(memory, congestion, ack):
            return cycle.cruising(memory)
    elif mode is Mode.PROBE_BW_REFILL:
        if memory.rounds.is_start:
            return cycle.up(memory, congestion, ack.smss, rate)
    elif mode is Mode.PROBE_BW_UP:
        return _after_up(memory, congestion, ack, rate)
    return memory


def _is_time_to_probe(memory: Memory, congestion: Congestion, ack: Ack) -> bool:
    """IsTimeToProbeBW. Source: 5.3.3.8: after two to three seconds, or once Reno would have grown by as much
    as is in flight, so that it keeps its part where it works well."""
    probe = memory.probe
    if ack.now_us > probe.cycle_at_us + probe.wait_us:
        return True
    segments = target_bytes(memory, congestion) // ack.smss
    return probe.rounds_since_up >= min(segments, BBR_RENO_ROUNDS_MAX)


def _is_drained(memory: Memory, congestion: Congestion, ack: Ack) -> bool:
    """IsTimeToCruise: there is headroom, and no queue of ours."""
    return ack.pipe_bytes <= headroom_bytes(memory, ack.smss) and ack.pipe_bytes <= inflight_bytes(
        memory, congestion, ack.smss, memory.max_bw
    )


def _after_up(memory: Memory, congestion: Congestion, ack: Ack, rate: int) -> Memory:
    """IsTimeToGoDown. Source: 5.3.3.7."""
    probe = memory.probe
    if probe.was_too_high and ack.pipe_bytes >= memory.inflight_longterm:
        # 5.3.3.6: where the last probe lost too much, this one stops, and looks first at what comes back.
        probe = replace(probe, was_too_high=False, was_precautionary=True)
        return cycle.down(replace(memory, probe=probe), ack.now_us)
    if rounds.is_cwnd_limited(memory) and congestion.cwnd >= memory.inflight_longterm:
        # It is the bound that holds the rate down, so a rate that does not grow says nothing.
        return bandwidth.sought(memory, rate)
    if memory.bandwidth.is_full_now:
        return cycle.down(replace(memory, probe=replace(probe, was_too_high=False)), ack.now_us)
    return memory
