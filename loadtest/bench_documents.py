"""The JSON of any bench as figures that can be set beside those of another run of it.

    octets -> which bench, where and when, and every figure with its samples: ours, and those of others

A file is whatever somebody has: its figures and samples are bounded, and its texts hold nothing that a
terminal would obey. Owns which figures of which bench are compared, and which way each is better. Figures of
others (asyncio, nginx, ...) no change of ours can move, so what they say of two runs is what the machine did.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from gossamer.loadtest.experiments.experiment import SCHEMA, Document, Goal, Point
from gossamer.loadtest.experiments.rounds import words_of
from gossamer.loadtest.surroundings import Surroundings
from gossamer.loadtest.web.contenders import BASELINE, OURS, title_of
from gossamer.loadtest.web.result import SCHEMA as WEB_SCHEMA
from gossamer.loadtest.web.result import CaseResult, WebResult
from gossamer.loadtest.web.sample import WebSample, cost_of, p50_of, p99_of, pairs
from gossamer.loadtest.web.where import SCHEMA as WHERE_SCHEMA
from gossamer.loadtest.web.where import WhereResult

GOSSAMER: Final = "gossamer"
"""What the names of our series begin with; "nfqueue" and "kernel" are ours as well."""
STACKS: Final = ("nfqueue", "kernel")
FIGURES_MAX: Final = 5_000
SAMPLES_MAX: Final = 1_000
"""Of a figure: --rounds takes 99."""
TEXT_MAX: Final = 400


class Measured(msgspec.Struct, frozen=True):
    """One figure of a run."""

    name: str
    samples: list[float]
    more_is_better: bool
    is_ours: bool


class BenchRun(msgspec.Struct, frozen=True):
    """One run of a bench."""

    bench: str
    environment: Surroundings
    settings: dict[str, Any]
    figures: list[Measured]


class NoBenchError(Exception):
    """What was read is no run of a bench; the message says why, in one line."""


class _Head(msgspec.Struct):
    """What tells of which kind a document is."""

    schema: str


def read_run(octets: bytes) -> BenchRun:
    """A run that was written. Raises: NoBenchError."""
    try:
        schema = msgspec.json.decode(octets, type=_Head).schema
        if schema not in READERS:
            raise NoBenchError(f"its schema is {plain(schema[:80])!r}; known: {', '.join(READERS)}")
        return checked(READERS[schema](octets))
    except (msgspec.DecodeError, UnicodeDecodeError, OverflowError) as error:
        raise NoBenchError(str(error)) from None


def checked(run: BenchRun) -> BenchRun:
    """A run of bounded size, whose texts are plain. Raises: NoBenchError."""
    if len(run.figures) > FIGURES_MAX:
        raise NoBenchError(f"it has {len(run.figures):,} figures; allowed: {FIGURES_MAX:,}")
    most = max((len(each.samples) for each in run.figures), default=0)
    if most > SAMPLES_MAX:
        raise NoBenchError(f"a figure has {most:,} samples; allowed: {SAMPLES_MAX:,}")
    figures = [msgspec.structs.replace(each, name=plain(each.name)) for each in run.figures]
    return msgspec.structs.replace(run, bench=plain(run.bench), figures=figures)


def plain(text: str) -> str:
    """A text of a file as a terminal may have it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:TEXT_MAX])


def _experiment(octets: bytes) -> BenchRun:
    found = msgspec.json.decode(octets, type=Document)
    better = {column.name: column.more_is_better for column in found.axes.columns}
    figures = [each for point in found.points for each in _of_point(point, better)]
    figures += [_of_goal(goal) for goal in found.goals if goal.samples]
    return BenchRun(found.name, found.environment, found.settings, figures)


def _of_point(point: Point, better: dict[str, bool]) -> Iterator[Measured]:
    is_ours = point.series.startswith(GOSSAMER) or point.series in STACKS
    for column in point.figures:
        samples = [values[column] for values in point.rounds if values and column in values]
        if samples:
            name = f"{words_of((point.series, point.x))}: {column}"
            yield Measured(name, samples, better.get(column, False), is_ours)


def _of_goal(goal: Goal) -> Measured:
    return Measured(goal.name, goal.samples, goal.is_least, True)


WEB_FIGURES: Final[tuple[tuple[str, Callable[[WebSample], float], bool], ...]] = (
    ("CPU us", cost_of, False),
    ("rate", lambda sample: sample.rate, True),
    ("p50 us", p50_of, False),
    ("p99 us", p99_of, False),
)
"""Its name, how it is taken of a sample, and whether more of it is better."""


def _web(octets: bytes) -> BenchRun:
    found = msgspec.json.decode(octets, type=WebResult)
    figures = [each for case in found.cases for name in case.samples for each in _of_contender(case, name)]
    return BenchRun("http", found.environment, msgspec.to_builtins(found.settings), figures)


def _of_contender(case: CaseResult, name: str) -> Iterator[Measured]:
    """Its figures; for ours also those over our server on kernel sockets, which the machine moves alike."""
    rounds, baseline = usable(case.samples[name]), usable(case.samples.get(BASELINE, []))
    where = f"{case.row} over {case.link}, {title_of(name)}"
    is_ours = name in OURS
    for what, of, more_is_better in WEB_FIGURES:
        values = [of(sample) for sample in rounds if sample and of(sample)]
        if values:
            yield Measured(f"{where}: {what}", values, more_is_better, is_ours)
        ratios = pairs(rounds, baseline, of)
        if is_ours and name != BASELINE and ratios:
            yield Measured(f"{where}: {what} / kernel's", ratios, more_is_better, True)


def usable(rounds: Sequence[WebSample | None]) -> list[WebSample | None]:
    """Without those that have nothing to divide by."""
    return [sample if sample and sample.units and sample.seconds else None for sample in rounds]


def _where(octets: bytes) -> BenchRun:
    found = msgspec.json.decode(octets, type=WhereResult)
    figures = [
        Measured(f"{path.row}, {title_of(path.contender)}: CPU us", path.rounds, False, True)
        for path in found.paths
        if path.rounds
    ]
    return BenchRun("where", found.environment, msgspec.to_builtins(found.settings), figures)


READERS: Final[dict[str, Callable[[bytes], BenchRun]]] = {
    SCHEMA: _experiment,
    WEB_SCHEMA: _web,
    WHERE_SCHEMA: _where,
}
