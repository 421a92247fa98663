"""What the buffers of all workers may hold together: each worker's part of it, as workers come and go.

Owns who was told which part. The rule is `part_of`; a worker keeps to it (`core.loop.tcp.memory`). Until it
has heard, a worker has what its configuration says: tcp.memory_bytes.
"""

from typing import Final

from gossamer.shards.letters.letters import BuffersLetter
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.launch import WorkerProcess
from gossamer.shards.supervisor.startup import ServerRun

PART_MIN: Final = 1 << 20
"""The least that `tcp.memory_bytes` may be, too."""
COLUMN: Final = "buffered_bytes_max"
"""Whoever reports it knows the letter: a worker of an older version does not."""


def part_of(whole_bytes: int, workers: int, most_bytes: int) -> int:
    """What each of so many workers may hold.

    >>> part_of(64 << 20, 3, 256 << 20) >> 20, part_of(64 << 20, 100, 256 << 20) >> 20
    (21, 1)
    """
    return min(max(whole_bytes // max(workers, 1), PART_MIN), most_bytes)


class SharedBuffers:
    """Tells workers their parts."""

    def __init__(self, run: ServerRun, children: Children) -> None:
        self._run = run
        self._children = children
        self._told: dict[int, int] = {}
        """By pid."""

    def tick(self) -> None:
        """Have every worker know its part, the retiring ones too: they hold what they hold."""
        config = self._run.config
        if not config.server.limit_buffers_bytes or self._run.plan.stack != "nfqueue":
            return
        processes = list(self._children.processes())
        part = part_of(config.server.limit_buffers_bytes, len(processes), config.tcp.memory_bytes)
        told = {process.pid: self._told.get(process.pid, 0) for process in processes}
        for process in processes:
            is_new = told[process.pid] != part and _hears(process)
            if is_new and process.send_letter(BuffersLetter(part), ()):
                told[process.pid] = part
        self._told = told


def _hears(process: WorkerProcess) -> bool:
    return COLUMN in process.columns and process.state not in (WorkerState.STARTING, WorkerState.UNSOUND)
