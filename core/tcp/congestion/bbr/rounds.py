"""BBR's round trips: one is over when something is acknowledged that was sent after it began.

Source: draft-ietf-ccwg-bbr-06 5.5.1; 2.2 (C.is_cwnd_limited).
"""

import msgspec

from gossamer.core.tcp.congestion.bbr.memory import Memory
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.record import Congestion

replace = msgspec.structs.replace


def counted(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """UpdateRound, and whether cwnd was used up before this ACK."""
    rounds, delivered = memory.rounds, ack.delivered_total
    is_limited = ack.pipe_bytes + ack.delivered_bytes + ack.lost_bytes + ack.smss > congestion.cwnd
    if ack.rate is None or ack.rate.prior_bytes < rounds.ends_at_bytes:
        is_limited = is_limited or rounds.is_cwnd_limited
        rounds = replace(rounds, is_start=False, delivered_bytes=delivered, is_cwnd_limited=is_limited)
        return replace(memory, rounds=rounds)
    rounds = replace(
        rounds,
        count=rounds.count + 1,
        ends_at_bytes=delivered,
        is_start=True,
        delivered_bytes=delivered,
        is_cwnd_limited=is_limited,
        was_cwnd_limited=rounds.is_cwnd_limited,
    )
    probe = replace(memory.probe, rounds_since_up=memory.probe.rounds_since_up + 1)
    return replace(memory, rounds=rounds, probe=probe)


def begun(memory: Memory) -> Memory:
    """StartRound: from now on."""
    rounds = replace(memory.rounds, ends_at_bytes=memory.rounds.delivered_bytes)
    return replace(memory, rounds=rounds)


def is_cwnd_limited(memory: Memory) -> bool:
    """Whether cwnd was used up at any time of the last round trip."""
    return memory.rounds.is_cwnd_limited or memory.rounds.was_cwnd_limited
