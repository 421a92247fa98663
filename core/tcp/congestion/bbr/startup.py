"""Startup and Drain: when the pipe is full, and when the queue that this made is gone.

Source: draft-ietf-ccwg-bbr-06 5.3.1, 5.3.2.
"""

import msgspec

from gossamer.core.tcp.congestion.bbr.cycle import down
from gossamer.core.tcp.congestion.bbr.inflight import bdp_bytes, inflight_bytes
from gossamer.core.tcp.congestion.bbr.long_term import is_too_high
from gossamer.core.tcp.congestion.bbr.memory import Memory, Mode
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import BBR_DRAIN_ROUNDS, BBR_STARTUP_LOSSES

replace = msgspec.structs.replace


def moved(memory: Memory, congestion: Congestion, ack: Ack) -> Memory:
    """CheckStartupDone and CheckDrainDone."""
    if memory.mode is Mode.STARTUP:
        if _is_loss_high(memory, ack):
            memory = bounded(memory)
        if memory.bandwidth.is_full_reached:
            memory = replace(memory, mode=Mode.DRAIN, drain_from_round=memory.rounds.count)
    if memory.mode is Mode.DRAIN and (
        ack.pipe_bytes <= inflight_bytes(memory, congestion, ack.smss, memory.bw)
        or memory.rounds.count > memory.drain_from_round + BBR_DRAIN_ROUNDS
    ):
        memory = down(memory, ack.now_us)
    return memory


def _is_loss_high(memory: Memory, ack: Ack) -> bool:
    """CheckStartupHighLoss: a whole round of fast recovery with six losses, and more than 2 % lost; without
    SACK any loss. Source: 5.3.1.3. An ACK that shows loss counts as one lost range."""
    losses = memory.short_term.losses
    if not ack.is_recovering or not losses or ack.rate is None:
        return False
    if not ack.has_sack:
        return True
    return (
        memory.short_term.is_round_start
        and losses >= BBR_STARTUP_LOSSES
        and is_too_high(ack.rate.lost_bytes, ack.rate.in_flight_bytes, has_sack=True)
    )


def bounded(memory: Memory) -> Memory:
    """What a loss makes of Startup: the pipe is full, with what was delivered in a round trip."""
    return replace(
        memory,
        undo_mode=int(Mode.STARTUP),
        bandwidth=replace(memory.bandwidth, is_full_reached=True),
        inflight_longterm=max(bdp_bytes(memory, memory.bw), memory.short_term.inflight_latest_bytes),
    )
