"""`--find`: the highest rate that holds a threshold, step by step.

Owns how long a step is, what counts as held, and how the search is shown; `loadtest.search` chooses the
rates.
"""

from collections.abc import Callable
from typing import Any, Final, Literal

import msgspec
from rich.console import Console
from rich.table import Table

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.report import human_us
from gossamer.loadtest.result import RunResult
from gossamer.loadtest.search import Search, next_rate, shown
from gossamer.loadtest.summary import figures_of, requests_per_second
from gossamer.loadtest.thresholds import Judged, Threshold, errors_of, judged, needed_us
from gossamer.loadtest.verdict import verdict

SCHEMA: Final = "gossamer-load-find/1"
FIRST_RATE: Final = 100.0
MOST_RATE: Final = 1_000_000.0
STEP_US: Final = 3 * SECOND_US
STEP_US_MAX: Final = 120 * SECOND_US
WARM_UP_US: Final = SECOND_US // 2
GENERATOR: Final = frozenset({"generator-busy", "generator-lag"})
"""Warnings that say whose limit it was."""

Perform = Callable[[LoadOptions], RunResult]


class FoundStep(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step: the rate that was asked for, and what came of it."""

    rate: float
    answered_per_second: float
    judged: Judged
    holds: bool
    errors: int
    warnings: tuple[str, ...]


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was found, as `--find --json` prints it."""

    schema: Literal["gossamer-load-find/1"]
    threshold: str
    rate: float
    """The highest that held; 0: none did."""
    limited_by: Literal["server", "generator", "search"]
    """server, generator, or search: the highest rate that is tried held."""
    steps: list[FoundStep]


def step_options(options: LoadOptions, threshold: Threshold, rate: float) -> LoadOptions:
    """The run of one step: as long as its percentile needs, and ended as soon as it cannot hold."""
    asked_us = STEP_US if options.duration_us >= NEVER_US else options.duration_us
    return msgspec.structs.replace(
        options,
        rate=rate,
        phases=(),
        duration_us=min(max(asked_us, needed_us(threshold, rate)), STEP_US_MAX),
        warm_up_us=options.warm_up_us or WARM_UP_US,
        thresholds=(threshold, *options.thresholds),
    )


def step_of(result: RunResult) -> FoundStep:
    """What a step has shown. It holds when all thresholds are met, the rate was kept, and, unless one of them
    is about errors, there was none."""
    rate = requests_per_second(result)
    first, *others = (judged(each, result.tally, rate) for each in result.options.thresholds)
    names = tuple(each.name for each in verdict(figures_of(result)))
    allows_errors = any(each.metric == "errors" for each in result.options.thresholds)
    errors = errors_of(result.tally)
    are_met = first.met and all(each.met for each in others)
    holds = are_met and "rate-missed" not in names and (allows_errors or not errors)
    return FoundStep(result.options.rate, round(rate, 1), first, holds, errors, names)


def find(options: LoadOptions, threshold: Threshold, perform: Perform, console: Console) -> Found:
    """Search, and say how far it is."""
    search = Search(options.rate or FIRST_RATE, MOST_RATE)
    steps: list[FoundStep] = []
    while (rate := next_rate(search)) is not None:
        result = perform(step_options(options, threshold, rate))
        if result.is_interrupted:
            break
        step = step_of(result)
        search = shown(search, rate, step.holds)
        steps.append(step)
        console.print(step_line(step), markup=False, highlight=False, soft_wrap=True)
    return Found(SCHEMA, threshold.text, search.found, limited_by(search, steps), steps)


def limited_by(search: Search, steps: list[FoundStep]) -> Literal["server", "generator", "search"]:
    """Whose limit the rate is."""
    failed = search.failed
    if failed is None:
        return "search"
    at_limit = [step for step in steps if step.rate == failed]
    return "generator" if any(GENERATOR & set(step.warnings) for step in at_limit) else "server"


def step_line(step: FoundStep) -> str:
    """A step in a line."""
    value = value_shown(step.judged)
    warned = f"  {', '.join(step.warnings)}" if step.warnings else ""
    return f"{step.rate:>10,.5g}/s  {'holds' if step.holds else 'FAILS'}  {step.judged.text}: {value}{warned}"


def value_shown(judged: Judged) -> str:
    """A value with its unit."""
    value = f"{judged.value:,.3g}" if judged.text[:4] in ("erro", "rate") else human_us(judged.value)
    return f"{'>= ' if judged.at_least else ''}{value}"


def as_record(found: Found) -> dict[str, Any]:
    """The JSON of a search."""
    record: dict[str, Any] = msgspec.to_builtins(found)
    return record


def print_found(found: Found, console: Console) -> None:
    """The curve, by rate, and the rate."""
    table = Table(box=None, pad_edge=False)
    for title in ("rate", "answered", found.threshold, "errors", ""):
        table.add_column(title, justify="right", no_wrap=True)
    for step in sorted(found.steps, key=lambda step: step.rate):
        cells = (f"{step.rate:,.5g}/s", f"{step.answered_per_second:,.5g}/s", value_shown(step.judged))
        table.add_row(*cells, f"{step.errors:,}", "holds" if step.holds else "fails")
    console.print(table)
    if not found.rate:
        console.print(f"no rate held {found.threshold}", markup=False)
        return
    whose = {"server": "", "generator": ", the generator's limit", "search": ", and none higher was tried"}
    console.print(
        f"{found.threshold} holds up to {found.rate:,.5g} requests/s{whose[found.limited_by]}", markup=False
    )
