"""What `gossamer status` shows: the record, and how it is put together from the shared counters. Pure.

Owns the keys of `gossamer status --json`. Times are microseconds, sizes bytes.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gossamer.core.log_linear import percentile_of
from gossamer.core.loop.disk.names import ENGINES
from gossamer.ffi.privileges import CAP_NET_ADMIN, CAP_NET_RAW
from gossamer.shards.machine.procfs import Held
from gossamer.shards.seen.counters import TOTALS, WorkerState, add_totals, drops_of, state_of
from gossamer.shards.web.response_times import COUNTS, SUM, TOPS_US

CAPABILITY_NAMES: Final = {CAP_NET_ADMIN: "CAP_NET_ADMIN", CAP_NET_RAW: "CAP_NET_RAW"}
CAPABILITIES_MAX: Final = 4
"""More are only counted."""

ENDED: Final = "ended"
"""The state of a worker that has no process: it has ended, and is not replaced yet."""


class ResponseTimesStatus(msgspec.Struct, frozen=True):
    """How long responses took, of the static server or of an application, from their request's head to when
    the stack had all of them; over all processes the worker has had. Right to a quarter, as the buckets are.
    """

    count: int = 0
    sum_us: int = 0
    p50_us: int = 0
    p90_us: int = 0
    p99_us: int = 0
    p999_us: int = 0
    buckets: tuple[tuple[int, int], ...] = ()
    """(at most so many microseconds, how many responses and longer than the bucket before), the shortest
    first; empty ones left out."""


class WorkerStatus(msgspec.Struct, frozen=True):
    """One worker."""

    id: int
    pid: int
    state: str
    queues: tuple[int, ...]
    """All that the worker has by now; `queue` is the first, for programs that know of one."""
    cpu: int | None
    cpu_percent: float
    rss_bytes: int
    connections: int
    threads: int
    accepted_total: int
    requests_total: int
    packets_in_total: int
    packets_out_total: int
    retransmits_total: int
    drops: dict[str, int]
    totals: dict[str, int]
    """Every total there is, over all processes this worker has had."""
    restarts: int
    heartbeat_age_us: int
    thread_errors_total: int = 0
    """Threads, a handler's for a connection mostly, that were ended by an error; the log has each."""
    half_open: int = 0
    """Connections in the SYN queues of its listeners."""
    disk: str = ""
    """What reads files: "io_uring", "libaio" or "pool"."""
    accept_queue: int = 0
    """Established connections that wait to be accepted."""
    time_wait: int = 0
    """Connections in TIME-WAIT, beside those that are open; of the functional TCP alone."""
    tasks: int = 0
    """Of asyncio, that an application's requests have begun and not ended."""
    parked: int = 0
    """Connections, of those open, that are kept in few octets since nothing happens on them."""
    checkpoints: int = 0
    """Connections, of those open, that live on if its process is killed."""
    held: Held | None = None
    """What the kernel holds its process to; None while there is none."""
    cpu_us: int = 0
    """CPU time of its present process."""
    queue_waiting: int = 0
    """Packets that wait in the kernel for it, as they were a second ago at most."""
    buffered_bytes: int = 0
    """What its connections hold in buffers of the functional TCP, those that hold much."""
    memory_pressure: int = 0
    """0 while there is memory for that, 1 while it is short (`tcp.memory_bytes`), 2 when there is none."""
    queue: int | None = None
    response_times: ResponseTimesStatus = ResponseTimesStatus()


class KeeperStatus(msgspec.Struct, frozen=True):
    """The process that holds what the others share."""

    pid: int
    holds: int
    """How many descriptors."""
    does: str
    """What it is there for, in words."""


class ServerStatus(msgspec.Struct, frozen=True):
    """The whole server."""

    stack: str
    reason: str
    core: str
    """Which build of the pure core the supervisor runs, and so do its workers: "native", or "interpreted" and
    why."""
    output: str
    """How the functional TCP's segments leave: "frames", or "packets: " and why; "" on kernel sockets."""
    uptime_us: int
    pid: int
    host: str
    port: int
    url: str
    target: str
    generation: int
    reloading: bool
    reload_error: str
    chains: tuple[str, ...]
    workers: list[WorkerStatus]
    rules_restored_total: int = 0
    """Rules of the firewall that somebody removed, and the server has installed again."""
    rules_trouble: str = ""
    """Why rules are missing at this moment; "" when none is."""
    admin: str = ""
    """Where metrics and the dashboard are; "" for nowhere."""
    keeper: KeeperStatus | None = None
    """None where it could not be started, or has ended."""


class ProcessFigures(msgspec.Struct, frozen=True):
    """What is reported of a worker beside its row."""

    id: int
    pid: int
    queues: tuple[int, ...]
    cpu: int | None
    cpu_percent: float
    cpu_us: int
    rss_bytes: int
    restarts: int
    heartbeat_age_us: int
    held: Held | None


def worker_status(
    figures: ProcessFigures, row: Mapping[str, int], carried: Mapping[str, int], kernel: Mapping[str, int]
) -> WorkerStatus:
    """One worker's status: its process, its row, the totals of its dead predecessors, the drops that the
    kernel counted.
    """
    totals = add_totals(add_totals(row, carried), kernel)
    return WorkerStatus(
        id=figures.id,
        pid=figures.pid,
        state=state_of(row["state"]).name.lower() if figures.pid else ENDED,
        queues=figures.queues,
        queue=next(iter(figures.queues), None),
        cpu=figures.cpu,
        cpu_percent=figures.cpu_percent,
        rss_bytes=figures.rss_bytes,
        connections=row["connections"],
        threads=row["threads"],
        accepted_total=totals["accepted_total"],
        requests_total=totals["requests_total"],
        packets_in_total=totals["packets_in_total"],
        packets_out_total=totals["packets_out_total"],
        retransmits_total=totals["retransmits_total"],
        drops=drops_of(totals),
        totals={name: totals[name] for name in TOTALS},
        thread_errors_total=totals["thread_errors_total"],
        disk=ENGINES[row["disk_engine"]] if row["disk_engine"] < len(ENGINES) else "",
        half_open=row["half_open"],
        accept_queue=row["accept_queue"],
        time_wait=row["time_wait"],
        tasks=row["tasks"],
        parked=row["parked"],
        checkpoints=row["checkpoints"],
        restarts=figures.restarts,
        heartbeat_age_us=figures.heartbeat_age_us,
        held=figures.held,
        cpu_us=figures.cpu_us,
        queue_waiting=kernel.get("queue_waiting", 0),
        buffered_bytes=row["buffered_bytes"],
        memory_pressure=row["memory_pressure"],
        response_times=response_times_of(
            [(top, totals[name]) for top, name in zip(TOPS_US, COUNTS, strict=True)], totals[SUM]
        ),
    )


def response_times_of(counted: Iterable[tuple[int, int]], sum_us: int) -> ResponseTimesStatus:
    """What stands in buckets, the lowest first."""
    buckets = tuple((top, count) for top, count in counted if count)
    if not buckets:
        return ResponseTimesStatus()
    p50, p90, p99, p999 = (percentile_of(buckets, percent) for percent in (50, 90, 99, 99.9))
    return ResponseTimesStatus(sum(count for _, count in buckets), sum_us, p50, p90, p99, p999, buckets)


def what_is_not_ready(status: ServerStatus) -> str:
    """Why the server cannot be sent clients, in words; "" when every shard is served."""
    serving = WorkerState.SERVING.name.lower()
    idle = [f"worker {worker.id} is {worker.state}" for worker in status.workers if worker.state != serving]
    return "; ".join(idle + [status.rules_trouble] * bool(status.rules_trouble))


def describe_held(held: Held) -> str:
    """What a worker is held to, as people read it."""
    bits = [bit for bit in range(64) if held.capabilities >> bit & 1]
    capabilities = ", ".join(CAPABILITY_NAMES.get(bit, f"capability {bit}") for bit in bits)
    parts = (
        f"uid {held.uid}",
        f"groups {', '.join(map(str, held.groups))}" if held.groups else "no further groups",
        f"{len(bits)} capabilities" if len(bits) > CAPABILITIES_MAX else capabilities or "no capabilities",
        "no new privileges" if held.no_new_privileges else "may gain privileges",
        "seccomp" if held.has_seccomp else "no seccomp filter",
        f"descriptors {held.descriptors_max}",
        f"memory {held.memory_max}",
    )
    return f"workers: {'; '.join(parts)}"
