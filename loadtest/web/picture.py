"""The comparison as pictures: what each contender costs, and ours over kernel sockets, in PNG and SVG.

Owns the drawing; `loadtest.experiments.plot` knows matplotlib.
"""

from pathlib import Path
from typing import Any, Final

from gossamer.loadtest.experiments.plot import pyplot, save
from gossamer.loadtest.web.contenders import FUNCTIONAL, OURS, title_of
from gossamer.loadtest.web.result import CaseResult, WebResult
from gossamer.loadtest.web.sample import Ratio

PANEL_INCHES: Final = (6.2, 3.2)
COLUMNS: Final = 2
ROW_INCHES: Final = 0.3
MARGIN_INCHES: Final = 1.8
OURS_COLOUR: Final = "tab:blue"
OTHERS_COLOUR: Final = "tab:gray"
MARKERS: Final = "os^Dv"
FRAME: Final = 1.25
"""Room beside the least and the greatest ratio of a logarithmic axis, as a factor."""
ABSENT_MAX: Final = 1
"""How many a case may lack that cannot do its row."""


def draw_web(result: WebResult, prefix: Path) -> list[Path]:
    """Write PREFIX-cost and PREFIX-ratios; their paths. Raises: CannotStartError, OSError."""
    figures = {"cost": draw_costs(result), "ratios": draw_ratios(result)}
    return [
        path
        for name, figure in figures.items()
        if figure is not None
        for path in save(figure, prefix.with_name(f"{prefix.stem}-{name}"))
    ]


def _title(figure: Any, text: str, result: WebResult) -> None:
    around = result.surroundings
    where = f"{result.made_at[:10]}, {around.commit or 'no commit'}, {around.processors} x {around.processor}"
    figure.suptitle(f"{text}\n{where}", fontsize=10)


def draw_costs(result: WebResult) -> Any:
    """A panel for each case of the most contenders: bars of CPU time, with that of the client in light."""
    most = max((len(case.samples) for case in result.cases), default=0)
    cases = [case for case in result.cases if case.figures and len(case.samples) >= most - ABSENT_MAX]
    if not cases:
        return None
    lines = -(-len(cases) // COLUMNS)
    columns = min(COLUMNS, len(cases))
    figure, axes = pyplot().subplots(
        lines,
        columns,
        figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * lines + 0.6),
        squeeze=False,
        layout="constrained",
    )
    panels = list(axes.flat)
    for axis, case in zip(panels, cases, strict=False):
        _costs_panel(axis, case)
    for axis in panels[len(cases) :]:
        axis.set_visible(False)
    _title(figure, "CPU time of the server (dark), and of server and client (light)", result)
    return figure


def _costs_panel(axis: Any, case: CaseResult) -> None:
    names = list(reversed(case.figures))
    titles = [title_of(name) for name in names]
    figures = [case.figures[name] for name in names]
    colours = [OURS_COLOUR if name in OURS else OTHERS_COLOUR for name in names]
    axis.barh(titles, [each.cpu_with_client_us_per_unit for each in figures], color=colours, alpha=0.3)
    axis.barh(titles, [each.cpu_us_per_unit for each in figures], color=colours)
    for name, title in zip(names, titles, strict=True):
        costs = [sample.cost_us for sample in case.samples[name] if sample]
        axis.plot([min(costs), max(costs)], [title, title], color="black", linewidth=1.5)
    axis.set_title(f"{case.title}\n{case.conditions}", fontsize=8)
    axis.set_xlabel(f"CPU us a {case.unit}", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(axis="x", alpha=0.3)


def draw_ratios(result: WebResult) -> Any:
    """The functional TCP over kernel sockets, a line a case: median, least and greatest of the pairs."""
    cases = [case for case in result.cases if any(name in case.over_kernel for name in FUNCTIONAL)]
    if not cases:
        return None
    cases.reverse()
    height = MARGIN_INCHES + ROW_INCHES * len(cases)
    figure, (cpu, rate) = pyplot().subplots(1, 2, figsize=(11, height), sharey=True, layout="constrained")
    for axis, label in ((cpu, "CPU time a unit, over kernel sockets"), (rate, "rate, over kernel sockets")):
        drawn = _ratios_panel(axis, cases, is_rate=axis is rate)
        axis.set_xlim(min(0.5, *drawn) / FRAME, max(2.0, *drawn) * FRAME)
        axis.set_xscale("log", subs=(2, 5))
        axis.xaxis.set_major_formatter("{x:g}x")
        axis.xaxis.set_minor_formatter("{x:g}x")
        axis.tick_params(axis="x", which="both", labelsize=8)
        axis.axvline(1.0, color="black", linewidth=1)
        axis.grid(which="both", alpha=0.3)
        axis.set_xlabel(label, fontsize=9)
    cpu.set_yticks(range(len(cases)), [f"{case.row}, {case.link}" for case in cases], fontsize=8)
    handles, labels = cpu.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    _title(figure, "The functional TCP over the same server on kernel sockets", result)
    return figure


def _ratios_panel(axis: Any, cases: list[CaseResult], is_rate: bool) -> list[float]:
    drawn: list[float] = []
    for place, (name, marker) in enumerate(zip(FUNCTIONAL, MARKERS, strict=False)):
        offset = 0.25 * (place - (len(FUNCTIONAL) - 1) / 2)
        found = [
            (line - offset, compared.rate if is_rate else compared.cpu)
            for line, case in enumerate(cases)
            if (compared := case.over_kernel.get(name))
        ]
        if found:
            _intervals(axis, found, marker, title_of(name))
            drawn += [edge for _, ratio in found for edge in (ratio.low, ratio.high)]
    return drawn


def _intervals(axis: Any, found: list[tuple[float, Ratio]], marker: str, label: str) -> None:
    heights = [height for height, _ in found]
    middles = [ratio.median for _, ratio in found]
    below = [ratio.median - ratio.low for _, ratio in found]
    above = [ratio.high - ratio.median for _, ratio in found]
    axis.errorbar(middles, heights, xerr=(below, above), fmt=marker, capsize=2, markersize=4, label=label)
