"""What BBR remembers.

Source: draft-cardwell-iccrg-bbr-congestion-control-00 2 (the variables), 4.1.1.5 (the maximum filter).
"""

from enum import IntEnum
from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.tcp.parameters import BBR_HIGH_GAIN, BBR_RATE_ROUNDS

UNKNOWN_US: Final = NEVER_US
"""RTprop before there is any."""

Samples = tuple[tuple[int, int], ...]
"""(round, bytes a second), both ascending towards the end and the begin: the first is the maximum."""


class Mode(IntEnum):
    """What BBR is doing. Source: 3.4."""

    STARTUP = 1
    """Double the rate each round, until the pipe is full."""
    DRAIN = 2
    """Empty the queue that this has made."""
    PROBE_BW = 3
    """Cruise, and look for more now and then."""
    PROBE_RTT = 4
    """Let the pipe run nearly empty, to see how long it is."""


class Memory(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The model of the path, and where BBR is in using it."""

    initial_cwnd: int = 0
    mode: Mode = Mode.STARTUP
    pacing_gain: float = BBR_HIGH_GAIN
    cwnd_gain: float = BBR_HIGH_GAIN
    round_count: int = 0
    round_ends_at_bytes: int = 0
    """next_round_delivered: an ACK of what was sent after so much was delivered ends the round."""
    is_round_start: bool = False
    rates: Samples = ()
    """The maximum filter behind BtlBw."""
    rtprop_us: int = UNKNOWN_US
    rtprop_at_us: int = 0
    """rtprop_stamp."""
    is_rtprop_expired: bool = False
    full_rate: int = 0
    """full_bw: the best rate when it last grew by a quarter."""
    full_rounds: int = 0
    """Rounds since then."""
    is_pipe_filled: bool = False
    cycle_index: int = 0
    cycle_at_us: int = 0
    """cycle_stamp."""
    probe_rtt_until_us: int = 0
    """probe_rtt_done_stamp; 0 before the pipe has run empty."""
    is_probe_rtt_round_done: bool = False
    ignored_to_bytes: int = 0
    """Samples of what was sent before so much was delivered say nothing of the rate: ProbeRTT held it
    back."""
    prior_cwnd: int = 0
    """cwnd before loss recovery or ProbeRTT; 0 outside of both."""
    is_recovering: bool = False
    is_conserving: bool = False
    """packet_conservation: in the first round of fast recovery one octet leaves for each delivered."""
    held_to_bytes: int = 0
    """After a congestion mark cwnd does not grow before so much is delivered; -1: the mark has just come."""
    is_restarting: bool = False
    """idle_restart."""

    @property
    def rate(self) -> int:
        """BtlBw, bytes a second; 0 before any sample."""
        return self.rates[0][1] if self.rates else 0


def with_sample(samples: Samples, round_count: int, rate: int) -> Samples:
    """The filter with one more sample: what is smaller and older can never be the maximum again.

    Bounds: a sample a round at most, so BBR_RATE_ROUNDS.
    """
    if samples and samples[-1][0] == round_count and samples[-1][1] >= rate:
        return samples
    kept = tuple(
        sample for sample in samples if sample[1] > rate and round_count - sample[0] < BBR_RATE_ROUNDS
    )
    return (*kept, (round_count, rate))
