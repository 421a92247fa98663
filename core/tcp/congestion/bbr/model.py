"""BBR's model of the path: from each ACK's samples to rounds, BtlBw, RTprop, and whether the pipe is full.

Source: draft-cardwell-iccrg-bbr-congestion-control-00 4.1, 4.3.2.2.
"""

import msgspec

from gossamer.core.tcp.congestion.bbr.memory import UNKNOWN_US, Memory, with_sample
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.parameters import (
    BBR_FULL_GROWTH,
    BBR_FULL_ROUNDS,
    BBR_RTPROP_WINDOW_US,
    CLOCK_GRANULARITY_US,
)

replace = msgspec.structs.replace


def updated(memory: Memory, ack: Ack) -> Memory:
    """The model after an ACK."""
    return _with_rtprop(_with_full_pipe(_with_rate(_in_round(memory, ack), ack), ack), ack)


def _in_round(memory: Memory, ack: Ack) -> Memory:
    """4.1.1.3: a round is over when something is acknowledged that was sent after it began."""
    if ack.rate is None or ack.rate.prior_bytes < memory.round_ends_at_bytes:
        return replace(memory, is_round_start=False) if memory.is_round_start else memory
    return replace(
        memory,
        round_ends_at_bytes=ack.delivered_total,
        round_count=memory.round_count + 1,
        is_round_start=True,
    )


def is_held_back(memory: Memory, ack: Ack) -> bool:
    """Whether the sample says how fast was sent, not how fast could be delivered."""
    assert ack.rate is not None
    return ack.rate.is_app_limited or ack.rate.prior_bytes < memory.ignored_to_bytes


def _with_rate(memory: Memory, ack: Ack) -> Memory:
    """4.1.1.4: "if (rs.delivery_rate >= BBR.BtlBw || ! rs.is_app_limited)" the sample counts."""
    sample = ack.rate
    # draft-cheng-iccrg-delivery-rate-estimation-00 3.3: an interval below the least round trip is no
    # measurement.
    least_us = 1 if memory.rtprop_us == UNKNOWN_US else max(memory.rtprop_us, 1)
    if sample is None or sample.interval_us < least_us:
        return memory
    rate = sample.bytes_per_second
    if rate < memory.rate and is_held_back(memory, ack):
        return memory
    rates = with_sample(memory.rates, memory.round_count, rate)
    return memory if rates is memory.rates else replace(memory, rates=rates)


def _with_full_pipe(memory: Memory, ack: Ack) -> Memory:
    """4.3.2.2: three rounds in which the rate did not grow by a quarter."""
    if memory.is_pipe_filled or not memory.is_round_start or is_held_back(memory, ack):
        return memory
    if memory.rate >= memory.full_rate * BBR_FULL_GROWTH:
        return replace(memory, full_rate=memory.rate, full_rounds=0)
    rounds = memory.full_rounds + 1
    return replace(memory, full_rounds=rounds, is_pipe_filled=rounds >= BBR_FULL_ROUNDS)


def _with_rtprop(memory: Memory, ack: Ack) -> Memory:
    """4.1.2.3: the smallest round trip of ten seconds."""
    is_expired = ack.now_us > memory.rtprop_at_us + BBR_RTPROP_WINDOW_US and memory.rtprop_at_us > 0
    r_us = measured_us(ack)
    if r_us >= 0 and (r_us <= memory.rtprop_us or is_expired):
        return replace(memory, rtprop_us=max(r_us, 1), rtprop_at_us=ack.now_us, is_rtprop_expired=is_expired)
    return memory if memory.is_rtprop_expired == is_expired else replace(memory, is_rtprop_expired=is_expired)


def measured_us(ack: Ack) -> int:
    """The round trip that an ACK shows, -1 when it shows none. Timestamps give it in milliseconds, rounded
    down: their minimum would be too small."""
    if ack.rate is not None and ack.rate.round_trip_us >= 0:
        return ack.rate.round_trip_us
    return ack.r_us + CLOCK_GRANULARITY_US if ack.r_us >= 0 else -1
