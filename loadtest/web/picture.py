"""The comparison as pictures: what each contender costs and does, and ours over kernel sockets.

Owns the drawing; `loadtest.experiments.plot` knows matplotlib, and what every picture of a bench has.
"""

from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from gossamer.loadtest.experiments.plot import TEXT_POINTS, around_median, finish, save, sheet
from gossamer.loadtest.intervals import Figure, figure
from gossamer.loadtest.web.contenders import FUNCTIONAL, OURS, title_of
from gossamer.loadtest.web.result import CaseResult, WebResult
from gossamer.loadtest.web.sample import Comparison, WebSample, cost_of, p50_of, p99_of

ROW_INCHES: Final = 0.21
"""Of a contender in a panel."""
PANEL_MARGIN_INCHES: Final = 0.95
CASE_INCHES: Final = 0.36
"""Of a case in the picture of ratios."""
MARGIN_INCHES: Final = 2.0
US_PER_MS: Final = 1_000
OURS_COLOUR: Final = "tab:blue"
OTHERS_COLOUR: Final = "tab:gray"
MARKERS: Final = "os^Dv"
FRAME: Final = 1.25
"""Room beside the least and the greatest ratio of a logarithmic axis, as a factor."""
ABSENT_MAX: Final = 1
"""How many a case may lack that cannot do its row."""
RATIOS: Final[dict[str, Callable[[Comparison], Figure | None]]] = {
    "CPU time a unit": lambda found: found.cpu,
    "rate": lambda found: found.rate,
    "p99": lambda found: found.p99,
}


def draw_web(result: WebResult, prefix: Path) -> list[Path]:
    """Write PREFIX-cost and PREFIX-ratios; their paths. Raises: CannotStartError, OSError."""
    figures = {"cost": draw_costs(result), "ratios": draw_ratios(result)}
    return [
        path
        for name, figure in figures.items()
        if figure is not None
        for path in save(figure, prefix.with_name(f"{prefix.name}-{name}"))
    ]


def draw_costs(result: WebResult) -> Any:
    """A line for each case of the most contenders: CPU time, and latency or rate beside it."""
    most = max((len(case.samples) for case in result.cases), default=0)
    cases = [case for case in result.cases if case.figures and len(case.samples) >= most - ABSENT_MAX]
    if not cases:
        return None
    heights = [PANEL_MARGIN_INCHES + ROW_INCHES * len(case.figures) for case in cases]
    drawn, axes = sheet(
        len(cases), 2, sum(heights) + 0.5, sharey="row", gridspec_kw={"height_ratios": heights}
    )
    for (cost, beside), case in zip(axes, cases, strict=True):
        cost.set_title(f"{case.title}\n{case.conditions}", fontsize=TEXT_POINTS - 1, loc="left")
        _bars(cost, case, f"CPU us a {case.unit}; light: with the client's", cost_of, _with_client)
        if any(p99_of(sample) for rounds in case.samples.values() for sample in rounds if sample):
            _bars(beside, case, "ms until the answer: p50; light: p99", _p50_ms, _p99_ms)
        else:
            _bars(beside, case, f"{case.unit} a second", _rate, None)
    finish(drawn, "What a request and a megabyte cost, and how soon they are there", result.environment)
    return drawn


def _with_client(sample: WebSample) -> float:
    return sample.cost_with_client_us


def _rate(sample: WebSample) -> float:
    return sample.rate


def _p50_ms(sample: WebSample) -> float:
    return p50_of(sample) / US_PER_MS


def _p99_ms(sample: WebSample) -> float:
    return p99_of(sample) / US_PER_MS


Of = Callable[[WebSample], float]


def _bars(axis: Any, case: CaseResult, label: str, of: Of, light: Of | None) -> None:
    """A bar for each contender, with the interval of its median; in light what is more than it."""
    names = [name for name in reversed(case.figures) if any(case.samples[name])]
    taken = [[sample for sample in case.samples[name] if sample] for name in names]
    titles = [title_of(name) for name in names]
    colours = [OURS_COLOUR if name in OURS else OTHERS_COLOUR for name in names]
    if light:
        axis.barh(titles, [median(map(light, each)) for each in taken], color=colours, alpha=0.3)
    found = [figure([of(sample) for sample in each]) for each in taken]
    axis.barh(titles, [each.median for each in found], color=colours)
    medians = [each.median for each in found]
    axis.errorbar(medians, titles, xerr=around_median(found), fmt="none", ecolor="black", capsize=2)
    axis.set_xlim(left=0)
    axis.set_xlabel(label, fontsize=TEXT_POINTS - 1)
    axis.tick_params(labelsize=TEXT_POINTS - 1)
    axis.grid(axis="x", alpha=0.3)


def draw_ratios(result: WebResult) -> Any:
    """The functional TCP over kernel sockets, a line a case: medians of pairs, and their intervals."""
    cases = [case for case in result.cases if any(name in case.over_kernel for name in FUNCTIONAL)]
    if not cases:
        return None
    cases.reverse()
    height = MARGIN_INCHES + CASE_INCHES * len(cases)
    drawn, axes = sheet(1, len(RATIOS), height, sharey=True)
    for axis, (label, of) in zip(axes[0], RATIOS.items(), strict=True):
        _ratios_panel(axis, cases, of)
        axis.set_xlabel(f"{label} / kernel's", fontsize=TEXT_POINTS)
    names = [f"{case.row}, {case.link}" for case in cases]
    axes[0][0].set_ylim(-0.6, len(cases) - 0.4)
    axes[0][0].set_yticks(range(len(cases)), names, fontsize=TEXT_POINTS - 1)
    title = "The functional TCP over the same server on kernel sockets"
    finish(drawn, title, result.environment, axes[0])
    return drawn


def _ratios_panel(axis: Any, cases: list[CaseResult], of: Callable[[Comparison], Figure | None]) -> None:
    edges: list[float] = []
    for place, (name, marker) in enumerate(zip(FUNCTIONAL, MARKERS, strict=False)):
        offset = 0.25 * (place - (len(FUNCTIONAL) - 1) / 2)
        found = [
            (line - offset, ratio)
            for line, case in enumerate(cases)
            if (compared := case.over_kernel.get(name)) and (ratio := of(compared))
        ]
        if found:
            heights, ratios = [height for height, _ in found], [ratio for _, ratio in found]
            axis.errorbar(
                [ratio.median for ratio in ratios],
                heights,
                xerr=around_median(ratios),
                fmt=marker,
                color=f"C{place}",
                capsize=2,
                markersize=4,
                label=title_of(name),
            )
            edges += [edge for ratio in ratios for edge in (ratio.least, ratio.greatest)]
    axis.set_xscale("log", subs=(2, 5))
    axis.set_xlim(min(0.5, *edges, 0.5) / FRAME, max(2.0, *edges, 2.0) * FRAME)
    axis.xaxis.set_major_formatter("{x:g}x")
    axis.xaxis.set_minor_formatter("{x:g}x")
    axis.tick_params(axis="x", which="both", labelsize=TEXT_POINTS - 2)
    axis.axvline(1.0, color="black", linewidth=1)
    axis.grid(which="both", alpha=0.3)
