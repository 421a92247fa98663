"""A report of `gossamer sim` as people read it: plain text, the same for the same run.

Owns the layout. All times in it are virtual.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from gossamer.core.sim.report import FlowReport, LinkReport, SimulationReport
from gossamer.core.sim.scenario import Scenario
from gossamer.shards.units import format_duration

TIMELINE_ROWS: Final = 20
FLOW_HEAD: Final = (
    f"{'flow':>4}  {'congestion':<12} {'goodput':>14} {'steady':>14} {'retransmitted':>14} {'timeouts':>8} "
    f"{'rtt min/mean/max ms':>22} {'cwnd mean/max':>19} {'end':>10}"
)
LINE_HEAD: Final = (
    f"{'time s':>8} {'flow':>4} {'arrived':>14} {'cwnd B':>9} {'flight B':>9} {'srtt ms':>8} {'queue B':>9} "
    f"{'retransmitted':>14}"
)


def rate_text(bps: float | None) -> str:
    """A rate with three figures behind the point."""
    if bps is None:
        return "-"
    for unit, size in (("Gbit/s", 1e9), ("Mbit/s", 1e6), ("kbit/s", 1e3)):
        if bps >= size:
            return f"{bps / size:.3f} {unit}"
    return f"{bps:.0f} bit/s"


def report_lines(scenario: Scenario, report: SimulationReport) -> Iterator[str]:
    """The whole text."""
    yield from _head(scenario, report)
    yield ""
    yield FLOW_HEAD
    yield from map(_flow_line, report.flows)
    yield from _recoveries(scenario, report.flows)
    yield ""
    yield _link_line("there", report.forward)
    yield _link_line("back", report.backward)
    yield ""
    yield from _theory(scenario, report)
    yield ""
    yield LINE_HEAD
    yield from _timeline(report.flows)


def _head(scenario: Scenario, report: SimulationReport) -> Iterator[str]:
    rate = rate_text(scenario.rate_bps) if scenario.rate_bps else "unlimited"
    yield (
        f"seed {report.seed}: {scenario.flows} flow(s) of {scenario.transfer_bytes:,} bytes over {rate}, "
        f"delay {format_duration(scenario.delay_us)} each way, queue {scenario.queue:,} bytes, "
        f"buffers {scenario.buffer:,} bytes"
    )
    yield (
        f"{_end(scenario, report)} after {report.ended_us / 1e6:.3f} s of virtual time: "
        f"{report.segments:,} segments, goodput {rate_text(report.goodput_bps)}"
        + (f", {report.utilisation:.1%} of the path" if report.utilisation is not None else "")
        + (f", Jain's index {report.jain:.3f}" if scenario.flows > 1 else "")
    )
    if report.steps_checked:
        yield (
            f"{report.steps_checked:,} steps held to the oracle, {report.migrations:,} of them repeated from "
            "the decoded connection"
        )


def _end(scenario: Scenario, report: SimulationReport) -> str:
    """How it ended: to run as long as was asked is no failure."""
    if report.has_finished:
        return "complete"
    is_asked = scenario.duration_us > 0 and not any(flow.failure for flow in report.flows)
    return "ended as asked" if is_asked else "NOT complete"


def _flow_line(flow: FlowReport) -> str:
    rtt = "/".join(f"{us / 1000:.1f}" for us in (flow.rtt_min_us, flow.rtt_mean_us, flow.rtt_max_us))
    windows = f"{flow.cwnd_mean_bytes}/{flow.cwnd_max_bytes}"
    end = flow.failure or (f"{flow.ended_us / 1e6:.3f} s" if flow.ended_us is not None else "open")
    return (
        f"{flow.number:>4}  {flow.congestion:<12} {rate_text(flow.goodput_bps):>14} "
        f"{rate_text(flow.steady_bps):>14} {flow.retransmitted:>14,} {flow.timeouts:>8} {rtt:>22} "
        f"{windows:>19} {end:>10}"
    )


def _recoveries(scenario: Scenario, flows: list[FlowReport]) -> Iterator[str]:
    """How long it took from a first retransmission to the ACK of all that had been sent by then."""
    for flow in flows:
        if not flow.recoveries_us:
            continue
        mean_us = sum(flow.recoveries_us) / len(flow.recoveries_us)
        longest_us = max(flow.recoveries_us)
        yield (
            f"{flow.number:>4}  {len(flow.recoveries_us):,} recoveries: "
            f"mean {_in_round_trips(mean_us, scenario)}, longest {_in_round_trips(longest_us, scenario)}"
        )


def _in_round_trips(us: float, scenario: Scenario) -> str:
    return f"{us / 1000:.1f} ms ({us / max(scenario.rtt_us, 1):.1f} round trips)"


def _link_line(name: str, link: LinkReport) -> str:
    faults = ("lost", "overflowed", "marked", "corrupted", "duplicated", "reordered", "too_big")
    counts = ", ".join(f"{fault.replace('_', ' ')} {getattr(link, fault):,}" for fault in faults)
    return (
        f"{name:<6}{link.segments:,} segments, {link.bytes:,} bytes; {counts}; "
        f"queue at most {link.queue_bytes_max:,} bytes"
    )


def _theory(scenario: Scenario, report: SimulationReport) -> Iterator[str]:
    bounds = report.bounds
    most_bps = min(bounds.path_bps or bounds.window_bps, bounds.window_bps)
    yield (
        f"theory, one flow alone: path {rate_text(bounds.path_bps)}, buffer per round trip "
        f"{rate_text(bounds.window_bps)}: at most {rate_text(most_bps)}"
    )
    if bounds.loss_bps is not None and scenario.mean_loss:
        yield (
            f"  in a long run with as many losses, each by itself, {scenario.algorithm(0)} has "
            f"{rate_text(bounds.loss_bps)} on the average; short runs, and losses in bursts, leave more"
        )


def _timeline(flows: list[FlowReport]) -> Iterator[str]:
    for flow in flows:
        step = -(-len(flow.samples) // TIMELINE_ROWS) or 1
        shown = flow.samples[::step]
        for before, sample in pairwise(shown):
            span_us = max(sample.at_us - before.at_us, 1)
            arrived_bps = (sample.arrived_bytes - before.arrived_bytes) * 8e6 / span_us
            yield (
                f"{sample.at_us / 1e6:>8.3f} {flow.number:>4} {rate_text(arrived_bps):>14} "
                f"{sample.cwnd_bytes:>9} {sample.flight_bytes:>9} {sample.srtt_us / 1000:>8.1f} "
                f"{sample.queue_bytes:>9} {sample.retransmitted:>14,}"
            )
