"""What BBR remembers: one record for each part of its model.

Source: draft-ietf-ccwg-bbr-06 2 (the variables).
"""

from enum import IntEnum
from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US

UNKNOWN_US: Final = NEVER_US
"""min_rtt before there is any."""

UNBOUNDED: Final = 1 << 61
"""Infinity, of bytes and of bytes a second: a bound that is not set."""

Samples = tuple[tuple[int, int], ...]
"""(round, bytes), both ascending towards the end and the begin: the first is the maximum."""


class Mode(IntEnum):
    """What BBR is doing. Source: 5.1.1."""

    STARTUP = 1
    """Double the rate each round, until the pipe is full."""
    DRAIN = 2
    """Empty the queue that this has made."""
    PROBE_BW_DOWN = 3
    """Send less than is delivered, so that queues and others find room."""
    PROBE_BW_CRUISE = 4
    """Send what is delivered."""
    PROBE_BW_REFILL = 5
    """Fill the pipe for a round trip, before more is tried."""
    PROBE_BW_UP = 6
    """Send more than is delivered, to see whether there is more."""
    PROBE_RTT = 7
    """Let the pipe run half empty, to see how long it is."""


class AckPhase(IntEnum):
    """What ACKs tell of probing for bandwidth. Source: 2.14."""

    INIT = 1
    REFILLING = 2
    PROBE_STARTING = 3
    PROBE_FEEDBACK = 4
    PROBE_STOPPING = 5


class RoundCount(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Round trips, counted by what is acknowledged (`rounds`)."""

    count: int = 0
    ends_at_bytes: int = 0
    """next_round_delivered: an ACK of what was sent after so much was delivered ends the round."""
    is_start: bool = False
    delivered_bytes: int = 0
    """C.delivered."""
    is_cwnd_limited: bool = False
    """Whether cwnd was used up in this round."""
    was_cwnd_limited: bool = False
    """Whether it was in the round before."""


class Bandwidth(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How fast the path delivers, bytes a second (`bandwidth`)."""

    cycle_max: int = 0
    """The best sample of this cycle of ProbeBW."""
    previous_max: int = 0
    """The best of the cycle before."""
    full: int = 0
    """full_bw: the best sample when they last grew by a quarter."""
    full_rounds: int = 0
    """full_bw_count: rounds since then."""
    is_full_now: bool = False
    is_full_reached: bool = False


class MinRtt(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How long the path is, and when that is to be looked at again (`min_rtt`)."""

    least_us: int = UNKNOWN_US
    """min_rtt: of ten seconds."""
    least_at_us: int = 0
    recent_us: int = UNKNOWN_US
    """probe_rtt_min_delay: of five seconds."""
    recent_at_us: int = 0
    is_expired: bool = False
    """probe_rtt_expired."""
    probe_until_us: int = 0
    """probe_rtt_done_stamp; 0 before the pipe has run empty."""
    is_probe_round_done: bool = False
    ignored_to_bytes: int = 0
    """Samples of what was sent before so much was delivered say nothing of the rate: ProbeRTT held it
    back."""


class Aggregation(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How much more is acknowledged at once than the rate explains (`aggregation`)."""

    extras: Samples = ()
    """extra_acked_filter."""
    since_us: int = 0
    delivered_bytes: int = 0
    """Since then."""

    @property
    def extra_bytes(self) -> int:
        """extra_acked."""
        return self.extras[0][1] if self.extras else 0


class ShortTerm(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What the last round trips say of loss, and the bounds that follow from it (`short_term`)."""

    bw: int = UNBOUNDED
    """bw_shortterm."""
    inflight_bytes: int = UNBOUNDED
    """inflight_shortterm."""
    bw_latest: int = 0
    """The best sample of a round trip."""
    inflight_latest_bytes: int = 0
    """The most that was delivered between sending and acknowledging in a round trip."""
    round_ends_at_bytes: int = 0
    """loss_round_delivered."""
    is_round_start: bool = False
    is_loss_in_round: bool = False
    losses: int = 0
    """ACKs of this round that showed a loss."""


class Probe(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Probing for bandwidth (`cycle`, `long_term`, `probe_bw`)."""

    acks: AckPhase = AckPhase.INIT
    """ack_phase."""
    is_sample: bool = False
    """is_bw_probe_sample: ACKs are of what was sent to probe, and have not yet shown too much loss."""
    up_acked_bytes: int = 0
    """bw_probe_up_acked: since inflight_longterm last grew."""
    up_acked_per_segment: int = UNBOUNDED
    """probe_up_acked_per_inc: with so much acknowledged it grows by a segment."""
    up_rounds: int = 0
    """bw_probe_up_rounds."""
    rounds_since_up: int = 0
    wait_us: int = 0
    """bw_probe_wait."""
    cycle_at_us: int = 0
    """cycle_stamp."""
    was_too_high: bool = False
    """prev_probe_too_high."""
    was_precautionary: bool = False
    """prev_probe_precautionary."""


class Memory(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The model of the path, and where BBR is in using it."""

    initial_cwnd: int = 0
    mode: Mode = Mode.STARTUP
    rounds: RoundCount = RoundCount()
    bandwidth: Bandwidth = Bandwidth()
    min_rtt: MinRtt = MinRtt()
    aggregation: Aggregation = Aggregation()
    short_term: ShortTerm = ShortTerm()
    probe: Probe = Probe()
    inflight_longterm: int = UNBOUNDED
    """The most that may be in flight without too much loss, as probing has shown."""
    drain_from_round: int = 0
    """drain_start_round."""
    prior_cwnd: int = 0
    """cwnd before loss recovery or ProbeRTT."""
    is_recovering: bool = False
    undo_mode: int = 0
    """undo_state: the mode that a loss has ended, to go back to when nothing was lost; 0 when it ended
    none."""
    is_restarting: bool = False
    """idle_restart."""

    @property
    def max_bw(self) -> int:
        """Bytes a second; 0 before any sample."""
        return max(self.bandwidth.cycle_max, self.bandwidth.previous_max)

    @property
    def bw(self) -> int:
        """BoundBWForModel: what it is thought to be right to send now. Source: 5.5.10.3."""
        return min(self.max_bw, self.short_term.bw)

    @property
    def is_probing_bandwidth(self) -> bool:
        """IsProbingBW. Source: 5.3.3.9."""
        return self.mode in (Mode.STARTUP, Mode.PROBE_BW_REFILL, Mode.PROBE_BW_UP)

    @property
    def is_in_probe_bw(self) -> bool:
        """IsInAProbeBWState."""
        return Mode.PROBE_BW_DOWN <= self.mode <= Mode.PROBE_BW_UP
