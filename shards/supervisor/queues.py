"""Which worker reads which queues while workers come, go and die: asks `shards.supervisor.queuemoves` for it.

Owns what is known of queues that nobody reads. On kernel sockets, and where queues do not move, it does
nothing.
"""

import logging
from collections.abc import Iterable
from typing import Final

from gossamer.shards.log.logs import about
from gossamer.shards.machine.procfs import read_queues
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.launch import WorkerProcess
from gossamer.shards.supervisor.queuemoves import inherit, share, take_unread, unread
from gossamer.shards.supervisor.slot import Slot
from gossamer.shards.supervisor.startup import ServerRun

log = logging.getLogger("gossamer.supervisor")

LOOK_INTERVAL_US: Final = 1_000_000
"""Between two looks at what the kernel counts, and at who reads."""


class SharedQueues:
    """The queues of a server."""

    def __init__(self, run: ServerRun, children: Children) -> None:
        self._run = run
        self._children = children
        self._look_at_us = 0
        self._unread: frozenset[int] = frozenset()
        """SharedQueues that nobody read when it was looked at last."""

    def tick(self, now_us: int) -> None:
        """Look, if it is time."""
        if self._run.plan.stack == "nfqueue" and now_us >= self._look_at_us:
            self._look_at_us = now_us + LOOK_INTERVAL_US
            self._copy_kernel_drops()
            self._see_who_reads()

    def _copy_kernel_drops(self) -> None:
        try:
            queues = {queue.number: queue for queue in read_queues()}
        except PermissionError:
            return  # The start has warned of it.
        for slot in self._children.slots:
            numbers = self._run.queues_of(slot.shard)
            its = [queues[number] for number in numbers if number in queues]
            numbers = self._run.handshake_queues_of(slot.shard)
            handshakes = [queues[number] for number in numbers if number in queues]
            row, both = slot.kernel_row, its + handshakes
            row.set("drop_kernel_queue_full", sum(q.dropped_queue_full_total for q in its))
            row.set("drop_kernel_handshakes_full", sum(q.dropped_queue_full_total for q in handshakes))
            row.set("drop_kernel_socket_full", sum(q.dropped_socket_full_total for q in both))
            row.set("queue_waiting", sum(q.waiting for q in both))

    def _see_who_reads(self) -> None:
        """Leave no queue to nobody for longer than two looks."""
        children = self._children
        if not self._run.moves or not children.is_settled or children.is_stopping:
            self._unread = frozenset()
            return
        before = self._unread
        rows = [(slot.shard, process.row) for slot in children.slots for process in slot.processes()]
        self._unread = unread(self._run, rows)
        take_unread(self._run, before & self._unread, _workers(children.slots))

    def leave_to_the_living(self, dead: Slot) -> None:
        """The queues of a dead worker go to the others, with the connections that it has left behind."""
        self.leave_to(dead, [slot for slot in self._children.slots if slot.is_serving])

    def leave_to(self, dead: Slot, heirs: Iterable[Slot]) -> None:
        """The same for those who are to have them, if there are any."""
        slots = self._children.slots
        living = _workers(heirs)
        if self._run.moves and living:
            rows = [(slot.shard, process.row) for slot in slots for process in slot.processes()]
            inherit(self._run, dead.shard, living, rows, dead.left_behind)
            named = ", ".join(map(str, living))
            told = about("queues_inherited", worker=dead.shard, heirs=named, why="it has no process")
            log.info("worker %d: its queues are read by workers %s meanwhile", dead.shard, named, extra=told)
            dead.leave_nothing_behind()

    def share_among(self, slots: Iterable[Slot]) -> None:
        """Have all queues shared evenly by the workers of these shards."""
        share(self._run, _workers(slots))

    def give_away(self, leaving: Slot) -> None:
        """Have all queues of one go to those who stay."""
        share(self._run, _workers((*self._children.staying, leaving)), leaving=leaving.shard)


def _workers(slots: Iterable[Slot]) -> dict[int, WorkerProcess]:
    return {slot.shard: slot.current for slot in slots if slot.current is not None}
