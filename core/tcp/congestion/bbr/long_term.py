"""The long-term model: inflight_longterm, how much in flight lost too much when bandwidth was probed. It is
lowered once a probe, and raised while more goes well.

Source: draft-ietf-ccwg-bbr-06 5.5.10.2, 5.3.3.9.
"""

import msgspec

from gossamer.core.tcp.congestion.bbr import bandwidth, cycle, rounds
from gossamer.core.tcp.congestion.bbr.inflight import target_bytes
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, AckPhase, Memory, Mode
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import BBR_BETA, BBR_LOSS_THRESHOLD

replace = msgspec.structs.replace


def is_too_high(lost_bytes: int, in_flight_bytes: int, has_sack: bool) -> bool:
    """IsInflightTooHigh: more than 2 % of what was in flight. Without SACK no more than one loss a round trip
    can be seen, and that is too much."""
    return lost_bytes > in_flight_bytes * BBR_LOSS_THRESHOLD or (lost_bytes > 0 and not has_sack)


def lost(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """HandleLostPacket, once for what an ACK shows to be lost: what stands in `Ack.lost` is the last of
    it."""
    run = ack.lost
    if run is None or not memory.probe.is_sample:
        return memory
    if not is_too_high(run.lost_bytes, run.in_flight_bytes, ack.has_sack):
        return memory
    octets = _at_loss(run.in_flight_bytes, run.lost_bytes, ack.lost_bytes)
    return lowered(memory, congestion, octets, ack.now_us, is_app_limited=run.is_app_limited)


def _at_loss(in_flight_bytes: int, lost_bytes: int, size: int) -> int:
    """InflightAtLoss: with how much in flight the loss passed the threshold, somewhere in the last `size`
    octets."""
    before, lost_before = max(in_flight_bytes - size, 0), max(lost_bytes - size, 0)
    prefix = (BBR_LOSS_THRESHOLD * before - lost_before) / (1 - BBR_LOSS_THRESHOLD)
    return before + max(int(prefix), 0)


def lowered(
    memory: Memory, congestion: Congestion, in_flight_bytes: int, now_us: int, is_app_limited: bool
) -> Memory:
    """HandleInflightTooHigh: by at most three tenths, and no more in this probe."""
    memory = replace(memory, probe=replace(memory.probe, was_too_high=True, is_sample=False))
    if not is_app_limited:
        least = int(target_bytes(memory, congestion) * BBR_BETA)
        memory = replace(memory, inflight_longterm=max(in_flight_bytes, least))
    if memory.mode is Mode.PROBE_BW_UP:
        memory = cycle.down(replace(memory, undo_mode=int(Mode.PROBE_BW_UP)), now_us)
    return memory


def adapted(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """AdaptLongTermModel; where it begins the next probe at once, the mode of the answer is REFILL."""
    if memory.rounds.is_start and memory.probe.acks is AckPhase.PROBE_STARTING:
        memory = replace(memory, probe=replace(memory.probe, acks=AckPhase.PROBE_FEEDBACK))
    elif memory.rounds.is_start and memory.probe.acks is AckPhase.PROBE_STOPPING:
        memory = _over(memory, ack)
        if memory.probe.acks is AckPhase.REFILLING:
            return memory
    return _raised(memory, congestion, ack)


def _over(memory: Memory, ack: Ack) -> Memory:
    """A round after the probe, when the last of its ACKs have come."""
    probe = replace(memory.probe, is_sample=False, acks=AckPhase.INIT)
    memory = replace(memory, probe=probe)
    if not memory.is_in_probe_bw:
        return memory
    if ack.rate is not None and not ack.rate.is_app_limited:
        memory = bandwidth.advanced(memory)
    # 5.3.3.6: a probe that went no farther than the last one's loss, and saw none, is followed by a real one.
    if probe.was_precautionary and not probe.was_too_high:
        return cycle.refilling(memory)
    return memory


def _raised(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    rate = ack.rate
    if rate is None or memory.inflight_longterm == UNBOUNDED:
        return memory
    if is_too_high(rate.lost_bytes, rate.in_flight_bytes, ack.has_sack):
        return memory
    if rate.in_flight_bytes > memory.inflight_longterm:
        memory = replace(memory, inflight_longterm=rate.in_flight_bytes)
    return _upward(memory, congestion, ack) if memory.mode is Mode.PROBE_BW_UP else memory


def _upward(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """ProbeInflightLongtermUpward."""
    if not rounds.is_cwnd_limited(memory) or congestion.cwnd < memory.inflight_longterm:
        return memory
    probe = memory.probe
    segments, rest = divmod(probe.up_acked_bytes + ack.delivered_bytes, probe.up_acked_per_segment)
    memory = replace(
        memory,
        probe=replace(probe, up_acked_bytes=rest),
        inflight_longterm=memory.inflight_longterm + segments * ack.smss,
    )
    return cycle.steeper(memory, congestion, ack.smss) if memory.rounds.is_start else memory
