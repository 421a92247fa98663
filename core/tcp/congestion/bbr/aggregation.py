"""How far ACKs come in bursts: how much more they acknowledge at once than the rate explains. cwnd has room
for it, so that sending goes on in between.

Source: draft-ietf-ccwg-bbr-06 5.5.9.
"""

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.tcp.congestion.bbr.memory import Memory, Samples
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import BBR_EXTRA_ACKED_ROUNDS

replace = msgspec.structs.replace


def with_sample(samples: Samples, count: int, octets: int, window: int) -> Samples:
    """A maximum filter with one more sample: what is smaller and older can never be the maximum again.

    Bounds: a sample a round at most, so `window`.
    """
    if samples and samples[-1][0] == count and samples[-1][1] >= octets:
        return samples
    kept = tuple(each for each in samples if each[1] > octets and count - each[0] < window)
    return (*kept, (count, octets))


def estimated(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """UpdateACKAggregation."""
    aggregation = memory.aggregation
    expected = memory.bw * (ack.now_us - aggregation.since_us) // SECOND_US
    delivered, since_us = aggregation.delivered_bytes, aggregation.since_us
    if delivered <= expected:
        delivered, since_us, expected = 0, ack.now_us, 0
    delivered += ack.delivered_bytes
    # Until the pipe is full one round is remembered.
    window = BBR_EXTRA_ACKED_ROUNDS if memory.bandwidth.is_full_reached else 1
    extra = min(delivered - expected, congestion.cwnd)
    extras = with_sample(aggregation.extras, memory.rounds.count, extra, window)
    aggregation = replace(aggregation, extras=extras, since_us=since_us, delivered_bytes=delivered)
    return replace(memory, aggregation=aggregation)
