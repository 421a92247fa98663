"""How fast the path delivers: max_bw, the best sample of two cycles of ProbeBW; and whether sending faster
makes it faster still.

Source: draft-ietf-ccwg-bbr-06 5.5.2 to 5.5.6, 5.3.1.2.
"""

import msgspec

from gossamer.core.tcp.congestion.bbr.memory import UNKNOWN_US, Memory
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.constants import BBR_FULL_GROWTH, BBR_FULL_ROUNDS

replace = msgspec.structs.replace


def sample(memory: Memory, ack: Ack) -> int:
    """RS.delivery_rate, bytes a second; 0 when there is none.

    Source: 4.1.2.3: what took less than the least round trip is no measurement.
    """
    if ack.rate is None:
        return 0
    least_us = 1 if memory.min_rtt.least_us == UNKNOWN_US else memory.min_rtt.least_us
    return ack.rate.bytes_per_second if ack.rate.interval_us >= least_us else 0


def is_held_back(memory: Memory, ack: Ack) -> bool:
    """Whether the sample says how fast was sent, not how fast could be delivered: data was short, or ProbeRTT
    kept it back (MarkConnectionAppLimited)."""
    assert ack.rate is not None
    return ack.rate.is_app_limited or ack.rate.prior_bytes < memory.min_rtt.ignored_to_bytes


def measured(memory: Memory, ack: Ack, rate: int) -> Memory:
    """UpdateMaxBw. Source: 5.5.4: a sample that was held back counts only when it is the best."""
    if rate <= memory.bandwidth.cycle_max or (rate < memory.max_bw and is_held_back(memory, ack)):
        return memory
    return replace(memory, bandwidth=replace(memory.bandwidth, cycle_max=rate))


def advanced(memory: Memory) -> Memory:
    """AdvanceMaxBwFilter: a cycle is over. One without a sample forgets nothing."""
    bandwidth = memory.bandwidth
    if not bandwidth.cycle_max:
        return memory
    return replace(memory, bandwidth=replace(bandwidth, cycle_max=0, previous_max=bandwidth.cycle_max))


def sought(memory: Memory, rate: int) -> Memory:
    """ResetFullBW: whether the pipe is full is asked anew, from this rate on."""
    bandwidth = replace(memory.bandwidth, full=rate, full_rounds=0, is_full_now=False)
    return replace(memory, bandwidth=bandwidth)


def filled(memory: Memory, ack: Ack, rate: int) -> Memory:
    """CheckFullBWReached: three rounds in which the rate did not grow by a quarter. Source: 5.3.1.2."""
    bandwidth = memory.bandwidth
    if bandwidth.is_full_now or not rate or not memory.rounds.is_start or is_held_back(memory, ack):
        return memory
    if rate >= bandwidth.full * BBR_FULL_GROWTH:
        return sought(memory, rate)
    rounds = bandwidth.full_rounds + 1
    is_full = rounds >= BBR_FULL_ROUNDS
    bandwidth = replace(
        bandwidth,
        full_rounds=rounds,
        is_full_now=is_full,
        is_full_reached=bandwidth.is_full_reached or is_full,
    )
    return replace(memory, bandwidth=bandwidth)
