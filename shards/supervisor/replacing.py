"""Workers that are replaced while others serve: by a reload all of them, by a restart one or all.

Owns the generation, and why the last replacement came to nothing. Until all new workers have taken over there
is a way back to the configuration before.
"""

import logging
import signal
from collections.abc import Callable
from typing import Final

from gossamer.core.clock import monotonic_us
from gossamer.core.errors import what_failed
from gossamer.shards.configuration.config import Config
from gossamer.shards.configuration.reload import changes_that_need_a_restart
from gossamer.shards.exitcode import CommandError, ConfigError
from gossamer.shards.log.logs import about
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.restart import WorkerExit, describe_exit
from gossamer.shards.supervisor.scaling import Scaling
from gossamer.shards.supervisor.slot import RETIRED_MAX, Slot
from gossamer.shards.supervisor.startup import ServerRun
from gossamer.shards.web.spent import Spent

SPENT: Final = {
    "application.limit_max_requests": "it has had its requests",
    "application.timeout_request": "all threads of its application are held by calls that do not return",
}
"""What each key says of a worker."""

log = logging.getLogger("gossamer.supervisor")


class Replacing:
    """Replacements of a server's workers."""

    def __init__(
        self, run: ServerRun, children: Children, scaling: Scaling, load_config: Callable[[], Config]
    ) -> None:
        self._run = run
        self._children = children
        self._scaling = scaling
        self._load_config = load_config
        self.generation = 1 if run.estate is None else run.estate.record.generation
        self.is_due = run.estate is not None
        """Whether all workers are to be replaced as soon as nothing else is under way: they are another
        supervisor's, perhaps of another version."""
        self.error = ""
        """Why the last one came to nothing; "" where it did not."""
        self._began_us: int | None = None
        """When the one began that is not over."""

    def tick(self) -> None:
        """Once nothing is being replaced, the last configuration has proved itself."""
        children = self._children
        if not children.is_replacing:
            self._run.contents.settle()
        if self._began_us is not None and children.is_settled and not children.is_stopping:
            self._say_replaced(monotonic_us() - self._began_us)
        if self.is_due and children.is_ready and children.is_settled and not children.is_stopping:
            self.is_due = False
            self._replace_adopted()
        elif children.is_ready and not children.is_replacing and not children.is_stopping:
            self._replace_spent()

    def _replace_spent(self) -> None:
        """Replace a worker whose application has had as many requests as one may, or whose threads are all
        held by calls that do not return; one at a time. Where nobody has asked for that, no worker's word is
        taken for it."""
        for slot in self._children.slots:
            why = self._spent_by(slot)
            if why and not slot.is_leaving and len(slot.retired) < RETIRED_MAX:
                told = about("worker_spent", worker=slot.shard, why=why)
                log.info("worker %d is replaced: %s (%s)", slot.shard, SPENT[why], why, extra=told)
                try:
                    self._replace([slot])
                except CommandError as error:
                    self.refused(error)
                return

    def _spent_by(self, slot: Slot) -> str:
        """The key that says when a worker is, where it is; else ""."""
        application = self._run.config.application
        word = 0 if slot.current is None else slot.current.row.get("spent")
        if word == Spent.REQUESTS and application.limit_max_requests:
            return "application.limit_max_requests"
        if word == Spent.HUNG and application.timeout_request_us:
            return "application.timeout_request"
        return ""

    def _say_replaced(self, took_us: int) -> None:
        self._began_us = None
        pids = ", ".join(str(process.pid) for process in self._children.current())
        told = about(
            "workers_replaced", generation=self.generation, took_us=took_us, pids=pids, why="all serve by now"
        )
        log.info(
            "replaced: workers %s serve, generation %d; that took %.1f s",
            *(pids, self.generation, took_us / 1e6),
            extra=told,
        )

    def _replace_adopted(self) -> None:
        self.generation += 1
        told = about("server_reloading", generation=self.generation, why="its workers were taken over")
        log.info("replacing the workers that were taken over: generation %d", self.generation, extra=told)
        try:
            self._replace(self._children.slots)
        except CommandError as error:
            self.refused(error)

    def reload(self, why: str) -> list[str]:
        """Replace all workers by ones of the configuration as it is now; returns what only a restart would
        change.

        Raises: ConfigError, CannotStartError; then the old ones go on.
        """
        self._require_room()
        config, ignored = changes_that_need_a_restart(self._run.config, self._load_config())
        workers = config.server.workers
        if workers not in (self._run.config.server.workers, "auto"):
            self._scaling.change(int(workers), why)
        self._run.contents.change(config)
        self._replace(self._children.slots)
        self.generation += 1
        told = about("server_reloading", generation=self.generation, why=why)
        notes = "".join(f"; {each}" for each in ignored)
        log.info("reloading: generation %d; asked by %s%s", self.generation, why, notes, extra=told)
        return ignored

    def _require_room(self) -> None:
        """Raises: CommandError while a reload cannot begin."""
        children = self._children
        if children.is_replacing or children.is_stopping or not children.is_ready:
            raise CommandError(
                "reload: workers are being started or replaced at this moment; ask again in a few seconds"
            )
        if any(len(slot.retired) >= RETIRED_MAX for slot in children.slots):
            raise CommandError(
                f"reload: {RETIRED_MAX} earlier workers still answer connections that cannot move, such as "
                "slow uploads; ask again when one of them has ended"
            )

    def refused(self, error: CommandError) -> None:
        """A reload that somebody asked for who hears no answer."""
        self.error = str(error)
        told = about("reload_failed", why=self.error)
        log.error("reload refused, everything goes on as it was: %s", error, extra=told)

    def restart(self, worker: int | None, why: str) -> None:
        """Replace one worker, or all. Raises: CommandError."""
        children = self._children
        slots = children.slots if worker is None else [s for s in children.slots if s.shard == worker]
        if not slots:
            raise ConfigError(f"worker: found {worker}; allowed: 0 to {len(children.slots) - 1}")
        if any(slot.is_replacing for slot in slots) or children.is_stopping:
            raise CommandError("worker restart: it is being replaced at this moment")
        self._replace(slots)
        named = ", ".join(str(slot.shard) for slot in slots)
        told = about("workers_replacing", workers=named, why=why)
        log.info("replacing workers %s; asked by %s", named, why, extra=told)

    def _replace(self, slots: list[Slot]) -> None:
        self.error = ""
        self._began_us = monotonic_us()
        try:
            for slot in slots:
                slot.replace()
        except OSError as error:
            self._abandon()
            raise CommandError(f"cannot start a worker: {what_failed(error)}") from error

    def failed(self, ended: WorkerExit) -> None:
        """One that was to replace another has ended before it did."""
        self.error = f"{describe_exit(ended)} before it served; the old one goes on"
        self._abandon()
        log.error("reload: %s", self.error, extra=about("reload_failed", why=self.error))

    def _abandon(self) -> None:
        """Return to the configuration that the present workers have, unless all have been replaced since."""
        self._began_us = None
        self._run.contents.revert()
        for slot in self._children.slots:
            if slot.successor is not None:
                slot.successor.send(signal.SIGKILL)
