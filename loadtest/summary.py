"""The result of a run as one record, as `--json` prints it.

Owns the names of its keys and what each figure divides by. It reads a run that is over and changes nothing.
"""

from typing import Any, Final

from gossamer.loadtest.histogram import Histogram
from gossamer.loadtest.run import LoadRun
from gossamer.loadtest.verdict import RunFigures, verdict

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)


def summary(run: LoadRun) -> dict[str, Any]:
    """Everything that was counted and judged."""
    warned = verdict(figures_of(run))
    return {
        "asked_us": run.asked_us,
        "interrupted": run.is_interrupted,
        "valid": not warned,
        "warnings": [{"name": each.name, "line": each.line} for each in warned],
        **outcomes(run),
        **traffic(run),
        "response_us": distribution(run.tally.response),
        "service_us": distribution(run.tally.service),
        "lag_us": {
            "no_free_connection": distribution(run.tally.connection_lag),
            "generator": distribution(run.tally.generator_lag),
        },
        "connect_us": distribution(run.tally.connect_latency),
    }


def figures_of(run: LoadRun) -> RunFigures:
    """What the verdict is found by."""
    tally = run.tally
    is_open = run.options.rate > 0
    sent_in_time, _ = run.in_time or (tally.sent_total, 0)
    return RunFigures(
        rate=run.options.rate,
        due_in_time=run.due if is_open else tally.sent_total,
        sent_in_time=sent_in_time,
        response_p50_us=tally.response.percentile_us(50),
        connection_lag_p50_us=tally.connection_lag.percentile_us(50),
        generator_lag_p50_us=tally.generator_lag.percentile_us(50),
        cpu_share=run.effort.cpu_share,
        busy_share=run.effort.busy_share,
        connections=run.options.connections,
        connections_stood=run.stood if run.has_begun else run.options.connections,
    )


def outcomes(run: LoadRun) -> dict[str, Any]:
    """What became of the requests: each that was due has one outcome."""
    tally = run.tally
    seconds = max(run.asked_us, 1) / 1e6
    _, answered_in_time = run.in_time or (0, tally.answered_total)
    start_us = run.measured.start_us if run.has_begun else 0
    return {
        "due_total": run.due,
        "requests_total": tally.answered_total,
        "requests_per_second": round(answered_in_time / seconds, 1),
        "failed_total": tally.failed_total,
        "timed_out_total": tally.timed_out_total,
        "in_flight_total": tally.in_flight_total,
        "never_sent": {str(why): count for why, count in tally.never_sent.items()},
        "errors_total": tally.errors_total,
        "errors": [noted.summary(start_us) for noted in tally.errors.by_kind()],
        "expected_statuses": {str(each): tally.expected_statuses[each] for each in tally.expected_statuses},
        "statuses": {str(status): tally.statuses[status] for status in sorted(tally.statuses)},
    }


def traffic(run: LoadRun) -> dict[str, Any]:
    """Connections, bytes, and the generator's own CPU."""
    tally = run.tally
    seconds = max(run.asked_us, 1) / 1e6
    return {
        "connections_stood": run.stood,
        "connections_total": tally.connections_total,
        "connections_refused": [noted.summary(0) for noted in run.opening.by_kind()],
        "addresses": [address[0] for address in run.addresses],
        "reopened_total": tally.reopened_total,
        "received_bytes": tally.received_bytes,
        "sent_bytes": tally.sent_bytes,
        "body_bytes": tally.body_bytes,
        "received_bytes_per_second": round(tally.received_bytes / seconds),
        "cpu_share": round(run.effort.cpu_share, 3),
        "busy_share": round(run.effort.busy_share, 3),
    }


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
        and found["due_total"] == found["requests_total"] > 0
        and not found["errors_total"]
    )
