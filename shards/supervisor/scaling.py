"""More workers, or fewer: the thin doer of `shards.supervisor.numbers`, one step at a time.

Owns how many workers are wanted.
"""

import logging
from itertools import count

from gossamer.core.clock import monotonic_us
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.keeper.succession import ServerRecord
from gossamer.shards.log.logs import about
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.numbers import ScalingStep, require_number, scaling_step
from gossamer.shards.supervisor.queues import SharedQueues
from gossamer.shards.supervisor.slot import Slot
from gossamer.shards.supervisor.startup import ServerRun

log = logging.getLogger("gossamer.supervisor")


def _wanted(run: ServerRun, record: ServerRecord) -> int:
    """How many another supervisor wanted, or the configuration that is other than its own."""
    workers = run.config.server.workers
    is_same = workers in (record.config.server.workers, "auto")
    return record.wanted if is_same else int(workers)


class Scaling:
    """The number of workers of a server."""

    def __init__(self, run: ServerRun, children: Children, queues: SharedQueues) -> None:
        self._run = run
        self._children = children
        self._queues = queues
        self.wanted = len(children.staying) if run.estate is None else _wanted(run, run.estate.record)
        """How many workers there are to be."""

    @property
    def is_done(self) -> bool:
        """Whether there are as many as are wanted."""
        return len(self._children.staying) == self.wanted

    def change(self, wanted: int, why: str) -> None:
        """Want another number. Raises: CommandError where there cannot be so many."""
        require_number(self._run.config, self._run.plan, wanted, moves=self._run.moves)
        told = about("server_scaling", wanted=wanted, before=self.wanted, why=why)
        log.info("workers: %d are wanted, not %d; asked by %s", wanted, self.wanted, why, extra=told)
        self.wanted = wanted

    def tick(self) -> None:
        """Have one more worker, or one less, where another number is wanted."""
        children = self._children
        slots = children.staying
        for slot in children.slots:
            if slot.is_left_with_queues:
                self._queues.give_away(slot)
        is_joining = any(slot.is_joining for slot in slots)
        match scaling_step(len(slots), self.wanted, is_joining=is_joining, is_settled=children.is_settled):
            case ScalingStep.JOIN:
                self._join(slots)
            case ScalingStep.ADD:
                self._add()
            case ScalingStep.REMOVE:
                self._remove(slots[-1])

    def _join(self, slots: list[Slot]) -> None:
        ready = [slot for slot in slots if slot.is_serving or slot.is_joining]
        if any(slot.is_replacing for slot in ready) or any(slot.is_beginning for slot in slots):
            return  # Whoever begins with queues reads them any moment now.
        for slot in slots:
            if slot.current is None:
                self._queues.leave_to(slot, ready)
        self._queues.share_among(ready)

    def _add(self) -> None:
        children = self._children
        used = {slot.shard for slot in children.slots}
        slot = Slot(self._run, next(number for number in count() if number not in used))
        if self._run.plan.stack == "kernel":
            try:
                self._run.opened.add_listening(self._run.config, slot.shard, now=False)
            except CannotStartError as error:
                log.error("worker add: %s", error)
                self.wanted = len(children.staying)
                return
        children.slots.append(slot)
        children.slots.sort(key=lambda each: each.shard)
        children.start_again(slot, monotonic_us())

    def _remove(self, slot: Slot) -> None:
        if self._run.moves:
            self._queues.give_away(slot)
        else:
            self._run.opened.refuse_new(slot.shard)
        staying = [each.current for each in self._children.staying if each is not slot and each.current]
        slot.leave(monotonic_us(), self._run.config.server.timeout_graceful_shutdown_us, staying)
