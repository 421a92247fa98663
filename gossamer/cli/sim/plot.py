"""Plots of a run: what each flow sent, its window, and the queue, over virtual time.

Owns the picture. matplotlib is an optional extra and imported only here.
"""

from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from gossamer.core.sim.report import FlowReport, SimulationReport
from gossamer.core.sim.scenario import Scenario
from gossamer.shards.exitcode import CannotStartError, ConfigError

KINDS: Final = (".png", ".svg")
DOTS_PER_INCH: Final = 80


def check_plot(path: Path) -> ModuleType:
    """Say at once whether a picture can be made, before the run.

    Raises: ConfigError for another kind of file, CannotStartError without matplotlib.
    """
    if path.suffix not in KINDS:
        raise ConfigError(f"--plot: found {str(path)!r}; allowed: a file name that ends in .png or .svg")
    if not path.parent.is_dir():
        raise ConfigError(f"--plot: there is no folder {str(path.parent)!r}; make it, or name another")
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise CannotStartError("--plot needs matplotlib: pip install 'gossamer[plots]'") from error
    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "gossamer"
    from matplotlib import pyplot

    assert isinstance(pyplot, ModuleType)
    return pyplot


def plot(pyplot: ModuleType, path: Path, scenario: Scenario, report: SimulationReport) -> None:
    """Write the picture."""
    figure, (rates, windows, queue) = pyplot.subplots(3, 1, sharex=True, figsize=(8, 6))
    for flow in report.flows:
        _draw_flow(rates, windows, flow)
    if report.bounds.path_bps is not None:
        rates.axhline(report.bounds.path_bps / 1e6, color="grey", linestyle=":", linewidth=1, label="path")
    samples = report.flows[0].samples
    queue.plot([s.at_us / 1e6 for s in samples], [s.queue_bytes / 1000 for s in samples], color="black")
    queue.axhline(scenario.queue / 1000, color="grey", linestyle=":", linewidth=1)
    for axes, title in ((rates, "goodput, Mbit/s"), (windows, "cwnd, kB"), (queue, "queue, kB")):
        axes.set_ylabel(title)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    rates.legend(loc="upper right", fontsize="small", ncols=2)
    queue.set_xlabel("virtual time, s")
    figure.tight_layout()
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def _draw_flow(rates: Any, windows: Any, flow: FlowReport) -> None:
    name = f"{flow.number}: {flow.congestion}"
    middles = [(before.at_us + after.at_us) / 2e6 for before, after in pairwise(flow.samples)]
    goodputs = [
        (after.delivered_bytes - before.delivered_bytes) * 8 / max(after.at_us - before.at_us, 1)
        for before, after in pairwise(flow.samples)
    ]
    rates.plot(middles, goodputs, linewidth=1, label=name)
    times = [sample.at_us / 1e6 for sample in flow.samples]
    windows.plot(times, [sample.cwnd_bytes / 1000 for sample in flow.samples], linewidth=1)
