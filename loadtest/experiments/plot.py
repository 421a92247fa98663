"""An experiment's points as a picture, in PNG and SVG.

Owns the drawing. matplotlib is the optional extra `plots`, imported only here.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from gossamer.loadtest.experiments.experiment import Result
from gossamer.shards.exitcode import CannotStartError

PANEL_INCHES = (4.6, 3.6)
MARKERS = "osD^vP*X"
LOG_RATIO = 20
"""Values further apart than this are drawn on a logarithmic axis."""


def pyplot() -> Any:
    """matplotlib, drawing into files. Raises: CannotStartError when it is not installed."""
    try:
        import_module("matplotlib").use("Agg")
        return import_module("matplotlib.pyplot")
    except ModuleNotFoundError as error:
        raise CannotStartError(
            "--plot: matplotlib is not installed; `pip install 'gossamer[plots]'` installs it"
        ) from error


def draw(result: Result, prefix: Path) -> list[Path]:
    """Write PREFIX.png and PREFIX.svg; returns their paths. Raises: CannotStartError, OSError."""
    plt = pyplot()
    panels = result.axes.panels
    width, height = PANEL_INCHES
    figure, axes = plt.subplots(1, len(panels), figsize=(width * len(panels), height), squeeze=False)
    for axis, (column, label) in zip(axes[0], panels, strict=True):
        _panel(axis, result, column, label)
    figure.suptitle(result.axes.title)
    figure.tight_layout()
    return save(figure, prefix)


def save(figure: Any, prefix: Path) -> list[Path]:
    """Write PREFIX.png and PREFIX.svg, and forget the figure; their paths. Raises: OSError."""
    paths = [prefix.with_suffix(suffix) for suffix in (".png", ".svg")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=90)
    pyplot().close(figure)
    return paths


def _panel(axis: Any, result: Result, column: str, label: str) -> None:
    if result.axes.are_rounds:
        _bars(axis, result, column, label)
        return
    names = list(dict.fromkeys(point.series for point in result.points))
    for name, marker in zip(names, MARKERS * len(names), strict=False):
        points = [(p.x, p.values[column]) for p in result.points if p.series == name and column in p.values]
        if points:
            axis.plot(*zip(*points, strict=True), marker=marker, label=name)
    if result.axes.is_log_x:
        axis.set_xscale("symlog" if any(point.x == 0 for point in result.points) else "log")
    values = [p.values[column] for p in result.points if p.values.get(column, 0) > 0]
    if values and max(values) > LOG_RATIO * min(values):
        axis.set_yscale("log")
    else:
        axis.set_ylim(bottom=0)
    axis.set_xlabel(result.axes.x_label)
    axis.set_ylabel(label)
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")


def _bars(axis: Any, result: Result, column: str, label: str) -> None:
    """A bar for each series: the mean of its rounds, and how far they lie apart."""
    found: dict[str, list[float]] = {}
    for point in result.points:
        if column in point.values:
            found.setdefault(point.series, []).append(point.values[column])
    means = [sum(values) / len(values) for values in found.values()]
    below = [mean - min(values) for mean, values in zip(means, found.values(), strict=True)]
    above = [max(values) - mean for mean, values in zip(means, found.values(), strict=True)]
    axis.bar(list(found), means, yerr=(below, above), capsize=4)
    axis.set_ylim(bottom=0)
    axis.set_ylabel(label)
    axis.grid(alpha=0.3, axis="y")
