"""A run as OpenMetrics text, for what collects metrics.

Owns the names of the metrics. Units: seconds and octets.

Source: OpenMetrics 1.0, "Text format".
"""

from collections.abc import Iterator
from typing import Any

from gossamer.loadtest.summary import PERCENTILES


def metrics(found: dict[str, Any]) -> str:
    """The text of the file."""
    return "\n".join([*lines(found), "# EOF\n"])


def lines(found: dict[str, Any]) -> Iterator[str]:
    """All of it but the end."""
    yield from family("requests", "counter", "Requests that were due, by outcome.")
    for outcome, count in outcomes(found).items():
        yield f'gossamer_load_requests_total{{outcome="{outcome}"}} {count}'
    yield from family("responses", "counter", "Answers, by status.")
    for status, count in found["statuses"].items():
        yield f'gossamer_load_responses_total{{status="{status}"}} {count}'
    yield from family("errors", "counter", "What went wrong, by kind and phase.")
    for error in found["errors"]:
        labels = f'kind="{escaped(error["kind"])}",phase="{error["phase"]}"'
        yield f"gossamer_load_errors_total{{{labels}}} {error['count']}"
    for name in ("received", "sent"):
        yield from family(f"{name}_bytes", "counter", f"Octets {name}.", "bytes")
        yield f"gossamer_load_{name}_bytes_total {found[f'{name}_bytes']}"
    yield from family("rate", "gauge", "Answered a second.")
    yield f"gossamer_load_rate {found['requests_per_second']}"
    yield from family("valid", "gauge", "Whether no warning makes the figures doubtful.")
    yield f"gossamer_load_valid {int(found['valid'])}"
    for name in ("response", "service", "connect"):
        yield from family(f"{name}_seconds", "summary", f"Times: {name}.", "seconds")
        yield from quantiles(name, found)


def family(name: str, kind: str, text: str, unit: str = "") -> Iterator[str]:
    """What a metric is."""
    yield f"# TYPE gossamer_load_{name} {kind}"
    if unit:
        yield f"# UNIT gossamer_load_{name} {unit}"
    yield f"# HELP gossamer_load_{name} {text}"


def quantiles(name: str, found: dict[str, Any]) -> Iterator[str]:
    """A summary."""
    times = found[f"{name}_us"]
    for percent in PERCENTILES:
        quantile = f"{percent / 100:.6g}"
        yield f'gossamer_load_{name}_seconds{{quantile="{quantile}"}} {times[f"p{percent:g}"] / 1e6:.6f}'


def outcomes(found: dict[str, Any]) -> dict[str, int]:
    """Each outcome by name."""
    named = {"answered": "requests_total", "failed": "failed_total", "timed out": "timed_out_total"}
    ended = {name: found[key] for name, key in (named | {"in flight": "in_flight_total"}).items()}
    return ended | {f"never sent, {why}": count for why, count in found["never_sent"].items()}


def escaped(text: str) -> str:
    """A value of a label."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
