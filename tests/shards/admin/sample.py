"""A status as a running server gives it, for the tests of what shows it."""

from gossamer.shards.seen.counters import COLUMNS, WorkerState
from gossamer.shards.seen.status import ProcessFigures, ServerStatus, WorkerStatus, worker_status


def sample_worker(shard: int, **counters: int) -> WorkerStatus:
    figures = ProcessFigures(
        id=shard,
        pid=100 + shard,
        queues=(200 + shard,),
        cpu=shard,
        cpu_percent=12.5,
        cpu_us=2_500_000,
        rss_bytes=40 << 20,
        restarts=1,
        heartbeat_age_us=1000,
        held=None,
    )
    row = dict.fromkeys(COLUMNS, 0) | {"state": WorkerState.SERVING, "requests_total": 7} | counters
    return worker_status(figures, row, {}, {"queue_waiting": 3, "drop_kernel_queue_full": 5})


def sample_status(*workers: WorkerStatus) -> ServerStatus:
    return ServerStatus(
        stack="nfqueue",
        reason="as configured",
        core="native",
        output='packets: "a" \\ b\nc',
        uptime_us=1_500_000,
        pid=1,
        host="127.0.0.1",
        port=80,
        url="http://127.0.0.1:80/",
        target="www",
        generation=2,
        reloading=False,
        reload_error="",
        chains=(),
        workers=list(workers) or [sample_worker(0), sample_worker(1)],
    )
