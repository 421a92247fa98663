"""The comparison as tables: first ours over kernel sockets, then every case with everybody.

Owns the display; computes nothing.
"""

from typing import Final

from rich.console import Console
from rich.table import Table

from gossamer.loadtest.experiments.table import number
from gossamer.loadtest.web.contenders import BASELINE, FUNCTIONAL, title_of
from gossamer.loadtest.web.result import CaseResult, WebResult
from gossamer.loadtest.web.sample import CaseFigures, Comparison, Latency, Ratio

WIDTH: Final = 144
MIB: Final = 1 << 20
US_PER_MS: Final = 1_000
NONE: Final = "-"


def show(result: WebResult, console: Console) -> None:
    """Print everything."""
    console.print(functional_table(result))
    for case in result.cases:
        console.print(case_table(case))
    for line in (*conditions_lines(result), *result.notes):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def ratio_text(ratio: Ratio | None) -> str:
    """The median, and where the pairs lay."""
    if ratio is None:
        return NONE
    return f"{number(ratio.median)}x {number(ratio.low)}-{number(ratio.high)}"


def functional_table(result: WebResult) -> Table:
    """The functional TCP over the same server on kernel sockets, a line a case."""
    table = Table(
        title="The functional TCP over the same server on kernel sockets: median of pairs, least-greatest"
    )
    names = [name for name in FUNCTIONAL if any(name in case.over_kernel for case in result.cases)]
    for heading in ("work", "link"):
        table.add_column(heading, no_wrap=True)
    for name in names:
        for what in ("CPU", "+ client", "rate"):
            table.add_column(f"{name}: {what}", justify="right", no_wrap=True)
    for case in result.cases:
        if names and any(name in case.over_kernel for name in names):
            cells = (cell for name in names for cell in comparison_cells(case.over_kernel.get(name)))
            table.add_row(case.row, case.link, *cells)
    return table


def comparison_cells(found: Comparison | None) -> tuple[str, str, str]:
    """Three ratios."""
    if found is None:
        return NONE, NONE, NONE
    return ratio_text(found.cpu), ratio_text(found.cpu_with_client), ratio_text(found.rate)


def case_table(case: CaseResult) -> Table:
    """One row a contender."""
    title = f"{case.row} over {case.link}: {case.title}\n{conditions(case)}"
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    is_asked = case.unit == "request"
    rate = "requests/s" if is_asked else "MB/s"
    latency = ("p50 ms", "p99 ms", "p99.9 ms") if is_asked else ()
    over = ("CPU / kernel", "rate / kernel")
    for heading in (f"CPU us/{case.unit}", "+ client", rate, *latency, "peak MiB", *over):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, figures in case.figures.items():
        table.add_row(title_of(name), *figures_cells(figures, is_asked), *over_cells(case, name))
    return table


def conditions(case: CaseResult) -> str:
    """The conditions in words."""
    return f"{case.conditions}; the kernel ran {case.kernel_congestion or 'nothing'}"


def figures_cells(figures: CaseFigures, is_asked: bool) -> list[str]:
    """What was measured of one contender."""
    return [
        number(figures.cpu_us_per_unit),
        number(figures.cpu_with_client_us_per_unit),
        number(figures.units_per_second),
        *(latency_cells(figures.latency_us) if is_asked else []),
        f"{figures.peak_rss_bytes / MIB:.0f}",
    ]


def latency_cells(latency: Latency | None) -> list[str]:
    """Three percentiles."""
    if latency is None:
        return [NONE] * 3
    return [number(us / US_PER_MS) for us in (latency.p50, latency.p99, latency.p99_9)]


def over_cells(case: CaseResult, name: str) -> tuple[str, str]:
    """Its ratios."""
    if name == BASELINE:
        return "1", "1"
    found = case.over_kernel.get(name)
    return ratio_text(found.cpu if found else None), ratio_text(found.rate if found else None)


def conditions_lines(result: WebResult) -> list[str]:
    """Where, when and how, in lines."""
    around, settings = result.surroundings, result.settings
    versions = ", ".join(f"{name} {version}" for name, version in around.versions.items() if version)
    load = " ".join(map(str, around.load_average))
    bulk = f"{settings.bulk_bytes / 1e6:.0f} MB in bulk"
    congestion = f"the functional TCP ran {settings.congestion}"
    return [
        f"{result.made_at}, {result.elapsed_s:.0f} s: {result.command}",
        f"commit {around.commit or 'unknown'}, Python {around.python}, {versions}",
        f"Linux {around.kernel}, {around.processors} processors, {around.processor}, load {load}",
        f"{settings.rounds} rounds of at most {settings.seconds} s a sample, {bulk}; {congestion}",
        "CPU: schedstat of every task of the server's process tree; + client: with that of wrk or curl",
    ]
