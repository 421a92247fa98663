"""What changed between two statuses of a server, a second: the figures of `gossamer top`. Pure.

Owns the keys of `gossamer top --json`. A worker whose process was replaced in between began its CPU time
again: what would be negative is 0.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.shards.seen.status import ResponseTimesStatus, ServerStatus, WorkerStatus, response_times_of

HISTORY_MAX: Final = 60
"""How many rates are remembered of each worker."""
BARS: Final = "▁▂▃▄▅▆▇█"


class WorkerRates(msgspec.Struct, frozen=True):
    """One worker, or all of them together, between two looks."""

    id: int | None
    """None of all together."""
    state: str
    connections: int
    requests_per_second: float
    cpu_percent: float
    """Of one processor."""
    rss_bytes: int
    packets_per_second: float
    """In and out."""
    retransmits_per_second: float
    drops_per_second: float
    queue_depth: int
    """Packets that wait in the kernel, and connections that wait to be accepted."""
    restarts: int
    response_times: ResponseTimesStatus = ResponseTimesStatus()
    """Of what was answered between the two looks."""


class ServerRates(msgspec.Struct, frozen=True):
    """All workers between two looks."""

    uptime_us: int
    elapsed_us: int
    workers: list[WorkerRates]
    total: WorkerRates


def rates_between(before: ServerStatus, after: ServerStatus) -> ServerRates:
    """What happened a second between two statuses of one server."""
    elapsed_us = max(1, after.uptime_us - before.uptime_us)
    earlier = {worker.id: worker for worker in before.workers}
    workers = [_of_worker(earlier.get(each.id, each), each, elapsed_us) for each in after.workers]
    return ServerRates(after.uptime_us, elapsed_us, workers, _total(workers))


def _of_worker(before: WorkerStatus, after: WorkerStatus, elapsed_us: int) -> WorkerRates:
    def rate(old: int, new: int) -> float:
        return max(0, new - old) * SECOND_US / elapsed_us

    return WorkerRates(
        id=after.id,
        state=after.state,
        connections=after.connections,
        requests_per_second=rate(before.requests_total, after.requests_total),
        cpu_percent=rate(before.cpu_us, after.cpu_us) * 100 / SECOND_US,
        rss_bytes=after.rss_bytes,
        packets_per_second=rate(_packets(before), _packets(after)),
        retransmits_per_second=rate(before.retransmits_total, after.retransmits_total),
        drops_per_second=rate(sum(before.drops.values()), sum(after.drops.values())),
        queue_depth=after.queue_waiting + after.accept_queue,
        restarts=after.restarts,
        response_times=times_between(before.response_times, after.response_times),
    )


def times_between(before: ResponseTimesStatus, after: ResponseTimesStatus) -> ResponseTimesStatus:
    """Of what was answered between two looks."""
    earlier = dict(before.buckets)
    grown = [(top_us, max(0, count - earlier.get(top_us, 0))) for top_us, count in after.buckets]
    return response_times_of(grown, max(0, after.sum_us - before.sum_us))


def times_together(each: Iterable[ResponseTimesStatus]) -> ResponseTimesStatus:
    """Of several workers."""
    counts: Counter[int] = Counter()
    sum_us = 0
    for times in each:
        sum_us += times.sum_us
        counts.update(dict(times.buckets))
    return response_times_of(sorted(counts.items()), sum_us)


def _packets(worker: WorkerStatus) -> int:
    return worker.packets_in_total + worker.packets_out_total


def _total(workers: list[WorkerRates]) -> WorkerRates:
    sums = {
        name: sum(getattr(worker, name) for worker in workers)
        for name in WorkerRates.__struct_fields__
        if name not in ("id", "state", "response_times")
    }
    together = times_together(worker.response_times for worker in workers)
    return WorkerRates(id=None, state="", **sums, response_times=together)


class RateHistory:
    """The requests a second of the last looks, of each worker and of all together.

    Bounds: HISTORY_MAX for each.
    """

    def __init__(self) -> None:
        self._rates: dict[int | None, deque[float]] = {}

    def add(self, rates: ServerRates) -> None:
        """Remember one look."""
        for each in (*rates.workers, rates.total):
            self._rates.setdefault(each.id, deque(maxlen=HISTORY_MAX)).append(each.requests_per_second)

    def lines(self, width: int) -> Mapping[int | None, str]:
        """The sparkline of each, of the last `width` looks."""
        return {key: sparkline(list(rates)[-width:]) for key, rates in self._rates.items()}


def sparkline(values: list[float]) -> str:
    """A bar for each value, the largest as high as a line."""
    top = max(values, default=0.0)
    if top <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[min(len(BARS) - 1, int(value / top * len(BARS)))] for value in values)
