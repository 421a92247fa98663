"""Samples of the comparison and what follows from them: pure.

Owns what a cost is (CPU time of a server's whole process tree divided by the units of work that were done:
requests, or MB) and how two contenders are compared: the ratios of pairs of one round, so that what the
machine did meanwhile hits both sides alike; their median, and the interval that holds it.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

import msgspec

from gossamer.loadtest.intervals import Figure, figure

NS_PER_US: Final = 1_000


class Latency(msgspec.Struct, frozen=True):
    """What the client saw. Units: microseconds."""

    p50: float
    p99: float
    p99_9: float


class WebSample(msgspec.Struct, frozen=True):
    """One run of the client against one server."""

    units: float
    """Requests that were answered, or MB that were carried."""
    errors: int
    seconds: float
    server_ns: int
    """CPU time of all tasks of the server's process tree (schedstat)."""
    client_ns: int
    machine_us: int
    """CPU time of the whole machine: server, client, kernel and whatever else ran."""
    peak_rss_bytes: int
    """Of the server's process tree, within this sample."""
    latency_us: Latency | None = None

    @property
    def cost_us(self) -> float:
        """Server CPU time a unit."""
        return self.server_ns / NS_PER_US / self.units

    @property
    def cost_with_client_us(self) -> float:
        """CPU time of server and client a unit."""
        return (self.server_ns + self.client_ns) / NS_PER_US / self.units

    @property
    def rate(self) -> float:
        """Units a second."""
        return self.units / self.seconds


Rounds = Sequence[WebSample | None]
"""The samples of one contender in one case, one a round; None where it failed."""


def pairs(above: Rounds, below: Rounds, of: Callable[[WebSample], float]) -> list[float]:
    """`above` over `below` by some figure of a sample, in the rounds that have both."""
    return [round(of(a) / of(b), 4) for a, b in zip(above, below, strict=False) if a and b and of(b)]


def ratio(above: Rounds, below: Rounds, of: Callable[[WebSample], float]) -> Figure | None:
    """What these pairs say; None where there are none."""
    found = pairs(above, below, of)
    return figure(found) if found else None


def cost_of(sample: WebSample) -> float:
    """Server CPU time a unit."""
    return sample.cost_us


def p50_of(sample: WebSample) -> float:
    """0 where the client knows none."""
    return sample.latency_us.p50 if sample.latency_us else 0.0


def p99_of(sample: WebSample) -> float:
    """0 where the client knows none."""
    return sample.latency_us.p99 if sample.latency_us else 0.0


class Comparison(msgspec.Struct, frozen=True):
    """One contender over the baseline, by each figure that counts."""

    cpu: Figure
    cpu_with_client: Figure
    rate: Figure
    p50: Figure | None
    """None for transfers, which have no latency."""
    p99: Figure | None


def comparison(above: Rounds, below: Rounds) -> Comparison | None:
    """All ratios; None where there is no pair."""
    cpu = ratio(above, below, cost_of)
    both = ratio(above, below, lambda sample: sample.cost_with_client_us)
    rate = ratio(above, below, lambda sample: sample.rate)
    if not (cpu and both and rate):
        return None
    return Comparison(cpu, both, rate, ratio(above, below, p50_of), ratio(above, below, p99_of))


def values_of(sample: WebSample) -> dict[str, float]:
    """A sample of requests in the columns of a bench."""
    found = {"CPU us a request": round(sample.cost_us, 2), "requests/s": round(sample.rate, 1)}
    if sample.latency_us:
        found |= {"p50 us": sample.latency_us.p50, "p99 us": sample.latency_us.p99}
    return found


class CaseFigures(msgspec.Struct, frozen=True):
    """The medians of one contender in one case."""

    rounds: int
    cpu_us_per_unit: float
    cpu_with_client_us_per_unit: float
    machine_us_per_unit: float
    units_per_second: float
    peak_rss_bytes: int
    """The greatest of the rounds."""
    errors_total: int
    latency_us: Latency | None = None


def figures(rounds: Rounds) -> CaseFigures | None:
    """What stands in the table; None where every round failed."""
    samples = [sample for sample in rounds if sample]
    if not samples:
        return None

    def middle(of: Callable[[WebSample], float]) -> float:
        return round(median(map(of, samples)), 3)

    return CaseFigures(
        len(samples),
        middle(lambda sample: sample.cost_us),
        middle(lambda sample: sample.cost_with_client_us),
        middle(lambda sample: sample.machine_us / sample.units),
        middle(lambda sample: sample.rate),
        max(sample.peak_rss_bytes for sample in samples),
        sum(sample.errors for sample in samples),
        _median_latency([sample.latency_us for sample in samples if sample.latency_us]),
    )


def _median_latency(found: list[Latency]) -> Latency | None:
    if not found:
        return None
    columns = zip(*(msgspec.structs.astuple(each) for each in found), strict=True)
    return Latency(*(round(median(column), 1) for column in columns))
