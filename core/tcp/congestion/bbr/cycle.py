"""The phases of ProbeBW: what entering each of them does.

    DOWN -> CRUISE -> REFILL -> UP -> DOWN; `probe_bw` says when

Source: draft-ietf-ccwg-bbr-06 5.3.3.9, 5.3.3.8.
"""

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.tcp.congestion.bbr import bandwidth, rounds, short_term
from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, AckPhase, Memory, Mode
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import BBR_PROBE_UP_ROUNDS_MAX, BBR_PROBE_WAIT_US

replace = msgspec.structs.replace


def down(memory: Memory, now_us: int) -> Memory:
    """StartProbeBW_DOWN, and PickProbeWait: the next probe comes after two to three seconds, or after the
    rounds that Reno would take, less one by chance. The time of the clock is chance enough."""
    chance = ((now_us & 0xFFFF_FFFF) * 0x9E37_79B1 & 0xFFFF_FFFF) >> 11
    probe = replace(
        memory.probe,
        up_acked_per_segment=UNBOUNDED,
        rounds_since_up=chance & 1,
        wait_us=BBR_PROBE_WAIT_US + (chance * SECOND_US >> 21),
        cycle_at_us=now_us,
        acks=AckPhase.PROBE_STOPPING,
    )
    memory = short_term.calmed(replace(memory, probe=probe, mode=Mode.PROBE_BW_DOWN))
    return rounds.begun(memory)


def cruising(memory: Memory) -> Memory:
    """StartProbeBW_CRUISE."""
    return replace(memory, mode=Mode.PROBE_BW_CRUISE)


def refilling(memory: Memory) -> Memory:
    """StartProbeBW_REFILL."""
    probe = replace(
        memory.probe,
        up_rounds=0,
        up_acked_bytes=0,
        was_precautionary=False,
        acks=AckPhase.REFILLING,
    )
    memory = short_term.forgotten(replace(memory, probe=probe, mode=Mode.PROBE_BW_REFILL))
    return rounds.begun(memory)


def up(memory: Memory, congestion: Congestion, smss: int, rate: int) -> Memory:
    """StartProbeBW_UP."""
    probe = replace(memory.probe, is_sample=True, acks=AckPhase.PROBE_STARTING)
    memory = bandwidth.sought(replace(memory, probe=probe, mode=Mode.PROBE_BW_UP), rate)
    return steeper(rounds.begun(memory), congestion, smss)


def steeper(memory: Memory, congestion: Congestion, smss: int) -> Memory:
    """RaiseInflightLongtermSlope: inflight_longterm grows by one segment in the first round, two in the next,
    and so on."""
    up_rounds = memory.probe.up_rounds
    probe = replace(
        memory.probe,
        up_rounds=min(up_rounds + 1, BBR_PROBE_UP_ROUNDS_MAX),
        up_acked_per_segment=max(congestion.cwnd >> up_rounds, smss),
    )
    return replace(memory, probe=probe)
