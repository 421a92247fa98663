"""What a run of the comparison found: the records that `--json` prints and `--schema` describes.

Owns their form, and how figures and ratios are made of the samples; measures and shows nothing.
"""

from typing import Final, Literal

import msgspec

from gossamer.loadtest.experiments.experiment import Goal
from gossamer.loadtest.surroundings import Surroundings
from gossamer.loadtest.web.contenders import BASELINE
from gossamer.loadtest.web.links import Case
from gossamer.loadtest.web.sample import CaseFigures, Comparison, WebSample, comparison, figures
from gossamer.loadtest.web.settings import WebSettings

SCHEMA: Final = "gossamer-bench-http/3"


class CaseResult(msgspec.Struct, frozen=True):
    """What was found in one case."""

    row: str
    link: str
    title: str
    conditions: str
    kernel_congestion: str
    """What the servers' kernel ran, read from a connection."""
    unit: str
    figures: dict[str, CaseFigures]
    over_kernel: dict[str, Comparison]
    """Each contender over ours on kernel sockets."""
    samples: dict[str, list[WebSample | None]]
    """One a round; null where the contender failed."""


class WebResult(msgspec.Struct, frozen=True):
    """All of a run."""

    schema: Literal["gossamer-bench-http/3"]
    environment: Surroundings
    settings: WebSettings
    elapsed_s: float
    cases: list[CaseResult]
    notes: list[str]
    goals: list[Goal] = []
    """What applications must cost at most, where both of a pair were asked."""


Samples = dict[str, list[WebSample | None]]


def case_result(case: Case, samples: Samples, congestion: str) -> CaseResult:
    """The figures and ratios of one case."""
    medians = {name: figures(rounds) for name, rounds in samples.items()}
    baseline = samples.get(BASELINE, [])
    compared = {name: comparison(rounds, baseline) for name, rounds in samples.items() if name != BASELINE}
    row = case.row
    conditions = case.link.words(row)
    return CaseResult(
        row.name,
        case.link.name,
        row.title,
        conditions,
        congestion,
        row.unit,
        {name: found for name, found in medians.items() if found},
        {name: found for name, found in compared.items() if found},
        samples,
    )
