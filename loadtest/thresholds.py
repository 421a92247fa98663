"""What a run must fulfil: `p99<50ms`, `errors<0.1%`, `rate>990`.

    METRIC OP VALUE     p50 ... p99.99, mean, max; connect.p99, service.p99: times
                        errors: a share of all requests, or their number; rate: requests a second

Owns the grammar, whether a run meets what was written, and whether it still can. A percentile of which only
the least value is known meets no upper limit. Pure deciders.
"""

import re
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.log_linear import rank_of
from gossamer.loadtest.histogram import Histogram, bucket_of
from gossamer.loadtest.tally import Tally
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.units import parse_duration_us

THRESHOLD: Final = re.compile(
    r"\s*(?:(service|connect|response)\.)?(p[0-9]{1,2}(?:\.[0-9]{1,4})?|p100|mean|max|errors|rate)"
    r"\s*(<=|>=|<|>)\s*(\S+)\s*"
)
ALLOWED: Final = "as in 'p99<50ms', 'mean<10ms', 'errors<0.1%', 'rate>990', 'service.p99.9<1s'"
EARLY_MIN: Final = 100
"""Requests that must have ended before a run is given up early."""


class Threshold(msgspec.Struct, frozen=True):
    """One of them. Units: microseconds, requests a second, a share or a count."""

    text: str
    source: str
    """Which times: response, service or connect."""
    metric: str
    operator: str
    limit: float
    is_share: bool = False

    @property
    def percent(self) -> float | None:
        """The percentile that it is about."""
        return float(self.metric[1:]) if self.metric[0] == "p" else 100.0 if self.metric == "max" else None

    def holds(self, value: float) -> bool:
        """Whether a value is within the limit."""
        if self.operator[0] == "<":
            return value < self.limit or (self.operator == "<=" and value == self.limit)
        return value > self.limit or (self.operator == ">=" and value == self.limit)


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one."""

    text: str
    value: float
    at_least: bool
    """Whether the value may be more."""
    met: bool


def parse_threshold(text: str, flag: str = "--require") -> Threshold:
    """A threshold as it is written. Raises: ConfigError, in one line."""
    found = THRESHOLD.fullmatch(text)
    if found is None:
        raise ConfigError(f"{flag}: found {text!r}; allowed: {ALLOWED}")
    source, metric, operator, value = found.groups()
    is_share = metric == "errors" and value.endswith("%")
    try:
        limit = limit_of(metric, value)
    except ValueError:
        raise ConfigError(f"{flag}: found {text!r}; allowed: {ALLOWED}") from None
    if source and metric in ("errors", "rate"):
        raise ConfigError(f"{flag}: found {text!r}; allowed: {metric} alone, without {source}.")
    return Threshold(text.strip(), source or "response", metric, operator, limit, is_share)


def limit_of(metric: str, value: str) -> float:
    """The figure that is written. Raises: ValueError."""
    if metric == "errors":
        limit = float(value[:-1]) / 100 if value.endswith("%") else float(value)
    elif metric == "rate":
        limit = float(value)
    else:
        if value[-1:].isdigit():
            raise ValueError(value)  # 50 of what?
        limit = float(parse_duration_us(value))
    if not 0 <= limit < float("inf"):
        raise ValueError(value)
    return limit


def histogram_of(threshold: Threshold, tally: Tally) -> Histogram:
    """The times that one is about."""
    found = {"response": tally.response, "service": tally.service, "connect": tally.connect_latency}
    return found[threshold.source]


def judged(threshold: Threshold, tally: Tally, rate: float) -> Judged:
    """Whether a run that is over has met one; nothing was met by a run of no requests."""
    value, at_least = value_of(threshold, tally, rate)
    met = threshold.holds(value) and tally.outcomes_total > 0
    return Judged(threshold.text, value, at_least, met and not (at_least and threshold.operator[0] == "<"))


def value_of(threshold: Threshold, tally: Tally, rate: float) -> tuple[float, bool]:
    """The figure that one is about, and whether it may be more."""
    if threshold.metric == "rate":
        return rate, False
    if threshold.metric == "errors":
        wrong = errors_of(tally)
        return (wrong / max(1, tally.outcomes_total) if threshold.is_share else wrong), False
    histogram = histogram_of(threshold, tally)
    if threshold.metric == "mean":
        return histogram.mean_us(), histogram.floors_total > 0
    percent = threshold.percent or 100.0
    if threshold.metric == "max":
        return histogram.max_us, histogram.floors_total > 0
    return histogram.percentile_us(percent), histogram.is_at_least(percent)


def errors_of(tally: Tally) -> int:
    """Requests that were not answered, or answered wrong."""
    unanswered = tally.outcomes_total - tally.answered_total
    return unanswered + tally.errors_total - tally.failed_total - tally.timed_out_total


def is_hopeless(threshold: Threshold, tally: Tally, due_total: int | None) -> bool:
    """Whether nothing that may still come can make a run meet one; `due_total` is how many requests there
    will be, where that is known."""
    if threshold.operator[0] == ">" or tally.outcomes_total < EARLY_MIN:
        return False
    if threshold.metric == "errors":
        wrong = errors_of(tally)
        whole = due_total if threshold.is_share else 1
        return whole is not None and not threshold.holds(wrong / whole)
    if threshold.metric == "max":
        return not threshold.holds(histogram_of(threshold, tally).max_us)
    percent = threshold.percent
    if percent is None or due_total is None or threshold.source != "response":
        return False
    # One bucket beyond the limit, since a bucket is as exact as a percentile is.
    above = tally.response.count_from(bucket_of(int(threshold.limit)) + 2)
    return above > due_total - rank_of(percent, due_total)


def missed_for_good(
    thresholds: tuple[Threshold, ...], tally: Tally, due_total: int | None
) -> Threshold | None:
    """The first that cannot be met any more."""
    return next((each for each in thresholds if is_hopeless(each, tally, due_total)), None)


def needed_us(threshold: Threshold, rate: float, beyond: int = 10) -> int:
    """How long a run at that rate must be for its percentile to have so many requests beyond it."""
    percent = threshold.percent if threshold.metric != "max" else None
    share = 1 - (percent or 0) / 100
    return int(beyond / max(share, 1e-6) / rate * SECOND_US) if percent else 0
