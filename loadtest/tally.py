"""What a run has counted: the one outcome of each request that was due, bytes, latencies.

    answered | failed, by kind | timed out | in flight at the end | never sent, by reason

Owns the counters of one run; it knows neither sockets nor displays. A request that was not answered stands in
the distributions as "at least so long", by what had passed when it was given up.
"""

from enum import StrEnum
from typing import Final

from gossamer.loadtest.failures import ErrorLog, RequestPhase
from gossamer.loadtest.histogram import BUCKETS, Histogram

STATUS_BAD: Final = 400
"""Answers from this status on are errors."""


HISTOGRAM_NAMES: Final = ("response", "service", "connection_lag", "generator_lag", "connect_latency")
COUNTER_NAMES: Final = (
    "answered_total",
    "failed_total",
    "timed_out_total",
    "in_flight_total",
    "sent_total",
    "connections_total",
    "reopened_total",
    "received_bytes",
    "sent_bytes",
    "body_bytes",
)


class NotSent(StrEnum):
    """Why a request that was due was never sent."""

    NO_CONNECTION = "no free connection"
    GENERATOR = "generator late"


def histograms_in(memory: memoryview | None) -> list[Histogram]:
    """One for each of HISTOGRAM_NAMES, in words of a memory where there is one."""
    if memory is None:
        return [Histogram() for _ in HISTOGRAM_NAMES]
    parts = [memory[BUCKETS * index : BUCKETS * (index + 1)] for index in range(2 * len(HISTOGRAM_NAMES))]
    return [Histogram(*pair) for pair in zip(parts[::2], parts[1::2], strict=True)]


class Tally:
    """The counters of one run; its histograms may stand in a memory that others read."""

    def __init__(self, memory: memoryview | None = None) -> None:
        self.response, self.service, self.connection_lag, self.generator_lag, self.connect_latency = (
            histograms_in(memory)
        )
        """From when a request was due to its whole answer; from when it was sent; how long requests that were
        due waited for a free connection; how long they waited for us; and how long a connection took."""
        self.answered_total = 0
        self.failed_total = 0
        self.timed_out_total = 0
        self.in_flight_total = 0
        self.never_sent = dict.fromkeys(NotSent, 0)
        self.sent_total = 0
        self.connections_total = 0
        self.reopened_total = 0
        """Connections that the server had closed between two requests."""
        self.received_bytes = 0
        self.sent_bytes = 0
        self.body_bytes = 0
        self.statuses: dict[int, int] = {}
        self.expected_statuses: dict[int, int] = {}
        """Of 400 and above: those that a check on the status has judged."""
        self.errors = ErrorLog()

    def histograms(self) -> list[Histogram]:
        """All of them, in the order of HISTOGRAM_NAMES."""
        return [getattr(self, name) for name in HISTOGRAM_NAMES]

    def merge(self, other: "Tally") -> None:
        """Add all that `other` has counted."""
        for name in HISTOGRAM_NAMES:
            getattr(self, name).merge(getattr(other, name))
        for name in COUNTER_NAMES:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for why, count in other.never_sent.items():
            self.never_sent[why] += count
        for ours, theirs in (
            (self.statuses, other.statuses),
            (self.expected_statuses, other.expected_statuses),
        ):
            for status, count in theirs.items():
                ours[status] = ours.get(status, 0) + count
        self.errors.merge(other.errors)

    # The outcomes, one for each request.

    def answered(self, status: int, response_us: int, service_us: int, body_bytes: int) -> None:
        """A whole answer came."""
        self.answered_total += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.body_bytes += body_bytes
        self.response.record(response_us)
        self.service.record(service_us)

    def judged(self, status: int) -> None:
        """A check says whether that status is an error."""
        if status >= STATUS_BAD:
            self.expected_statuses[status] = self.expected_statuses.get(status, 0) + 1

    def failed(self, error: Exception, phase: RequestPhase, at_us: int, seen: bytes) -> None:
        """One request failed, or was given up after its time; `unanswered` says how long it took."""
        self.errors.note(error, phase, at_us, seen)
        if isinstance(error, TimeoutError):
            self.timed_out_total += 1
        else:
            self.failed_total += 1

    def unanswered(self, response_us: int, service_us: int | None) -> None:
        """A request that was given up after so long; it was never sent where it has no service time."""
        self.response.record_at_least(response_us)
        if service_us is not None:
            self.service.record_at_least(service_us)

    def not_sent(self, why: NotSent, age_us: int, count: int = 1) -> None:
        """Requests that were due so long ago, and were never sent."""
        self.never_sent[why] += count
        self.response.record_at_least(age_us, count)

    @property
    def outcomes_total(self) -> int:
        """The requests that have an outcome."""
        ended = self.answered_total + self.failed_total + self.timed_out_total
        return ended + self.in_flight_total + sum(self.never_sent.values())

    # What else is counted.

    def sent(self, count: int, connection_lag_us: int, generator_lag_us: int) -> None:
        """Requests that are sent now, so long after they were due."""
        self.sent_total += count
        self.connection_lag.record(connection_lag_us)
        self.generator_lag.record(generator_lag_us)

    def sent_at_once(self) -> None:
        """A request of a closed loop, which is due when it is sent."""
        self.sent_total += 1
        for lag in (self.connection_lag, self.generator_lag):
            lag.counts[0] += 1
            lag.samples_total += 1

    def answered_at_once(self, status: int, service_us: int, body_bytes: int) -> None:
        """A whole answer to such a request: both its times are the same."""
        self.answered_total += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.body_bytes += body_bytes
        bucket = self.response.record(service_us)
        service = self.service
        service.counts[bucket] += 1
        service.samples_total += 1
        service.sum_us += service_us
        if service_us > service.max_us:
            service.max_us = service_us

    def connected(self, latency_us: int) -> None:
        """Count one connection."""
        self.connections_total += 1
        self.connect_latency.record(latency_us)

    @property
    def errors_total(self) -> int:
        """All errors of transport and protocol, checks that failed, and responses of 4xx and above that no
        check has judged."""
        bad = sum(count for status, count in self.statuses.items() if status >= STATUS_BAD)
        return self.errors.total + bad - sum(self.expected_statuses.values())
