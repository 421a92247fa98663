"""A status as metrics: the text formats of Prometheus and of OpenMetrics. Pure.

Owns the names of the metrics. Seconds and bytes, as both formats want it; a total that its worker's process
has counted goes on over restarts, the CPU time and the gauges are those of the present process.

Source: Prometheus, "Text-based format", version 0.0.4; OpenMetrics 1.0.
"""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec

from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.seen.status import ENDED, ServerStatus, WorkerStatus
from gossamer.shards.web.response_times import LAYOUT

PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"

STATES: Final = (*(state.name.lower() for state in WorkerState), ENDED)
PREFIX: Final = "gossamer_"
SECONDS: Final = 1e-6
"""Of a microsecond."""
BOUNDS_US: Final = tuple(1 << exponent for exponent in range(4, LAYOUT.value_bits, 2))
"""Those of the histogram: 16 us, and four times as much again and again, to 17 s. Each begins an octave, so
that no bucket of a row stands on both sides."""

Labels = tuple[tuple[str, str], ...]
Labelled = tuple[Labels, WorkerStatus]


class Metric(msgspec.Struct, frozen=True):
    """One metric with all its samples."""

    name: str
    """Without prefix, and without the `_total` of a counter."""
    kind: Literal["gauge", "counter", "histogram"]
    help: str
    samples: list[tuple[Labels, float]]
    suffixes: tuple[str, ...] = ()
    """What stands behind the name in each sample, where that is not the same in all of them."""


GAUGES: Final = (
    ("worker_connections", "Connections open.", "connections"),
    ("worker_threads", "Threads alive.", "threads"),
    ("worker_tasks", "Tasks of an application's requests.", "tasks"),
    ("worker_connections_half_open", "Connections in the SYN queues.", "half_open"),
    ("worker_connections_unaccepted", "Established connections that wait to be accepted.", "accept_queue"),
    ("worker_queue_waiting", "Packets that wait in the kernel for the worker.", "queue_waiting"),
    ("worker_connections_parked", "Idle connections that are kept in few octets.", "parked"),
    ("worker_buffered_bytes", "Octets in buffers of connections that hold much.", "buffered_bytes"),
    ("worker_memory_pressure", "0: none; 1: memory for buffers is short; 2: full.", "memory_pressure"),
    ("worker_connections_covered", "Connections that live on if the worker is killed.", "checkpoints"),
    ("worker_resident_memory_bytes", "Resident memory.", "rss_bytes"),
)
"""The name, its help and the field of a worker's status."""


def metrics_of(status: ServerStatus) -> Iterator[Metric]:
    """Everything that is told of a server."""
    info = (("stack", status.stack), ("core", status.core), ("output", status.output))
    yield Metric("build_info", "gauge", "The stack, and the build of the TCP.", [(info, 1)])
    yield _of_server("uptime_seconds", "gauge", "Since the start.", status.uptime_us * SECONDS)
    yield _of_server("generation", "gauge", "Grows with each reload.", status.generation)
    yield _of_server("reloading", "gauge", "Whether workers are being replaced.", status.reloading)
    yield _of_server("reload_failed", "gauge", "Whether the last reload failed.", bool(status.reload_error))
    yield _of_server(
        "rules_missing", "gauge", "Whether firewall rules are missing.", bool(status.rules_trouble)
    )
    yield _of_server(
        "rules_restored",
        "counter",
        "Firewall rules removed by others, and restored.",
        status.rules_restored_total,
    )
    workers: list[Labelled] = [((("worker", str(worker.id)),), worker) for worker in status.workers]
    states: list[tuple[Labels, float]] = [
        ((*labels, ("state", state)), worker.state == state) for labels, worker in workers for state in STATES
    ]
    yield Metric("worker_state", "gauge", "1 for the state that the worker is in, else 0.", states)
    for name, text, field in GAUGES:
        yield Metric(name, "gauge", text, [(labels, getattr(worker, field)) for labels, worker in workers])
    yield Metric(
        "worker_heartbeat_age_seconds", "gauge", "Since the last beat of its heart.",
        [(labels, worker.heartbeat_age_us * SECONDS) for labels, worker in workers],
    )  # fmt: skip
    yield Metric(
        "worker_cpu_seconds", "counter", "CPU time of its present process.",
        [(labels, worker.cpu_us * SECONDS) for labels, worker in workers],
    )  # fmt: skip
    yield Metric(
        "worker_restarts", "counter", "Deaths after which it was started again.",
        [(labels, worker.restarts) for labels, worker in workers],
    )  # fmt: skip
    yield from _totals(workers)
    yield _response_times(workers)
    drops: list[tuple[Labels, float]] = [
        ((*labels, ("reason", reason)), count)
        for labels, worker in workers
        for reason, count in worker.drops.items()
    ]
    yield Metric("worker_drops", "counter", "Packets and segments dropped, by reason.", drops)


def _of_server(name: str, kind: Literal["gauge", "counter"], text: str, value: float) -> Metric:
    return Metric(name, kind, text, [((), value)])


def _totals(workers: list[Labelled]) -> Iterator[Metric]:
    """A counter for each total of a row; its name says what it counts."""
    names = dict.fromkeys(name for _, worker in workers for name in worker.totals)
    for name in names:
        plain = name.removesuffix("_total")
        samples: list[tuple[Labels, float]] = [
            (labels, worker.totals.get(name, 0)) for labels, worker in workers
        ]
        yield Metric(f"worker_{plain}", "counter", f"{plain.replace('_', ' ').capitalize()}.", samples)


def _response_times(workers: list[Labelled]) -> Metric:
    """A histogram whose buckets are those of the workers' rows, two octaves of them in each."""
    samples: list[tuple[Labels, float]] = []
    suffixes: list[str] = []
    for labels, worker in workers:
        times = worker.response_times
        for bound_us in BOUNDS_US:
            within = sum(count for top_us, count in times.buckets if top_us < bound_us)
            samples.append(((*labels, ("le", repr(bound_us * SECONDS))), within))
        samples += [
            ((*labels, ("le", "+Inf")), times.count),
            (labels, times.count),
            (labels, times.sum_us * SECONDS),
        ]
        suffixes += ["_bucket"] * (len(BOUNDS_US) + 1) + ["_count", "_sum"]
    text = "From a request's head to when the stack has all of its response."
    return Metric("worker_response_seconds", "histogram", text, samples, tuple(suffixes))


def expose(metrics: Iterable[Metric], *, is_openmetrics: bool) -> str:
    """The metrics as text."""
    lines: list[str] = []
    for metric in metrics:
        sample = f"{PREFIX}{metric.name}{'_total' if metric.kind == 'counter' else ''}"
        suffixes = metric.suffixes or ("",) * len(metric.samples)
        # OpenMetrics: the family of a counter has the name without _total.
        family = f"{PREFIX}{metric.name}" if is_openmetrics else sample
        lines += [f"# HELP {family} {metric.help}", f"# TYPE {family} {metric.kind}"]
        lines += [
            f"{sample}{suffix}{_braced(labels)} {_number(value)}"
            for (labels, value), suffix in zip(metric.samples, suffixes, strict=True)
        ]
    if is_openmetrics:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines)


def _braced(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
