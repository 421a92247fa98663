"""What an engine says at its end, beside what it has counted in its row: a letter to the conductor.

Owns the letter and how it becomes a result again.
"""

import msgspec

from gossamer.loadtest.engines.shared import STOOD, EngineRow
from gossamer.loadtest.failures import ErrorKind, ErrorLog, RequestPhase
from gossamer.loadtest.faulty import FaultCounts
from gossamer.loadtest.options import LoadOptions
from gossamer.loadtest.result import RunResult
from gossamer.loadtest.timeline import Interval


class NotedError(msgspec.Struct, frozen=True):
    """One kind of error."""

    kind: str
    phase: str
    count: int
    first_us: int
    last_us: int
    example: str


class EngineLetter(msgspec.Struct, frozen=True):
    """The end of an engine: the figures of `RunResult` that its row does not have, or why there are none."""

    failure: str = ""
    exit_code: int = 0
    errors: list[NotedError] = []
    opening: list[NotedError] = []
    statuses: dict[int, int] = {}
    expected_statuses: dict[int, int] = {}
    sums_us: list[int] = []
    maxima_us: list[int] = []
    intervals: list[Interval] = []
    addresses: tuple[str, ...] = ()
    has_begun: bool = False
    start_us: int = 0
    asked_us: int = 0
    due: int = 0
    stood: int = 0
    sent_in_time: int = 0
    answered_in_time: int = 0
    cpu_share: float = 0.0
    busy_share: float = 0.0
    is_interrupted: bool = False
    faults: FaultCounts | None = None


def letter_of(result: RunResult) -> EngineLetter:
    """What an engine writes of its result."""
    tally = result.tally
    return EngineLetter(
        errors=noted(tally.errors),
        opening=noted(result.opening),
        statuses=tally.statuses,
        expected_statuses=tally.expected_statuses,
        sums_us=[histogram.sum_us for histogram in tally.histograms()],
        maxima_us=[histogram.max_us for histogram in tally.histograms()],
        **{name: getattr(result, name) for name in SHARED_NAMES},
    )


SHARED_NAMES = tuple(
    name
    for name in EngineLetter.__struct_fields__
    if name in RunResult.__struct_fields__ and name != "opening"
)
"""The fields that letter and result have alike."""


def noted(log: ErrorLog) -> list[NotedError]:
    """The errors of a log."""
    return [
        NotedError(each.kind, str(each.phase), each.count, each.first_us, each.last_us, each.example)
        for each in log.by_kind()
    ]


def log_of(errors: list[NotedError]) -> ErrorLog:
    """A log of errors that were written."""
    log = ErrorLog()
    for each in errors:
        kind = ErrorKind(each.kind, RequestPhase(each.phase), each.first_us, each.example)
        kind.count, kind.last_us = each.count, each.last_us
        log.add(kind)
    return log


def result_from(letter: EngineLetter, row: EngineRow, options: LoadOptions) -> RunResult:
    """The result of an engine that ended as it should."""
    tally = row.copied()
    tally.statuses, tally.expected_statuses = letter.statuses, letter.expected_statuses
    tally.errors = log_of(letter.errors)
    for histogram, sum_us, max_us in zip(tally.histograms(), letter.sums_us, letter.maxima_us, strict=True):
        histogram.sum_us, histogram.max_us = sum_us, max_us
    return RunResult(
        options=options,
        tally=tally,
        opening=log_of(letter.opening),
        **{name: getattr(letter, name) for name in SHARED_NAMES},
    )


def result_without(row: EngineRow, options: LoadOptions, how: str) -> RunResult:
    """The result of an engine that died: what stands in its row; that was due which has an outcome."""
    tally = row.copied()
    return RunResult(
        options=options,
        tally=tally,
        opening=ErrorLog(),
        intervals=[],
        addresses=(),
        has_begun=False,
        start_us=0,
        asked_us=0,
        due=tally.outcomes_total,
        stood=max(0, row.words[STOOD] - 1),
        sent_in_time=tally.sent_total,
        answered_in_time=tally.answered_total,
        cpu_share=0.0,
        busy_share=0.0,
        is_interrupted=False,
        engines_lost=(how,),
    )
