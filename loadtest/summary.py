"""The result of a run as one record, as `--json` prints it.

Owns the names of its keys and what each figure divides by. It reads a run that is over and changes nothing.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gossamer.loadtest.histogram import Histogram
from gossamer.loadtest.record import SCHEMA
from gossamer.loadtest.result import RunResult
from gossamer.loadtest.thresholds import judged
from gossamer.loadtest.timeline import Interval
from gossamer.loadtest.verdict import RunFigures, verdict

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)


def summary(result: RunResult) -> dict[str, Any]:
    """Everything that was counted and judged."""
    warned = verdict(figures_of(result))
    tally = result.tally
    return {
        "schema": SCHEMA,
        "asked_us": result.asked_us,
        "interrupted": result.is_interrupted,
        "valid": not warned,
        "warnings": [{"name": each.name, "line": each.line} for each in warned],
        **outcomes(result),
        **traffic(result),
        "thresholds": thresholds_shown(result),
        "ended_by": result.ended_by,
        "response_us": distribution(tally.response),
        "service_us": distribution(tally.service),
        "lag_us": {
            "no_free_connection": distribution(tally.connection_lag),
            "generator": distribution(tally.generator_lag),
        },
        "connect_us": distribution(tally.connect_latency),
        "timeline": [shown_interval(each) for each in result.intervals],
        "faults": faults_shown(result),
    }


def whole_summary(result: RunResult, url: str, stack: str, where: dict[str, Any]) -> dict[str, Any]:
    """The same with what was asked, and where: a `loadtest.record.LoadRecord`."""
    options = result.options
    return {
        "url": url,
        "stack": stack,
        "connections": options.connections,
        "rate": options.rate,
        "arrivals": options.process,
        "seed": options.seed,
        "environment": where,
        **summary(result),
    }


def figures_of(result: RunResult) -> RunFigures:
    """What the verdict is found by."""
    tally, options = result.tally, result.options
    return RunFigures(
        rate=options.rate,
        due_in_time=result.due if options.rate > 0 else tally.sent_total,
        sent_in_time=result.sent_in_time,
        response_p50_us=tally.response.percentile_us(50),
        connection_lag_p50_us=tally.connection_lag.percentile_us(50),
        generator_lag_p50_us=tally.generator_lag.percentile_us(50),
        cpu_share=result.cpu_share,
        busy_share=result.busy_share,
        connections=options.connections,
        connections_stood=result.stood if result.has_begun else options.connections,
        engines_lost=result.engines_lost,
    )


def requests_per_second(result: RunResult) -> float:
    """Answered within the time that was asked for, by that time."""
    return result.answered_in_time * 1e6 / max(result.asked_us, 1)


def outcomes(result: RunResult) -> dict[str, Any]:
    """What became of the requests: each that was due has one outcome."""
    tally = result.tally
    return {
        "due_total": result.due,
        "requests_total": tally.answered_total,
        "requests_per_second": round(requests_per_second(result), 1),
        "failed_total": tally.failed_total,
        "timed_out_total": tally.timed_out_total,
        "in_flight_total": tally.in_flight_total,
        "never_sent": {str(why): count for why, count in tally.never_sent.items()},
        "errors_total": tally.errors_total,
        "errors": [noted.summary(result.start_us) for noted in tally.errors.by_kind()],
        "statuses": by_status(tally.statuses),
        "expected_statuses": by_status(tally.expected_statuses),
    }


def by_status(counts: dict[int, int]) -> dict[str, int]:
    """Counts by code, in order."""
    return {str(status): counts[status] for status in sorted(counts)}


def traffic(result: RunResult) -> dict[str, Any]:
    """Connections, bytes, and the generator's own CPU."""
    tally = result.tally
    seconds = max(result.asked_us, 1) / 1e6
    return {
        "connections_stood": result.stood,
        "connections_total": tally.connections_total,
        "connections_refused": [noted.summary(0) for noted in result.opening.by_kind()],
        "addresses": list(result.addresses),
        "reopened_total": tally.reopened_total,
        "received_bytes": tally.received_bytes,
        "sent_bytes": tally.sent_bytes,
        "body_bytes": tally.body_bytes,
        "received_bytes_per_second": round(tally.received_bytes / seconds),
        "engines": result.engines,
        "cpu_share": round(result.cpu_share, 3),
        "busy_share": round(result.busy_share, 3),
    }


def thresholds_shown(result: RunResult) -> list[dict[str, Any]]:
    """What came of each threshold."""
    rate = requests_per_second(result)
    found = (judged(each, result.tally, rate) for each in result.options.thresholds)
    return [msgspec.to_builtins(each) for each in found]


def faults_shown(result: RunResult) -> dict[str, Any] | None:
    """What packets were to meet, and how many did; None where nothing was asked for."""
    faults, counts = result.options.faults, result.faults
    if faults is None or counts is None:
        return None
    asked = {name: getattr(faults, name) for name in ("loss", "delay_us", "reorder", "duplicate")}
    return {**asked, "seed": result.options.faults_seed, **msgspec.to_builtins(counts)}


def shown_interval(interval: Interval) -> dict[str, Any]:
    """One interval: its figures, and its histogram as [bucket, count, bucket, count ...]."""
    times, lag = interval.times(), interval.lag()
    seconds = max(1, interval.end_us - interval.start_us) / 1e6
    return {
        "start_us": interval.start_us,
        "end_us": interval.end_us,
        "sent": interval.sent,
        "answered": interval.answered,
        "errors": interval.errors,
        "unanswered": interval.unanswered,
        "requests_per_second": round(interval.answered / seconds, 1),
        **{f"p{percent:g}_us": times.percentile_us(percent) for percent in (50.0, 90.0, 99.0)},
        "max_us": times.max_us,
        "lag_p99_us": lag.percentile_us(99),
        "counts": sparse(times.counts),
        "floors": sparse(times.floors),
    }


def sparse(lanes: Iterable[int]) -> list[int]:
    """The buckets that have been used, each before its count."""
    return [each for pair in enumerate(lanes) if pair[1] for each in pair]


def distribution(histogram: Histogram) -> dict[str, Any]:
    """Mean, percentiles and maximum, and the names of those that are the least value. Units: microseconds."""
    named = {f"p{percent:g}": percent for percent in PERCENTILES}
    at_least = [name for name, percent in named.items() if histogram.is_at_least(percent)]
    return {
        "mean": round(histogram.mean_us(), 1),
        **{name: histogram.percentile_us(percent) for name, percent in named.items()},
        "max": histogram.max_us,
        "at_least": ["mean", *at_least, "max"] if histogram.floors_total else [],
    }


def is_whole(found: dict[str, Any]) -> bool:
    """Whether every request was answered, and none with an error."""
    return (
        not found["interrupted"]
        and not any(each["name"] == "engine-lost" for each in found["warnings"])
        and found["due_total"] == found["requests_total"] > 0
        and not found["errors_total"]
    )
