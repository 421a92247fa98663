"""Samples of a benchmark and what follows from them: pure.

Owns how a cost is computed: CPU time of the server's worker processes divided by the requests that were
answered, in interleaved rounds; a comparison is the median of the ratios of pairs of one round, so that
what the machine did meanwhile hits both sides alike.
"""

from statistics import median

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """One run of the client against one server."""

    requests: int
    errors: int
    seconds: float
    server_us: int
    machine_us: int
    softirq_us: int

    @property
    def cost_us(self) -> float:
        """Server CPU time per request."""
        return self.server_us / max(1, self.requests)

    @property
    def machine_cost_us(self) -> float:
        """CPU time of the whole machine per request: server, client, kernel and whatever else ran."""
        return self.machine_us / max(1, self.requests)


Rounds = dict[str, list[Sample]]
"""The samples of each server, one a round, in the order of the rounds."""


def median_cost_us(samples: list[Sample]) -> float:
    """The middle of the rounds."""
    return median(sample.cost_us for sample in samples)


def median_ratio(rounds: Rounds, above: str, below: str) -> float:
    """How many times the cost of `below` the cost of `above` is: the median over the rounds."""
    pairs = zip(rounds[above], rounds[below], strict=True)
    return median(a.cost_us / max(b.cost_us, 1e-9) for a, b in pairs)


class Threshold(msgspec.Struct, frozen=True):
    """A figure that must not be exceeded."""

    name: str
    figure: float
    limit: float
    unit: str
    made_by: str

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps to the limit."""
        return self.figure <= self.limit


def summary(samples: list[Sample]) -> dict[str, float]:
    """The medians of one server, as `--json` prints them."""
    return {
        "cpu_us_per_request": round(median_cost_us(samples), 3),
        "machine_cpu_us_per_request": round(median(s.machine_cost_us for s in samples), 3),
        "softirq_us_per_request": round(median(s.softirq_us / max(1, s.requests) for s in samples), 3),
        "requests_per_second": round(median(s.requests / s.seconds for s in samples), 1),
        "errors_total": sum(s.errors for s in samples),
        "rounds": len(samples),
    }
