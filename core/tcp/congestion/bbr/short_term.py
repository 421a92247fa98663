"""The short-term model: what the last round trip delivered, and the bounds that loss sets to it while
bandwidth is not probed. It is forgotten before the next probe.

Source: draft-ietf-ccwg-bbr-06 5.5.10.3.
"""

import msgspec

from gossamer.core.tcp.congestion.bbr.memory import UNBOUNDED, Memory, ShortTerm
from gossamer.core.tcp.congestion.control import Ack
from gossamer.core.tcp.congestion.record import Congestion
from gossamer.core.tcp.constants import BBR_BETA

replace = msgspec.structs.replace


def noted(memory: Memory, delivered_total: int) -> Memory:
    """NoteLoss: the round in which it is answered begins with the first."""
    short = memory.short_term
    ends = short.round_ends_at_bytes if short.is_loss_in_round else delivered_total
    short = replace(short, round_ends_at_bytes=ends, is_loss_in_round=True, losses=short.losses + 1)
    return replace(memory, short_term=short)


def latest(memory: Memory, ack: Ack, rate: int) -> Memory:
    """UpdateLatestDeliverySignals."""
    short = memory.short_term
    if ack.rate is None:
        return replace(memory, short_term=replace(short, is_round_start=False))
    is_start = ack.rate.prior_bytes >= short.round_ends_at_bytes
    short = replace(
        short,
        bw_latest=max(short.bw_latest, rate),
        inflight_latest_bytes=max(short.inflight_latest_bytes, ack.rate.delivered_bytes),
        is_round_start=is_start,
        round_ends_at_bytes=ack.delivered_total if is_start else short.round_ends_at_bytes,
    )
    return replace(memory, short_term=short)


def adapted(memory: Memory, congestion: Congestion) -> Memory:
    """UpdateCongestionSignals: once a round, at its end. While bandwidth is probed it is not this moment's
    bounds that loss speaks of."""
    short = memory.short_term
    if not (short.is_round_start and short.is_loss_in_round):
        return memory
    if not memory.is_probing_bandwidth:
        short = _lowered(short, memory.max_bw, congestion.cwnd)
    return replace(memory, short_term=replace(short, is_loss_in_round=False))


def _lowered(short: ShortTerm, max_bw: int, cwnd: int) -> ShortTerm:
    """InitLowerBounds and LossLowerBounds: down to what was delivered, by at most three tenths."""
    bw = max_bw if short.bw == UNBOUNDED else short.bw
    octets = cwnd if short.inflight_bytes == UNBOUNDED else short.inflight_bytes
    return replace(
        short,
        bw=max(short.bw_latest, int(bw * BBR_BETA)),
        inflight_bytes=max(short.inflight_latest_bytes, int(octets * BBR_BETA)),
    )


def advanced(memory: Memory, ack: Ack, rate: int) -> Memory:
    """AdvanceLatestDeliverySignals: after a round that has ended, this sample is the first of the next."""
    short = memory.short_term
    if not short.is_round_start or ack.rate is None:
        return memory
    short = replace(short, bw_latest=rate, inflight_latest_bytes=ack.rate.delivered_bytes, losses=0)
    return replace(memory, short_term=short)


def calmed(memory: Memory) -> Memory:
    """ResetCongestionSignals."""
    short = replace(memory.short_term, is_loss_in_round=False, bw_latest=0, inflight_latest_bytes=0)
    return replace(memory, short_term=short)


def forgotten(memory: Memory) -> Memory:
    """ResetShortTermModel."""
    return replace(memory, short_term=replace(memory.short_term, bw=UNBOUNDED, inflight_bytes=UNBOUNDED))
