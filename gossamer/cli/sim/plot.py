"""Plots of a run: what arrived of each flow, its window, its round trips, the queue, losses and marks.

Owns the picture. matplotlib is an optional extra and imported only here.
"""

from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from gossamer.cli.sim.printing import rate_text
from gossamer.core.sim.report import FlowReport, SimulationReport
from gossamer.core.sim.scenario import Scenario
from gossamer.shards.exitcode import CannotStartError, ConfigError

KINDS: Final = (".png", ".svg")
DOTS_PER_INCH: Final = 80


def check_plot(path: Path, option: str = "--plot") -> ModuleType:
    """Say at once whether a picture can be made, before the run.

    Raises: ConfigError for another kind of file, CannotStartError without matplotlib.
    """
    if path.suffix not in KINDS:
        raise ConfigError(f"{option}: found {str(path)!r}; allowed: a file name that ends in .png or .svg")
    if not path.parent.is_dir():
        raise ConfigError(f"{option}: there is no folder {str(path.parent)!r}; make it, or name another")
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise CannotStartError(f"{option} needs matplotlib: pip install 'gossamer[plots]'") from error
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "gossamer"
    from matplotlib import pyplot

    assert isinstance(pyplot, ModuleType)
    return pyplot


def plot(pyplot: ModuleType, path: Path, scenario: Scenario, report: SimulationReport) -> None:
    """Write the picture: what arrived, cwnd, round trips, the queue, and what became of segments."""
    figure, panels = pyplot.subplots(5, 1, sharex=True, figsize=(8, 10))
    arrivals, windows, trips, queue, faults = panels
    for flow in report.flows:
        _draw_flow(arrivals, windows, trips, flow)
    if report.bounds.path_bps is not None:
        arrivals.axhline(report.bounds.path_bps / 1e6, color="grey", linestyle=":", linewidth=1, label="path")
    samples = report.flows[0].samples
    times = [sample.at_us / 1e6 for sample in samples]
    queue.plot(times, [sample.queue_bytes / 1000 for sample in samples], color="black")
    queue.axhline(scenario.queue / 1000, color="grey", linestyle=":", linewidth=1)
    faults.plot(times, [sample.lost for sample in samples], color="red", linewidth=1, label="lost")
    faults.plot(times, [sample.marked for sample in samples], color="blue", linewidth=1, label="marked")
    titles = ("arrived, Mbit/s", "cwnd, kB", "SRTT, ms", "queue, kB", "segments")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    for axes in (arrivals, faults):
        axes.legend(loc="upper right", fontsize="small", ncols=2)
    faults.set_xlabel("virtual time, s")
    figure.suptitle(title_of(scenario, report))
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def title_of(scenario: Scenario, report: SimulationReport) -> str:
    """What was run, in a line."""
    rate = rate_text(scenario.rate_bps) if scenario.rate_bps else "no limit"
    return (
        f"{', '.join(scenario.congestion)}: {rate}, {scenario.rtt_us / 1000:g} ms, seed {report.seed}, "
        f"goodput {rate_text(report.goodput_bps)}"
    )


def _draw_flow(arrivals: Any, windows: Any, trips: Any, flow: FlowReport) -> None:
    name = f"{flow.number}: {flow.congestion}"
    middles = [(before.at_us + after.at_us) / 2e6 for before, after in pairwise(flow.samples)]
    rates = [
        (after.arrived_bytes - before.arrived_bytes) * 8 / max(after.at_us - before.at_us, 1)
        for before, after in pairwise(flow.samples)
    ]
    arrivals.plot(middles, rates, linewidth=1, label=name)
    times = [sample.at_us / 1e6 for sample in flow.samples]
    windows.plot(times, [sample.cwnd_bytes / 1000 for sample in flow.samples], linewidth=1)
    trips.plot(times, [sample.srtt_us / 1000 for sample in flow.samples], linewidth=1)
