"""The supervisor's children: every process of every shard, from its start until it is reaped.

Owns the slots, and that no process is left behind. Whether anything follows an end is not asked here.
"""

import logging
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import Final

from gossamer.core.clock import monotonic_us
from gossamer.core.errors import what_failed
from gossamer.shards.exitcode import CannotStartError
from gossamer.shards.keeper.adopted import UNSEEN
from gossamer.shards.letters.handing import identity_of
from gossamer.shards.log.logs import about
from gossamer.shards.machine.orphans import reap_orphans
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.seen.queuewords import readers
from gossamer.shards.supervisor.endings import EndedProcess
from gossamer.shards.supervisor.launch import WorkerProcess
from gossamer.shards.supervisor.restart import WorkerExit, describe_exit
from gossamer.shards.supervisor.slot import KILL_GRACE_US, Slot
from gossamer.shards.supervisor.startup import ServerRun

log = logging.getLogger("gossamer.supervisor")

START_PAUSE_US: Final = 1_000_000
"""Between two tries to start a worker that the system refuses."""
STANDSTILL_US: Final = 1_000_000
"""Several ticks: nothing that a supervisor does takes so long."""


class Children:
    """All worker processes of a server."""

    def __init__(self, run: ServerRun) -> None:
        self._run = run
        self.slots = self._adopted() if run.estate else [Slot(run, shard.id) for shard in run.plan.shards]
        self.others: set[int] = set()
        """Children that are no workers, whom somebody else waits for."""
        self.is_ready = False
        """Whether every shard has been served at once."""
        self.is_stopping = False
        """Whether all were asked to end."""
        self._ticked_us = self._awake_since_us = monotonic_us()

    def _adopted(self) -> list[Slot]:
        assert self._run.estate is not None
        estate, slots = self._run.estate, []
        graceful_us = self._run.config.server.timeout_graceful_shutdown_us
        for record in estate.record.shards:
            slot = Slot(self._run, record.shard)
            slot.adopt(record, estate.descriptors, monotonic_us() + graceful_us + KILL_GRACE_US)
            if any(slot.processes()) or not slot.is_leaving:
                slots.append(slot)
        # The record may be from a moment before the last move.
        rows = [(slot.shard, slot.current.row) for slot in slots if slot.current is not None]
        self._run.owners = readers(self._run.plan.queues, rows, self._run.owners)
        return slots

    # Who there is.

    def processes(self) -> Iterator[WorkerProcess]:
        """Those that live."""
        for slot in self.slots:
            yield from slot.processes()

    def current(self) -> Iterator[WorkerProcess]:
        """One of each shard: the one that serves it, or is about to."""
        return (slot.current for slot in self.slots if slot.current is not None)

    @property
    def staying(self) -> list[Slot]:
        """The shards whose worker is not about to leave."""
        return [slot for slot in self.slots if not slot.is_leaving]

    @property
    def is_replacing(self) -> bool:
        """Whether any worker is on its way, in place of another."""
        return any(slot.is_replacing for slot in self.slots)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way with any."""
        return all(slot.is_settled for slot in self.slots)

    @property
    def are_serving(self) -> bool:
        """Whether every shard is served."""
        return all(slot.is_serving for slot in self.slots)

    # Starting.

    def start_all(self) -> None:
        """Start every worker that is not there yet. Raises: CannotStartError."""
        try:
            for slot in self.slots:
                if slot.current is None and self._run.estate is None:
                    slot.start()
                elif slot.current is None:
                    self.start_again(slot, monotonic_us())
        except OSError as error:
            raise CannotStartError(
                f"cannot start a worker: {what_failed(error)}; {sys.executable} must be a Python that this "
                "user may run, processes and descriptors must be left to it (ulimit -u, -n), and no sandbox "
                "may refuse clone, vfork and execve"
            ) from error

    def start_again(self, slot: Slot, now_us: int) -> None:
        """Start a worker in place of a dead one; where the system has no descriptor left, later."""
        try:
            slot.start()
        except OSError as error:
            log.error("worker %d: cannot start: %s; trying again", slot.shard, what_failed(error))
            slot.restart_at_us = now_us + START_PAUSE_US

    def tick(self, now_us: int) -> None:
        """Start those that are due, retire those that are replaced, kill those that hang."""
        config = self._run.config
        self._see_standstill(now_us)
        for slot in self.slots:
            if slot.restart_at_us is not None and now_us >= slot.restart_at_us:
                self.start_again(slot, now_us)
            if not self.is_stopping:
                slot.advance(now_us, config.server.timeout_graceful_shutdown_us)
            patience = config.supervisor.heartbeat_timeout_us, config.supervisor.start_timeout_us
            slot.enforce(now_us, *patience, self._awake_since_us)

    def _see_standstill(self, now_us: int) -> None:
        """Whoever has not ticked for so long was stopped, or its machine was suspended, and the workers with
        it: their hearts have not beaten, and they hang no more than we did."""
        still_us, self._ticked_us = now_us - self._ticked_us, now_us
        if still_us > STANDSTILL_US:
            self._awake_since_us = now_us
            log.warning("stood still for %.1f s: no heart is judged by that time", still_us / 1e6)

    # What they are given.

    def follow_root(self) -> None:
        """Give the workers another folder where its name leads elsewhere; while they are being replaced those
        of two configurations serve, and this waits.
        """
        if self.is_stopping or self.is_replacing:
            return
        self._run.content.follow()
        self.hand_out(self.current())

    def hand_out(self, processes: Iterable[WorkerProcess]) -> None:
        """Give the workers what they do not have yet of what is held for them."""
        held = {name: (fd, identity_of(fd)) for name, fd in self._run.content.held.items()}
        for process in processes:
            for name, (fd, identity) in held.items():
                process.give(name, fd, identity)

    def dump_threads(self) -> None:
        """Have every worker write the stacks of its threads to the log."""
        for process in self.processes():
            if process.state is not WorkerState.STARTING:
                process.send(signal.SIGQUIT)

    # Ending.

    def see_who_ended(self) -> Iterator[tuple[Slot, EndedProcess]]:
        """Ask for every child: one SIGCHLD may stand for several. Whoever has ended is reaped, and what
        follows is done before the next is asked for.
        """
        for slot in tuple(self.slots):
            for process in tuple(slot.processes()):
                if process.has_ended():
                    yield slot, self._ended(slot, process)
        if self._run.rules.guard is None or not self._run.rules.guard.is_looking:
            reap_orphans({*self.others, *(process.pid for process in self.processes())})

    def _ended(self, slot: Slot, process: WorkerProcess) -> EndedProcess:
        status = process.reap()
        was_successor = process is slot.successor or slot.is_taking(process)
        ended = WorkerExit(slot.shard, status, process.pid)
        why = self._why_asked(slot, process)
        if why:
            told = about("worker_ended", worker=slot.shard, pid=process.pid, status=status, why=why)
            level = logging.INFO if status in (0, UNSEEN) else logging.WARNING
            log.log(level, "%s; it was asked to end: %s", describe_exit(ended), why, extra=told)
        is_bare = slot.ended(process)
        if slot.is_leaving:  # One that was replaced may end after who came in its place.
            is_bare = not any(slot.processes())
        return EndedProcess(ended, process.pid, was_successor, is_bare, slot.is_leaving)

    def _why_asked(self, slot: Slot, process: WorkerProcess) -> str:
        """Why a process was asked to end; "" where it was not."""
        if self.is_stopping:
            return "the server stops"
        if process is slot.retiring or process in slot.retired:
            return "another serves in its place"
        return "one worker less is wanted" if slot.is_leaving else ""

    def forget(self, slot: Slot) -> None:
        """A shard's worker has left for good."""
        self.slots.remove(slot)
        slot.leave_nothing_behind()
        self._run.opened.remove_listening(slot.shard)

    def stop(self, number: signal.Signals, graceful_us: int) -> None:
        """Ask all to end, and kill those that have not in time."""
        self.is_stopping = True
        for slot in self.slots:
            slot.stop(number, monotonic_us() + graceful_us + KILL_GRACE_US)

    def kill_all(self) -> None:
        """Leave no process behind, whatever happened."""
        for process in self.processes():
            process.send(signal.SIGKILL)
            process.reap()
