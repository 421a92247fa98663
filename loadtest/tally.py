"""What a run has counted: requests, bytes, errors by kind, latencies.

Owns the counters of one run and the names of errors; it knows neither sockets nor displays. Every name is
one of a fixed few, so that no server can make the table grow.
"""

from typing import Any, Final

from gossamer.core.http.client import ResponseError
from gossamer.loadtest.histogram import Histogram

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)

ERROR_KINDS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ConnectionRefusedError, "refused"),
    (ConnectionResetError, "reset"),
    (BrokenPipeError, "reset"),
    (ConnectionAbortedError, "aborted"),
    (TimeoutError, "timeout"),
    (EOFError, "closed early"),
    (ResponseError, "bad response"),
    (OSError, "other"),
)


def kind_of(error: Exception) -> str:
    """The name under which an error is counted."""
    return next(kind for error_type, kind in ERROR_KINDS if isinstance(error, error_type))


class Tally:
    """The counters of one run."""

    def __init__(self) -> None:
        self.latency = Histogram()
        self.connect_latency = Histogram()
        self.requests_total = 0
        self.connections_total = 0
        self.received_bytes = 0
        self.sent_bytes = 0
        self.body_bytes = 0
        self.unfinished_total = 0
        """Requests that had no answer when the time was over."""
        self.statuses = dict.fromkeys(("1xx", "2xx", "3xx", "4xx", "5xx"), 0)
        self.errors: dict[str, int] = {}

    def answered(self, status: int, latency_us: int, body_bytes: int) -> None:
        """Count one response."""
        self.requests_total += 1
        self.statuses[f"{min(max(status // 100, 1), 5)}xx"] += 1
        self.body_bytes += body_bytes
        self.latency.record(latency_us)

    def connected(self, latency_us: int) -> None:
        """Count one connection."""
        self.connections_total += 1
        self.connect_latency.record(latency_us)

    def failed(self, error: Exception) -> None:
        """Count one error by its kind."""
        kind = kind_of(error)
        self.errors[kind] = self.errors.get(kind, 0) + 1

    @property
    def errors_total(self) -> int:
        """All errors of transport and protocol, and responses of 4xx and 5xx."""
        return sum(self.errors.values()) + self.statuses["4xx"] + self.statuses["5xx"]

    def summary(self, elapsed_us: int) -> dict[str, Any]:
        """Everything, as `--json` prints it."""
        seconds = max(elapsed_us, 1) / 1e6
        return {
            "elapsed_us": elapsed_us,
            "requests_total": self.requests_total,
            "requests_per_second": round(self.requests_total / seconds, 1),
            "connections_total": self.connections_total,
            "errors_total": self.errors_total,
            "errors": dict(self.errors),
            "statuses": {name: count for name, count in self.statuses.items() if count},
            "unfinished_total": self.unfinished_total,
            "received_bytes": self.received_bytes,
            "sent_bytes": self.sent_bytes,
            "body_bytes": self.body_bytes,
            "received_bytes_per_second": round(self.received_bytes / seconds),
            "latency_us": latency_summary(self.latency),
            "connect_us": latency_summary(self.connect_latency),
        }


def latency_summary(histogram: Histogram) -> dict[str, float]:
    """Mean, percentiles and maximum. Units: microseconds."""
    named = {f"p{percent:g}": histogram.percentile_us(percent) for percent in PERCENTILES}
    return {"mean": round(histogram.mean_us(), 1), **named, "max": histogram.max_us}
