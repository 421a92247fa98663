"""The comparison as tables: first ours over kernel sockets, then every case with everybody.

Owns the display; computes nothing. A ratio of which nothing is decided, since its interval holds 1 or there
are too few rounds for one, has a `~`.
"""

from collections.abc import Iterator
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from gossamer.loadtest.experiments.table import HOW, figure_text, goals_table, number, show_lines
from gossamer.loadtest.intervals import Figure, side_of
from gossamer.loadtest.surroundings import lines_of
from gossamer.loadtest.web.contenders import BASELINE, FUNCTIONAL, title_of
from gossamer.loadtest.web.result import CaseResult, WebResult
from gossamer.loadtest.web.rows import MEGABYTE
from gossamer.loadtest.web.sample import CaseFigures, Latency

WIDTH: Final = 156
"""At the least, so that tables of short figures are of one width."""
WIDTH_MAX: Final = 1_000
BOX: Final = SIMPLE_HEAD
"""The narrowest with a line below its head."""
MIB: Final = 1 << 20
US_PER_MS: Final = 1_000
NONE: Final = "-"
NOT_DECIDED: Final = "~"


def show(result: WebResult, console: Console) -> None:
    """Print everything."""
    tables = (*summaries(result), *map(case_table, result.cases))
    console.width = max(console.width, *(width_needed(table, console) for table in tables))
    for table in tables:
        console.print(table)
    show_lines([*conditions_lines(result), *result.notes], console)


def summaries(result: WebResult) -> Iterator[Table]:
    """What the cases together say."""
    functional = functional_table(result)
    if functional.row_count:
        yield functional
    if result.goals:
        yield goals_table(result.goals)


def width_needed(table: Table, console: Console) -> int:
    """At what width no cell is cut: half a figure is another one."""
    return Measurement.get(console, console.options.update(max_width=WIDTH_MAX), table).maximum


def ratio_text(ratio: Figure | None) -> str:
    """The median, its interval, and a mark where that decides nothing."""
    if ratio is None:
        return NONE
    mark = NOT_DECIDED if side_of(ratio, 1.0) == "not decided" else ""
    return f"{mark}{figure_text(ratio, 'x')}"


def functional_table(result: WebResult) -> Table:
    """The functional TCP over the same server on kernel sockets, a line a case and a way."""
    title = "The functional TCP over the same server on kernel sockets: medians of pairs; ~ not decided"
    table = Table(title=title, title_justify="left", box=BOX)
    for heading in ("work", "link", ""):
        table.add_column(heading, no_wrap=True)
    for heading in ("CPU", "+ client", "rate", "p50", "p99", "rounds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for case in result.cases:
        for name in FUNCTIONAL:
            if found := case.over_kernel.get(name):
                ratios = (found.cpu, found.cpu_with_client, found.rate, found.p50, found.p99)
                cells = (*map(ratio_text, ratios), str(found.cpu.rounds))
                table.add_row(case.row, case.link, title_of(name), *cells)
    return table


def case_table(case: CaseResult) -> Table:
    """One row a contender."""
    rounds = max((each.rounds for each in case.figures.values()), default=0)
    asked = f"{case.row} over {case.link}: {case.title}, {rounds} rounds"
    title = f"{asked}; CPU us a {case.unit}\n{conditions(case)}"
    table = Table(title=title, title_justify="left", box=BOX)
    table.add_column("", no_wrap=True)
    is_asked = case.unit != MEGABYTE
    rate = f"{case.unit}s/s" if is_asked else "MB/s"
    latency = ("p50 ms", "p99 ms", "p99.9 ms") if is_asked else ()
    over = ("CPU / kernel", "rate / kernel", *(("p99 / kernel",) if is_asked else ()))
    for heading in ("CPU us", "+ client", rate, *latency, "peak MiB", *over):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, figures in case.figures.items():
        cells = (*figures_cells(figures, is_asked), *over_cells(case, name, is_asked))
        table.add_row(title_of(name), *cells)
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


def over_cells(case: CaseResult, name: str, is_asked: bool) -> tuple[str, ...]:
    """Its ratios."""
    if name == BASELINE:
        return ("1",) * (3 if is_asked else 2)
    found = case.over_kernel.get(name)
    if found is None:
        return (NONE,) * (3 if is_asked else 2)
    ratios = (found.cpu, found.rate, *((found.p99,) if is_asked else ()))
    return tuple(ratio_text(each) for each in ratios)


def conditions_lines(result: WebResult) -> list[str]:
    """Where, when and how, in lines."""
    settings = result.settings
    bulk = f"{settings.bulk_bytes / 1e6:.0f} MB in bulk"
    congestion = f"the functional TCP ran {settings.congestion}"
    return [
        HOW,
        *lines_of(result.environment, result.elapsed_s),
        f"{settings.rounds} rounds of at most {settings.seconds} s a sample, {bulk}; {congestion}",
        "CPU: schedstat of every task of the server's process tree; + client: with that of the client",
        "latency: of wrk's closed loop: what waits behind a slow answer is not asked, and so not counted",
    ]
