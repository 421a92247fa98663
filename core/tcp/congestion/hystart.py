"""HyStart++: the first slow start ends when the round-trip time rises, before a queue overflows.

Owns what is remembered of the rounds, and what each ACK says of them. A rise of the least round-trip time of
a round ends slow start for Conservative Slow Start (CSS), a quarter as fast; when the rise was jitter slow
start goes on, when it lasts CSS_ROUNDS rounds congestion avoidance begins.

It needs a round-trip time with (nearly) every ACK: by timestamps, or without them by when what is
acknowledged was sent (`core.tcp.timestamps.shown_us`).

Source: RFC 9406 4.2, 4.3.
"""

from typing import Final

import msgspec

from gossamer.core.clock import NEVER_US
from gossamer.core.seq import Seq, seq_le, seq_lt
from gossamer.core.tcp.constants import (
    CSS_GROWTH_DIVISOR,
    CSS_ROUNDS,
    HYSTART_RTT_DIVISOR,
    HYSTART_RTT_SAMPLES,
    HYSTART_RTT_THRESHOLD_MAX_US,
    HYSTART_RTT_THRESHOLD_MIN_US,
)

replace = msgspec.structs.replace

UNKNOWN_US: Final = NEVER_US
"""RFC 9406's infinity: no round-trip time was seen."""


class Rounds(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What HyStart++ remembers. Source: RFC 9406 4.2."""

    window_end: Seq
    """windowEnd: when it is acknowledged the round is over."""
    round_min_us: int = UNKNOWN_US
    """currentRoundMinRTT."""
    last_round_min_us: int = UNKNOWN_US
    """lastRoundMinRTT."""
    samples: int = 0
    """rttSampleCount."""
    baseline_us: int = UNKNOWN_US
    """cssBaselineMinRtt; UNKNOWN_US outside of CSS."""
    css_rounds: int = 0
    """Rounds that began or ended in CSS: the one in which it was entered counts."""

    @property
    def is_conservative(self) -> bool:
        """Whether this is CSS."""
        return self.baseline_us != UNKNOWN_US

    @property
    def is_over(self) -> bool:
        """RFC 9406 4.2: "If CSS_ROUNDS rounds are complete, enter congestion avoidance"."""
        return self.css_rounds >= CSS_ROUNDS

    @property
    def growth_divisor(self) -> int:
        """Of the growth of slow start."""
        return CSS_GROWTH_DIVISOR if self.is_conservative else 1


def on_ack(rounds: Rounds, snd_una: Seq, snd_nxt: Seq, r_us: int, acks: int = 1) -> Rounds:
    """After an ACK up to `snd_una` that showed the round-trip time `r_us` (-1: none).

    One that stands for `acks` that came together is so many samples: of what came at one time the latest
    sent, which is what it shows, had the smallest.
    """
    if r_us >= 0:
        least_us = min(rounds.round_min_us, r_us)
        rounds = _phase(replace(rounds, round_min_us=least_us, samples=rounds.samples + acks))
    return _next_round(rounds, snd_nxt) if seq_le(rounds.window_end, snd_una) else rounds


def on_ack_at_once(rounds: Rounds, snd_una: Seq, snd_nxt: Seq, r_us: int, acks: int = 1) -> Rounds:
    """The same as Linux's HyStart has it: an ACK beyond a round belongs to the next, and what a round is
    compared with is the least of all before."""
    if seq_lt(rounds.window_end, snd_una):
        least_us = rounds.last_round_min_us
        rounds = _next_round(rounds, snd_nxt)
        rounds = replace(rounds, last_round_min_us=min(least_us, rounds.last_round_min_us))
    if r_us < 0:
        return rounds
    least_us = min(rounds.round_min_us, r_us)
    return _phase(replace(rounds, round_min_us=least_us, samples=rounds.samples + acks))


def _phase(rounds: Rounds) -> Rounds:
    """In or out of CSS, once enough of the round was measured."""
    if rounds.samples < HYSTART_RTT_SAMPLES:
        return rounds
    if rounds.is_conservative:
        # RFC 9406 4.2: "if [...] currentRoundMinRTT < cssBaselineMinRtt", the exit was spurious: "Resume slow
        # start including HyStart++".
        if rounds.round_min_us < rounds.baseline_us:
            return replace(rounds, baseline_us=UNKNOWN_US, css_rounds=0)
        return rounds
    if rounds.last_round_min_us == UNKNOWN_US:
        return rounds
    if rounds.round_min_us >= rounds.last_round_min_us + threshold_us(rounds.last_round_min_us):
        return replace(rounds, baseline_us=rounds.round_min_us)
    return rounds


def threshold_us(last_round_min_us: int) -> int:
    """RttThresh. Source: RFC 9406 4.2: "max(MIN_RTT_THRESH, min(lastRoundMinRTT / MIN_RTT_DIVISOR,
    MAX_RTT_THRESH))"."""
    rise_us = min(last_round_min_us // HYSTART_RTT_DIVISOR, HYSTART_RTT_THRESHOLD_MAX_US)
    return max(HYSTART_RTT_THRESHOLD_MIN_US, rise_us)


def _next_round(rounds: Rounds, snd_nxt: Seq) -> Rounds:
    """Source: RFC 9406 4.2: "lastRoundMinRTT = currentRoundMinRTT; currentRoundMinRTT = infinity;
    rttSampleCount = 0", and windowEnd is SND.NXT."""
    return replace(
        rounds,
        window_end=snd_nxt,
        last_round_min_us=rounds.round_min_us,
        round_min_us=UNKNOWN_US,
        samples=0,
        css_rounds=rounds.css_rounds + 1 if rounds.is_conservative else 0,
    )
