"""What a worker is made of beside what it serves: its scheduler, its row of counters, its heart, and the
threads that it cannot be without.

Owns what is published of a worker, and that it ends where one of these threads fails. What they do is in the
files around this one.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from gossamer.core.clock import Clock
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.seen.counters import Row, WorkerState
from gossamer.shards.worker.served import nothing
from gossamer.shards.worker.stack import Statistics


class Running:
    """A worker that runs, from its start on."""

    def __init__(
        self,
        scheduler: Scheduler,
        row: Row,
        clock: Clock,
        is_last: Callable[[], bool],
        statistics: Sequence[Statistics] = (),
    ) -> None:
        """`is_last` says whether nobody takes over from this worker: the supervisor ends, or has ended."""
        self.scheduler = scheduler
        self.clock = clock
        self.is_last = is_last
        self.at_heartbeat: Callable[[], None] = nothing
        """What the application does at each."""
        self._row = row
        self._sources: list[Statistics] = [scheduler.statistics, *statistics]
        self._failure: BaseException | None = None

    # Threads.

    def spawn_essential(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Start a thread whose failure is the worker's: it ends, and the supervisor replaces it."""
        self.scheduler.spawn(self._essential(coroutine), name)

    async def _essential(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except GeneratorExit:
            raise  # the worker has ended, and what still waited is dropped: no failure, and it hides none
        except BaseException as error:  # noqa: BLE001 - raised again by run, outside of the scheduler
            self._failure = error
            self.scheduler.stop()

    def run(self) -> None:
        """Run until asked to end. Raises: what ended an essential thread."""
        self.scheduler.run()
        self.scheduler.close()
        if self._failure is not None:
            raise self._failure

    # The heart.

    def count(self, *sources: Statistics) -> None:
        """Have each heartbeat publish these too."""
        self._sources += sources

    def set_state(self, state: WorkerState) -> None:
        """Report to the supervisor how far we are."""
        self._row.set("state", state)

    def publish(self, counts: Mapping[str, int]) -> None:
        """Report this to the supervisor now."""
        self._row.publish(counts)

    def beat(self) -> None:
        """Write all counters and the time."""
        for statistics in self._sources:
            self._row.publish(statistics())
        self.at_heartbeat()
        self._row.set("heartbeat_us", self.clock())
