"""What a run has come to, apart from what made it: one record that is shown, written, merged and compared.

Owns its fields, and how the results of several engines are one: sums, and the least and the most of times.
"""

from collections.abc import Iterable

import msgspec

from gossamer.loadtest.failures import ErrorLog
from gossamer.loadtest.faulty import FaultCounts
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.run import LoadRun
from gossamer.loadtest.tally import Tally
from gossamer.loadtest.timeline import Interval, side_by_side


class RunResult(msgspec.Struct):
    """The result of a run. Units: microseconds."""

    options: LoadOptions
    tally: Tally
    opening: ErrorLog
    """Connections that could not be opened before the clock started."""
    intervals: list[Interval]
    addresses: tuple[str, ...]
    has_begun: bool
    start_us: int
    asked_us: int
    """The time that rates divide by."""
    due: int
    stood: int
    sent_in_time: int
    answered_in_time: int
    cpu_share: float
    busy_share: float
    """Of the busiest engine."""
    is_interrupted: bool
    ended_by: str = ""
    """The threshold that could not be met any more, where a run ended early for it."""
    engines: int = 1
    engines_lost: tuple[str, ...] = ()
    """How engines ended that did not end as they should."""
    faults: FaultCounts | None = None
    """How many packets met faults, where any were asked for."""


def result_of(run: LoadRun, faults: FaultCounts | None = None) -> RunResult:
    """The result of a run that is over, and what its packets met."""
    sent, answered = run.in_time or (run.tally.sent_total, run.tally.answered_total)
    return RunResult(
        options=run.options,
        tally=run.tally,
        opening=run.opening,
        intervals=run.timeline.intervals,
        addresses=tuple(str(address[0]) for address in run.addresses),
        has_begun=run.has_begun,
        start_us=run.measured.start_us if run.has_begun else 0,
        asked_us=run.asked_us,
        due=run.due,
        stood=run.stood,
        sent_in_time=sent,
        answered_in_time=answered,
        cpu_share=run.effort.cpu_share,
        busy_share=run.effort.busy_share,
        is_interrupted=run.is_interrupted,
        ended_by=run.ended_by,
        faults=faults,
    )


def merged(results: Iterable[RunResult], options: LoadOptions) -> RunResult:
    """The results of the engines of one run, as the run's; `options` are those of the whole."""
    first, *others = results
    whole = msgspec.structs.replace(first, options=options)
    for other in others:
        whole = msgspec.structs.replace(
            whole,
            intervals=side_by_side(whole.intervals, other.intervals),
            addresses=whole.addresses or other.addresses,
            has_begun=whole.has_begun or other.has_begun,
            start_us=whole.start_us or other.start_us,
            asked_us=max(whole.asked_us, other.asked_us),
            due=whole.due + other.due,
            stood=whole.stood + other.stood,
            sent_in_time=whole.sent_in_time + other.sent_in_time,
            answered_in_time=whole.answered_in_time + other.answered_in_time,
            cpu_share=max(whole.cpu_share, other.cpu_share),
            busy_share=max(whole.busy_share, other.busy_share),
            is_interrupted=whole.is_interrupted or other.is_interrupted,
            ended_by=whole.ended_by or other.ended_by,
            engines=whole.engines + other.engines,
            engines_lost=whole.engines_lost + other.engines_lost,
            faults=both(whole.faults, other.faults),
        )
        whole.tally.merge(other.tally)
        whole.opening.merge(other.opening)
    return whole


def both(one: FaultCounts | None, other: FaultCounts | None) -> FaultCounts | None:
    """The faults of two engines."""
    if one is None or other is None:
        return one or other
    one.add(other)
    return one
