"""How long the path is: the least round trip of ten seconds; and ProbeRTT, which keeps less in flight for a
moment to see it, when it was not seen for five.

Source: draft-ietf-ccwg-bbr-06 5.3.4, 5.5.7.
"""

import msgspec

from gossamer.core.tcp.congestion.bbr import rounds
from gossamer.core.tcp.congestion.bbr.cycle import cruising, down
from gossamer.core.tcp.congestion.bbr.inflight import probe_rtt_cwnd, saved_cwnd
from gossamer.core.tcp.congestion.bbr.memory import AckPhase, Memory, Mode
from gossamer.core.tcp.congestion.bbr.short_term import forgotten
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import (
    BBR_MIN_RTT_WINDOW_US,
    BBR_PROBE_RTT_INTERVAL_US,
    BBR_PROBE_RTT_US,
    CLOCK_GRANULARITY_US,
)

replace = msgspec.structs.replace


def shown_us(ack: Ack) -> int:
    """The round trip that an ACK shows, -1 when it shows none. Timestamps give it in milliseconds, rounded
    down: their minimum would be too small."""
    if ack.rate is not None and ack.rate.round_trip_us >= 0:
        return ack.rate.round_trip_us
    return ack.r_us + CLOCK_GRANULARITY_US if ack.r_us >= 0 else -1


def measured(memory: Memory, ack: Ack) -> Memory:
    """UpdateMinRTT. Source: 5.3.4.3."""
    min_rtt, now_us, r_us = memory.min_rtt, ack.now_us, shown_us(ack)
    is_expired = min_rtt.recent_at_us > 0 and now_us > min_rtt.recent_at_us + BBR_PROBE_RTT_INTERVAL_US
    is_old = min_rtt.least_at_us > 0 and now_us > min_rtt.least_at_us + BBR_MIN_RTT_WINDOW_US
    if r_us >= 0 and (r_us < min_rtt.recent_us or is_expired):
        min_rtt = replace(min_rtt, recent_us=max(r_us, 1), recent_at_us=now_us)
    if min_rtt.recent_us < min_rtt.least_us or is_old:
        min_rtt = replace(min_rtt, least_us=min_rtt.recent_us, least_at_us=min_rtt.recent_at_us)
    if min_rtt.is_expired != is_expired:
        min_rtt = replace(min_rtt, is_expired=is_expired)
    return memory if min_rtt is memory.min_rtt else replace(memory, min_rtt=min_rtt)


def probed(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """CheckProbeRTT: into it, through it, out of it. After a pause the queue is empty anyway."""
    if memory.mode is not Mode.PROBE_RTT and memory.min_rtt.is_expired and not memory.is_restarting:
        memory = _entered(memory, congestion)
    if memory.mode is Mode.PROBE_RTT:
        memory = _handled(memory, ack)
    if memory.is_restarting and ack.delivered_bytes:
        memory = replace(memory, is_restarting=False)
    return memory


def _entered(memory: Memory, congestion: Congestion) -> Memory:
    memory = replace(
        memory,
        prior_cwnd=saved_cwnd(memory, congestion),
        mode=Mode.PROBE_RTT,
        min_rtt=replace(memory.min_rtt, probe_until_us=0),
        probe=replace(memory.probe, acks=AckPhase.PROBE_STOPPING),
    )
    return rounds.begun(memory)


def _handled(memory: Memory, ack: Ack) -> Memory:
    """HandleProbeRTT: 200 ms and a round at least with little in flight."""
    min_rtt = replace(memory.min_rtt, ignored_to_bytes=ack.delivered_total + ack.pipe_bytes)
    if not min_rtt.probe_until_us:
        memory = replace(memory, min_rtt=min_rtt)
        if ack.pipe_bytes > probe_rtt_cwnd(memory, ack.smss):
            return memory
        min_rtt = replace(min_rtt, probe_until_us=ack.now_us + BBR_PROBE_RTT_US, is_probe_round_done=False)
        return rounds.begun(replace(memory, min_rtt=min_rtt))
    is_done = min_rtt.is_probe_round_done or memory.rounds.is_start
    if is_done and ack.now_us > min_rtt.probe_until_us:
        return _left(replace(memory, min_rtt=replace(min_rtt, recent_at_us=ack.now_us)), ack)
    return replace(memory, min_rtt=replace(min_rtt, is_probe_round_done=is_done))


def _left(memory: Memory, ack: Ack) -> Memory:
    """ExitProbeRTT. Source: 5.3.4.4: what is in flight is low already, so it cruises at once."""
    memory = forgotten(memory)
    if memory.bandwidth.is_full_reached:
        return cruising(down(memory, ack.now_us))
    return replace(memory, mode=Mode.STARTUP)
