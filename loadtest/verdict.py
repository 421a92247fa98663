"""Whether the figures of a run mean what they seem to: a pure decider.

    verdict(figures) -> warnings; none: the figures are valid

Owns the limits beyond which a figure says more of the generator, or of how it was asked, than of the server.
"""

from typing import Final

import msgspec

LAG_SHARE_MAX: Final = 0.10
"""Of the median response time."""
LAG_US_MIN: Final = 200
"""How late a sleep of ours may end at most: a generator's lag below it is its normal one."""
BUSY_SHARE_MAX: Final = 0.90
RATE_MISSED_MAX: Final = 0.01


class RunFigures(msgspec.Struct, frozen=True):
    """What is judged. Units: microseconds, requests."""

    rate: float
    """Asked for; 0 in a closed loop."""
    due_in_time: int
    sent_in_time: int
    """Of those due before the end, and sent before it."""
    response_p50_us: int
    connection_lag_p50_us: int
    generator_lag_p50_us: int
    cpu_share: float
    """CPU time of this process by the time of the run."""
    busy_share: float
    """The same with the time in which it waited for a processor."""
    connections: int
    """Asked for."""
    connections_stood: int
    """Of them, when the clock started."""
    engines_lost: tuple[str, ...] = ()
    """How engine processes ended that did not end as they should."""


class Warned(msgspec.Struct, frozen=True):
    """One thing that makes figures doubtful: its name for machines, and a line with the way out."""

    name: str
    line: str


def verdict(figures: RunFigures) -> tuple[Warned, ...]:
    """Everything that makes these figures doubtful."""
    found = (
        connections_missing(figures),
        rate_missed(figures),
        connections_lag(figures),
        generator_lag(figures),
        generator_busy(figures),
        engine_lost(figures),
    )
    return tuple(each for each in found if each is not None)


def connections_missing(figures: RunFigures) -> Warned | None:
    """Fewer connections stood than were asked for."""
    if figures.connections_stood >= figures.connections:
        return None
    return Warned(
        "connections-missing",
        f"{figures.connections_stood:,} of {figures.connections:,} connections stood when the clock started: "
        "open them slower (--connect-rate), or ask for fewer",
    )


def rate_missed(figures: RunFigures) -> Warned | None:
    """Less was sent than was asked for."""
    if not figures.rate or figures.sent_in_time >= (1 - RATE_MISSED_MAX) * figures.due_in_time:
        return None
    return Warned(
        "rate-missed",
        f"{figures.sent_in_time:,} of {figures.due_in_time:,} requests that were due were sent in time: "
        "what the server does at this rate is not known",
    )


def connections_lag(figures: RunFigures) -> Warned | None:
    """Requests waited for a free connection."""
    if not figures.rate or figures.connection_lag_p50_us <= LAG_SHARE_MAX * figures.response_p50_us:
        return None
    return Warned(
        "connection-lag",
        f"half of the requests waited {figures.connection_lag_p50_us / 1000:.2f} ms or more for a free "
        "connection: take more of them (-c), or the server does not keep up",
    )


def generator_lag(figures: RunFigures) -> Warned | None:
    """Requests waited for the generator."""
    limit_us = max(LAG_SHARE_MAX * figures.response_p50_us, LAG_US_MIN)
    if not figures.rate or figures.generator_lag_p50_us <= limit_us:
        return None
    return Warned(
        "generator-lag",
        f"half of the requests were sent {figures.generator_lag_p50_us / 1000:.2f} ms or more late by the "
        "generator: response times say more of it than of the server; lower the rate",
    )


def engine_lost(figures: RunFigures) -> Warned | None:
    """An engine process died."""
    if not figures.engines_lost:
        return None
    return Warned(
        "engine-lost",
        f"{'; '.join(figures.engines_lost)}: what it had counted last may be missing, and the rate was less",
    )


def generator_busy(figures: RunFigures) -> Warned | None:
    """The generator was at its limit."""
    if figures.busy_share <= BUSY_SHARE_MAX:
        return None
    waited = figures.busy_share - figures.cpu_share
    return Warned(
        "generator-busy",
        f"the generator used {figures.cpu_share:.0%} of its CPU and waited for it {waited:.0%} of the time: "
        "the rate may be its limit, not the server's: share it (--processes), or ask for less",
    )
