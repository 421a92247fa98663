"""Many runs of one scenario, of one seed after another: means, and how far they spread.

Owns which figures are taken of each run, and how they are printed.
"""

from collections.abc import Iterator
from statistics import fmean, stdev
from typing import Final

import msgspec

from gossamer.cli.sim.printing import rate_text
from gossamer.core.sim.report import SimulationReport
from gossamer.core.sim.scenario import Scenario

SEEDS_MAX: Final = 10_000


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """A figure over all runs."""

    mean: float
    deviation: float
    """Standard deviation of the runs; 0 of a single one."""
    least: float
    most: float


class SeedsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs have shown together."""

    seeds: tuple[int, int]
    """The first and the last."""
    unfinished: tuple[int, ...]
    """Seeds whose transfers were not complete."""
    goodput_bps: Spread
    ended_us: Spread
    retransmitted: Spread
    timeouts: Spread
    jain: Spread


def spread(values: list[float]) -> Spread:
    """Of at least one value."""
    deviation = stdev(values) if len(values) > 1 else 0.0
    return Spread(
        mean=round(fmean(values), 4),
        deviation=round(deviation, 4),
        least=round(min(values), 4),
        most=round(max(values), 4),
    )


def summed_up(reports: list[SimulationReport]) -> SeedsReport:
    """The figures of runs in the order of their seeds."""
    return SeedsReport(
        seeds=(reports[0].seed, reports[-1].seed),
        unfinished=tuple(report.seed for report in reports if not report.has_finished),
        goodput_bps=spread([report.goodput_bps for report in reports]),
        ended_us=spread([report.ended_us for report in reports]),
        retransmitted=spread([sum(flow.retransmitted for flow in report.flows) for report in reports]),
        timeouts=spread([sum(flow.timeouts for flow in report.flows) for report in reports]),
        jain=spread([report.jain for report in reports]),
    )


def seeds_lines(scenario: Scenario, found: SeedsReport) -> Iterator[str]:
    """The table that people read."""
    first, last = found.seeds
    yield f"seeds {first} to {last}: {scenario.flows} flow(s) of {scenario.transfer_bytes:,} bytes each run"
    if found.unfinished:
        yield f"not complete: {len(found.unfinished)}, seeds {', '.join(map(str, found.unfinished[:20]))}"
    yield f"{'':<16} {'mean':>14} {'deviation':>14} {'least':>14} {'most':>14}"
    yield _row("goodput", [rate_text(value) for value in _values(found.goodput_bps)])
    yield _row("end", [f"{value / 1e6:.3f} s" for value in _values(found.ended_us)])
    yield _row("retransmitted", [f"{value:,.1f}" for value in _values(found.retransmitted)])
    yield _row("timeouts", [f"{value:,.1f}" for value in _values(found.timeouts)])
    if scenario.flows > 1:
        yield _row("Jain's index", [f"{value:.3f}" for value in _values(found.jain)])


def _values(found: Spread) -> tuple[float, float, float, float]:
    return found.mean, found.deviation, found.least, found.most


def _row(name: str, texts: list[str]) -> str:
    return f"{name:<16} " + " ".join(f"{text:>14}" for text in texts)
