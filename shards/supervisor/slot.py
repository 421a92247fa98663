"""One shard's place in the supervisor: the worker that serves it, its successor, the one that still drains.

Owns the life of the processes of one shard and what they counted. At most two live at once, beside
RETIRED_MAX that have given their queues and still have what could not move. What is to follow a death is
decided in `shards.supervisor.restart`; the slot does it.
"""

import logging
import os
import signal
from collections.abc import Iterator, Mapping, Sequence

from gossamer.shards.keeper.succession import Role, ShardRecord
from gossamer.shards.letters.signals import RETIRE
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR
from gossamer.shards.log.logs import about
from gossamer.shards.machine.procfs import held_to
from gossamer.shards.seen.counters import COLUMNS, WorkerState, add_totals, private_row
from gossamer.shards.seen.status import ProcessFigures, WorkerStatus, worker_status
from gossamer.shards.supervisor.connectionmoves import give_connections
from gossamer.shards.supervisor.launch import WorkerProcess, with_descriptors
from gossamer.shards.supervisor.queuemoves import hand_over
from gossamer.shards.supervisor.startup import ServerRun

log = logging.getLogger("gossamer.supervisor")

RETIRED_MAX = 8
"""Processes of one shard that have retired and still have connections: one slow request keeps one."""
KILL_GRACE_US = 3_000_000
"""How long after its graceful timeout a worker may still take to end by itself."""


class Slot:
    """The processes of one shard."""

    def __init__(self, run: ServerRun, shard: int) -> None:
        self.shard = shard
        self.current: WorkerProcess | None = None
        self.successor: WorkerProcess | None = None
        self.retiring: WorkerProcess | None = None
        self.retired: list[WorkerProcess] = []
        """Those that have given all that could move, and end when what could not has come to its end."""
        self.restart_at_us: int | None = None
        self.restarts = 0
        self.is_leaving = False
        """Whether its worker ends and is not replaced."""
        self.left_behind = NO_DESCRIPTOR
        """The memory in which a killed worker wrote its connections down, for the one that takes over."""
        self._carried: dict[str, int] = {}
        self._run = run
        self._waits = run.plan.stack == "nfqueue" and not run.moves
        """Whether the queue is read by one after the other, instead of being given."""
        self._has_rest = run.moves or run.plan.stack == "kernel"
        """Whether a worker that has given what rests goes on with the rest, for as long as that takes."""
        self._empty_row = dict.fromkeys(COLUMNS, 0)
        self.kernel_row = private_row()
        """What the supervisor counts of the shard."""

    def adopt(self, record: ShardRecord, descriptors: Mapping[str, int], stop_deadline_us: int) -> None:
        """Have the processes that another supervisor has started; one that was to end by itself has until
        then.
        """
        self.restarts, self.is_leaving = record.restarts, record.is_leaving
        self._carried = dict(record.carried)
        for each in record.processes:
            process = WorkerProcess.adopted(each, self.shard, descriptors)
            if each.role == "retired":
                self.retired.append(process)
            else:
                setattr(self, each.role, process)
        if self.current is None:
            self.current, self.successor = self.successor, None
        if self.retiring is not None and not self._has_rest:
            self.retiring.stop_deadline_us = stop_deadline_us

    def record(self) -> ShardRecord:
        """What the next supervisor must know of the shard."""
        single: tuple[tuple[Role, WorkerProcess | None], ...] = (
            ("current", self.current), ("successor", self.successor), ("retiring", self.retiring),
        )  # fmt: skip
        processes = [process.record(role) for role, process in single if process is not None]
        processes += [process.record("retired") for process in self.retired]
        return ShardRecord(self.shard, self.restarts, self.is_leaving, dict(self._carried), tuple(processes))

    def processes(self) -> Iterator[WorkerProcess]:
        """Those that live."""
        for process in (self.current, self.successor, self.retiring, *self.retired):
            if process is not None:
                yield process

    @property
    def is_replacing(self) -> bool:
        """Whether a successor is on its way, or a predecessor has not given all yet."""
        return self.successor is not None or self.retiring is not None

    @property
    def is_settled(self) -> bool:
        """Whether it is served; or, where it is to end, is left with no more than what cannot move."""
        if self.is_leaving:
            return self.current is None or (self._has_rest and self.current.state is WorkerState.DRAINING)
        return self.is_serving and not self.is_replacing

    @property
    def is_serving(self) -> bool:
        """Whether the shard is served."""
        return self.current is not None and self.current.state is WorkerState.SERVING

    def _start(self, why: str, *, waits: bool, is_successor: bool = False) -> WorkerProcess:
        plan = self._run.worker_plan(self.shard, is_successor=is_successor)
        if not is_successor:
            plan = with_descriptors(plan, left_behind=self.left_behind)
        process = WorkerProcess(plan, waits=waits)
        self.leave_nothing_behind()
        told = about("worker_started", worker=self.shard, pid=process.pid, why=why)
        log.info("worker %d (pid %d): started: %s", self.shard, process.pid, why, extra=told)
        return process

    def leave_nothing_behind(self) -> None:
        """Nobody needs to hear any more what a killed worker had."""
        if self.left_behind != NO_DESCRIPTOR:
            os.close(self.left_behind)
            self.left_behind = NO_DESCRIPTOR

    def _keep_what_is_left(self, process: WorkerProcess) -> None:
        """Keep what one has written down whose place is taken by another; unless it is not to be believed."""
        left = process.take_checkpoints()
        if left == NO_DESCRIPTOR:
            return
        is_sound = process.state is not WorkerState.UNSOUND
        if process is self.current and not self.is_taking(process) and is_sound:
            self.leave_nothing_behind()
            self.left_behind = left
        else:
            os.close(left)

    def start(self) -> None:
        """Start the shard's worker; two never read one queue, so it waits for one that still drains."""
        self.restart_at_us = None
        self.current = self._start(
            "the one before it died" if self.restarts else "its shard begins",
            waits=self._waits and self.retiring is not None,
            is_successor=self._run.moves and not self._run.served_queues_of(self.shard),
        )

    def replace(self) -> None:
        """Begin to replace the worker by one of the present configuration, without a gap."""
        if self.current is None:
            return  # it is about to be started anyway
        why = "to replace the present one"
        self.successor = self._start(why, waits=self._waits, is_successor=self._run.moves)

    def advance(self, now_us: int, graceful_us: int) -> None:
        """Retire the old worker once its successor is ready."""
        if self._has_rest and self.retiring is not None and self.retiring.state is WorkerState.DRAINING:
            self.retired.append(self.retiring)
            self.retiring = None
        successor, old = self.successor, self.current
        if successor is None or successor.state not in (WorkerState.WAITING, WorkerState.SERVING):
            return
        self.current, self.successor, self.retiring = successor, None, old
        deadline_us = now_us + graceful_us + KILL_GRACE_US
        if self._run.moves:
            self._move_queues(old, successor)
        elif old is not None:
            self._retire(old, [successor], deadline_us)
        else:
            successor.go()

    def _retire(self, old: WorkerProcess, takers: Sequence[WorkerProcess], deadline_us: int) -> None:
        """Have a worker end: after its connections have gone to these, where they can; else until then."""
        if self._run.plan.stack != "kernel" or not give_connections(old, takers):
            old.ask_to_stop(RETIRE, deadline_us)

    def _move_queues(self, old: WorkerProcess | None, new: WorkerProcess) -> None:
        """Have the shard's queues go from one to the other; where nobody has them, to the other, with what is
        left behind."""
        queues, left = self._run.queues_of(self.shard), self.left_behind
        if not hand_over(self._run, queues, old, new, is_all=True, left_behind=left):
            log.error("worker %d (pid %d): takes no letter: killed", self.shard, new.pid)
            new.send(signal.SIGKILL)

    @property
    def has_joined(self) -> bool:
        """Whether its worker needs no more to serve than what it has."""
        return self.current is not None and self.current.state is not WorkerState.STARTING

    @property
    def is_joining(self) -> bool:
        """Whether its worker is ready, and has no queue yet that it could serve."""
        is_ready = self.current is not None and self.current.state in (
            WorkerState.WAITING,
            WorkerState.SERVING,
        )
        return self._run.moves and is_ready and not self._run.served_queues_of(self.shard)

    @property
    def is_beginning(self) -> bool:
        """Whether its worker is being started, with queues that it reads at once."""
        is_starting = self.current is not None and self.current.state is WorkerState.STARTING
        return is_starting and bool(self._run.served_queues_of(self.shard))

    @property
    def is_left_with_queues(self) -> bool:
        """Whether its worker is to end and has queues: whoever was to take them has died."""
        return self.is_leaving and self.is_serving and bool(self._run.served_queues_of(self.shard))

    def leave(self, now_us: int, graceful_us: int, staying: Sequence[WorkerProcess]) -> None:
        """The worker is to end, and these go on: where it has queues, it has been told to give them."""
        self.is_leaving, self.restart_at_us = True, None
        if self.current is not None and not self._run.moves:
            self._retire(self.current, staying, now_us + graceful_us + KILL_GRACE_US)

    def is_taking(self, process: WorkerProcess) -> bool:
        """Whether it has not taken over yet from one that serves as long."""
        is_current = process is self.current and self.retiring is not None
        return is_current and self.retiring is not None and self.retiring.state is WorkerState.SERVING

    def ended(self, process: WorkerProcess) -> bool:
        """Forget a process that ended; returns whether its end leaves the shard without a worker. Then, and
        where a successor takes its place at once, what it has left behind is kept."""
        self._carried = add_totals(self._carried, process.row.read())
        self._keep_what_is_left(process)
        if process in self.retired:
            self.retired.remove(process)
            return False
        if process is self.retiring:
            self.retiring = None
            if self.current is not None:
                self.current.go()
            return False
        if process is self.successor:
            self.successor = None
            return False
        assert process is self.current
        if self.is_taking(process) and self.retiring is not None:
            # What it was given before it ended is taken back.
            self.current, self.retiring = self.retiring, None
            self.current.stop_deadline_us = None
            return False
        self.current = None
        if self.successor is not None:
            # The one that was to replace it does so at once.
            self.current, self.successor = self.successor, None
            if self._run.moves:
                self._move_queues(None, self.current)
                self.leave_nothing_behind()
            else:
                self.current.go()
            return False
        return True

    def stop(self, number: signal.Signals, deadline_us: int) -> None:
        """Ask all processes to end."""
        self.restart_at_us = None
        for process in self.processes():
            process.go()
            process.ask_to_stop(number, deadline_us)

    def enforce(
        self, now_us: int, heartbeat_timeout_us: int, start_timeout_us: int, awake_since_us: int = 0
    ) -> None:
        """Kill what hangs: at its start, while it serves, or at its end. A heart that could not beat, since
        all of the machine stood still until `awake_since_us`, has its time from then on."""
        for process in self.processes():
            age_us = min(process.heartbeat_age_us(now_us), now_us - awake_since_us)
            limit_us = start_timeout_us if process.state is WorkerState.STARTING else heartbeat_timeout_us
            if process.stop_deadline_us is not None and now_us > process.stop_deadline_us:
                self._tell_killed(process, "did not end in time")
            elif process.state is WorkerState.UNSOUND and process.stop_deadline_us is None:
                self._tell_killed(process, "what it says of its state is none")
            elif age_us > limit_us:
                self._tell_killed(process, f"no heartbeat for {age_us / 1e6:.1f} s")
            else:
                continue
            process.stop_deadline_us = now_us + KILL_GRACE_US
            process.send(signal.SIGKILL)

    def _tell_killed(self, process: WorkerProcess, why: str) -> None:
        told = about("worker_killed", worker=self.shard, pid=process.pid, why=why)
        log.error("worker %d (pid %d): %s: killed", self.shard, process.pid, why, extra=told)

    def status(self, now_us: int) -> WorkerStatus:
        """What `gossamer status` shows of the shard."""
        process, plan = self.current, self._run.plan.shard(self.shard)
        cpu_percent, cpu_us, rss_bytes, age_us = process.figures(now_us) if process else (0.0, 0, 0, 0)
        figures = ProcessFigures(
            id=self.shard,
            pid=process.pid if process else 0,
            queues=self._run.queues_of(self.shard),
            cpu=plan.cpu,
            cpu_percent=cpu_percent,
            cpu_us=cpu_us,
            rss_bytes=rss_bytes,
            restarts=self.restarts,
            heartbeat_age_us=age_us,
            held=held_to(process.pid) if process else None,
        )
        row = process.row.read() if process else self._empty_row
        return worker_status(figures, row, self._carried, self.kernel_row.read())
