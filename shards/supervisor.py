"""The supervisor: starts workers, watches them, replaces them, reloads, stops.

Owns the event loop of the main process: signals, the control socket, a tick for heartbeats. It
serves no request and touches no packet; whether a worker is replaced is decided in `shards.restart`.
"""

import logging
import selectors
import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Final

import msgspec

from gossamer.core import native
from gossamer.core.clock import NEVER_US, monotonic_us
from gossamer.core.errors import what_failed
from gossamer.core.io.signals import SignalSocket
from gossamer.core.printable import printable
from gossamer.shards.admin.server import AdminServer, url_of
from gossamer.shards.config import WORKERS_MAX, Config
from gossamer.shards.control import ControlAnswer, ControlRequest, ControlServer
from gossamer.shards.counters import WorkerState
from gossamer.shards.exitcode import CannotStartError, CommandError, ConfigError, ExitCode, GaveUpError
from gossamer.shards.frames import output_of
from gossamer.shards.handing import identity_of
from gossamer.shards.launch import WorkerProcess
from gossamer.shards.logs import about
from gossamer.shards.orphans import reap_orphans
from gossamer.shards.procfs import read_queues
from gossamer.shards.queuemoves import inherit, share, take_unread, unread
from gossamer.shards.reload import changes_that_need_a_restart
from gossamer.shards.restart import (
    GiveUp,
    History,
    Restart,
    RestartPolicy,
    WorkerExit,
    decide_restart,
    describe_exit,
)
from gossamer.shards.signals import ENDING, NO_LOG_FILES, NO_UPGRADE, STOPPING, describe_meaningless
from gossamer.shards.slot import KILL_GRACE_US, RETIRED_MAX, Slot
from gossamer.shards.startup import ServerRun
from gossamer.shards.status import ServerStatus
from gossamer.shards.tap import require_message_socket, tap_name
from gossamer.shards.units import format_duration

log = logging.getLogger("gossamer.supervisor")

TICK_BUSY_SECONDS: Final = 0.02
TICK_CALM_SECONDS: Final = 0.25
START_PAUSE_US: Final = 1_000_000
"""Between two tries to start a worker that the system refuses."""
KERNEL_DROPS_INTERVAL_US: Final = 1_000_000
SIGNALS: Final = frozenset({signal.SIGCHLD, *ENDING})
"""What `signals` must catch, from before anything is opened until all of it is given back."""
SAID: Final[Mapping[int, str]] = {signal.SIGUSR2: NO_UPGRADE}
HOPELESS: Final = (ExitCode.USAGE, ExitCode.CANNOT_START)
"""Exit codes of a worker that a restart does not cure."""


class Supervisor:
    """Runs one server until it is asked to stop, or gives up."""

    def __init__(
        self,
        run: ServerRun,
        signals: SignalSocket,
        load_config: Callable[[], Config],
        on_ready: Callable[[], None],
    ) -> None:
        self._run = run
        self._signals = signals
        self._load_config = load_config
        self._on_ready = on_ready
        self._selector = selectors.DefaultSelector()
        self._slots = [Slot(run, shard.id) for shard in run.plan.shards]
        self._history = History()
        self._started_us = monotonic_us()
        self._kernel_drops_at_us = 0
        self._is_ready = False
        self._stopping = False
        self._failure: CommandError | None = None
        self._generation = 1
        self._unread: frozenset[int] = frozenset()
        """Queues that nobody read when it was looked at last."""
        self._wanted = len(self._slots)
        """How many workers there are to be."""
        self._reload_error = ""
        self._admin: AdminServer | None = None

    # The loop.

    def run(self) -> None:
        """Serve until stopped. Raises: GaveUpError, CannotStartError, ConfigError."""
        control = ControlServer(self._run.directory.control_path, self._selector, self._answer, self._capture)
        if self._run.admin is not None:
            self._admin = AdminServer(self._run.admin, self._selector, self.status)
        self._selector.register(self._signals, selectors.EVENT_READ, self._signalled)
        try:
            self._start_all()
            while not (self._stopping and not any(True for slot in self._slots for _ in slot.processes())):
                self._turn()
        finally:
            self._kill_all()
            control.close()
            if self._admin is not None:
                self._admin.close()
            self._selector.close()
        if self._failure is not None:
            raise self._failure

    def _turn(self) -> None:
        busy = self._stopping or not self._is_ready or any(slot.is_replacing for slot in self._slots)
        for key, _ in self._selector.select(TICK_BUSY_SECONDS if busy else TICK_CALM_SECONDS):
            key.data()
        self._see_who_ended()
        self._tick(monotonic_us())

    def _tick(self, now_us: int) -> None:
        config = self._run.config
        for slot in self._slots:
            if slot.restart_at_us is not None and now_us >= slot.restart_at_us:
                self._start_again(slot, now_us)
            if not self._stopping:
                slot.advance(now_us, config.server.timeout_graceful_shutdown_us)
            slot.enforce(now_us, config.supervisor.heartbeat_timeout_us, config.supervisor.start_timeout_us)
        if not any(slot.is_replacing for slot in self._slots):
            self._run.settle_config()
        if self._is_ready and not self._stopping:
            self._scale()
        if not self._is_ready and not self._stopping and all(slot.is_serving for slot in self._slots):
            self._is_ready = True
            self._on_ready()
        if self._run.guard is not None and not self._stopping:
            self._run.guard.tick(now_us)
        self._follow_root()
        if self._admin is not None:
            self._admin.tick(now_us)
        if self._run.plan.stack == "nfqueue" and now_us >= self._kernel_drops_at_us:
            self._kernel_drops_at_us = now_us + KERNEL_DROPS_INTERVAL_US
            self._copy_kernel_drops()
            self._see_who_reads()

    def _follow_root(self) -> None:
        """Give the workers another folder where its name leads elsewhere; while they are being replaced those
        of two configurations serve, and this waits.
        """
        if self._stopping or any(slot.is_replacing for slot in self._slots):
            return
        self._run.content.follow()
        self._hand_out(slot.current for slot in self._slots if slot.current is not None)

    def _hand_out(self, processes: Iterable[WorkerProcess]) -> None:
        """Give the workers what they do not have yet of what is held for them."""
        held = {name: (fd, identity_of(fd)) for name, fd in self._run.content.held.items()}
        for process in processes:
            for name, (fd, identity) in held.items():
                process.give(name, fd, identity)

    def _start_all(self) -> None:
        """Start every worker. Raises: CannotStartError."""
        try:
            for slot in self._slots:
                slot.start()
        except OSError as error:
            raise CannotStartError(
                f"cannot start a worker: {what_failed(error)}; {sys.executable} must be a Python that this "
                "user may run, processes and descriptors must be left to it (ulimit -u, -n), and no sandbox "
                "may refuse clone, vfork and execve"
            ) from error

    def _start_again(self, slot: Slot, now_us: int) -> None:
        """Start a worker in place of a dead one; where the system has no descriptor left, later."""
        try:
            slot.start()
        except OSError as error:
            log.error("worker %d: cannot start: %s; trying again", slot.shard, what_failed(error))
            slot.restart_at_us = now_us + START_PAUSE_US

    def _copy_kernel_drops(self) -> None:
        queues = {queue.number: queue for queue in read_queues()}
        for slot in self._slots:
            numbers = self._run.queues_of(slot.shard)
            its = [queues[number] for number in numbers if number in queues]
            slot.kernel_row.set("drop_kernel_queue_full", sum(q.dropped_queue_full_total for q in its))
            slot.kernel_row.set("drop_kernel_socket_full", sum(q.dropped_socket_full_total for q in its))
            slot.kernel_row.set("queue_waiting", sum(q.waiting for q in its))

    # Signals.

    def _signalled(self) -> None:
        for number in self._signals.read():
            if number == signal.SIGHUP:
                self._reload_loudly()
            elif number == signal.SIGINT or (number in STOPPING and self._stopping):
                self.stop(signal.Signals(number).name, at_once=True)
            elif number in STOPPING:
                self.stop(signal.Signals(number).name)
            elif number == signal.SIGQUIT:
                self._dump_threads()
            elif number == signal.SIGUSR1:
                self._reopen_log()
            elif number != signal.SIGCHLD:
                log.warning("%s", SAID.get(number) or describe_meaningless(number, "supervisor"))

    def _reopen_log(self) -> None:
        """Have lines go to the file that has the log's name by now; where none can be, to the old one."""
        try:
            if not self._run.content.reopen_log():
                log.warning("%s", NO_LOG_FILES)
                return
        except ConfigError as error:
            log.error("SIGUSR1: %s; lines go where they went", error)
            return
        log.info("SIGUSR1: the access log is opened again")
        self._hand_out(process for slot in self._slots for process in slot.processes())

    def _dump_threads(self) -> None:
        """Have every worker write the stacks of its threads to the log."""
        for slot in self._slots:
            for process in slot.processes():
                if process.state is not WorkerState.STARTING:
                    process.send(signal.SIGQUIT)

    # Starting and ending.

    def stop(self, why: str, *, at_once: bool = False) -> None:
        """Drain and end; or end at once."""
        self._stopping = True
        graceful_us = 0 if at_once else self._run.config.server.timeout_graceful_shutdown_us
        how = "at once" if at_once else f"draining, {_patience(graceful_us)}"
        log.info("stopping: %s; asked by %s", how, why, extra=about("server_stopping", why=why))
        self._run.begin_end()
        number = signal.SIGINT if at_once else signal.SIGTERM
        for slot in self._slots:
            slot.stop(number, monotonic_us() + graceful_us + KILL_GRACE_US)

    def _fail(self, failure: CommandError) -> None:
        self._failure = failure
        self.stop("its own failure", at_once=True)

    def _kill_all(self) -> None:
        """Leave no process behind, whatever happened."""
        for slot in self._slots:
            for process in slot.processes():
                process.send(signal.SIGKILL)
                process.reap()

    def _see_who_ended(self) -> None:
        """Ask for every child: one SIGCHLD may stand for several."""
        for slot in self._slots:
            for process in tuple(slot.processes()):
                if process.has_ended():
                    self._ended(slot, process)
        if self._run.guard is None or not self._run.guard.is_looking:
            reap_orphans({process.pid for slot in self._slots for process in slot.processes()})

    def _ended(self, slot: Slot, process: WorkerProcess) -> None:
        status = process.reap()
        was_successor = process is slot.successor or slot.is_taking(process)
        ended = WorkerExit(slot.shard, status)
        is_expected = self._stopping or process is slot.retiring
        is_bare = slot.ended(process)
        if is_expected:
            told = about("worker_ended", worker=slot.shard, pid=process.pid, status=status, why="asked to")
            log.info("%s, as it was asked to", describe_exit(ended), extra=told)
        if self._stopping:
            return
        if is_bare and slot.is_leaving:
            self._slots.remove(slot)
            self._run.opened.remove_listening(slot.shard)
            return
        if was_successor:
            self._reload_error = f"{describe_exit(ended)} before it served; the old one goes on"
            self._abandon_successors()
            log.error("reload: %s", self._reload_error, extra=about("reload_failed", why=self._reload_error))
        elif is_bare and status in HOPELESS and not self._is_ready:
            kind = ConfigError if status == ExitCode.USAGE else CannotStartError
            self._fail(kind(f"{describe_exit(ended)}; its own message stands above"))
        elif is_bare:
            self._leave_to_the_living(slot)
            self._restart(slot, ended, process.pid)

    def _leave_to_the_living(self, dead: Slot) -> None:
        """Its queues go to the others, who answer from now on whoever is new."""
        living = {slot.shard: slot.current for slot in self._slots if slot.is_serving and slot.current}
        if self._run.moves and living:
            rows = [(slot.shard, process.row) for slot in self._slots for process in slot.processes()]
            inherit(self._run, dead.shard, living, rows)

    def _see_who_reads(self) -> None:
        """Leave no queue to nobody for longer than two looks."""
        if not self._run.moves or not self._is_settled or self._stopping:
            self._unread = frozenset()
            return
        before = self._unread
        rows = [process.row for slot in self._slots for process in slot.processes()]
        self._unread = unread(self._run, rows)
        workers = {slot.shard: slot.current for slot in self._slots if slot.current is not None}
        take_unread(self._run, before & self._unread, workers)

    # How many there are.

    def _scale(self) -> None:
        """Have one more worker, or one less, where another number is wanted; one step at a time."""
        slots = self._staying
        for slot in self._slots:
            if slot.is_left_with_queues:
                self._give_away(slot)
        if any(slot.is_joining for slot in slots):
            self._join(slots)
        elif not self._is_settled:
            return
        elif len(slots) < self._wanted:
            self._add_worker()
        elif len(slots) > self._wanted:
            self._remove_worker(slots[-1])

    @property
    def _staying(self) -> list[Slot]:
        return [slot for slot in self._slots if not slot.is_leaving]

    @property
    def _is_settled(self) -> bool:
        return all(slot.is_settled for slot in self._slots)

    def _join(self, slots: list[Slot]) -> None:
        ready = [slot for slot in slots if slot.is_serving or slot.is_joining]
        if not any(slot.is_replacing for slot in ready):
            share(self._run, {slot.shard: slot.current for slot in ready if slot.current is not None})

    def _add_worker(self) -> None:
        used = {slot.shard for slot in self._slots}
        slot = Slot(self._run, next(number for number in count() if number not in used))
        if self._run.plan.stack == "kernel":
            try:
                self._run.opened.add_listening(self._run.config, slot.shard)
            except CannotStartError as error:
                log.error("worker add: %s", error)
                self._wanted = len(self._staying)
                return
        self._slots.append(slot)
        self._slots.sort(key=lambda each: each.shard)
        self._start_again(slot, monotonic_us())

    def _give_away(self, leaving: Slot) -> None:
        """Have all its queues go to those who stay."""
        workers = {slot.shard: slot.current for slot in (*self._staying, leaving) if slot.current is not None}
        share(self._run, workers, leaving=leaving.shard)

    def _remove_worker(self, slot: Slot) -> None:
        if self._run.moves:
            self._give_away(slot)
        else:
            self._run.opened.refuse_new(slot.shard)
        slot.leave(monotonic_us(), self._run.config.server.timeout_graceful_shutdown_us)

    def _change_wanted(self, wanted: int) -> None:
        """Raises: CommandError where there cannot be so many."""
        config, plan = self._run.config, self._run.plan
        if plan.stack == "nfqueue" and not self._run.moves:
            raise CommandError(
                "workers: with nfqueue.backend netfilterqueue they come and go by a restart alone"
            )
        most = len(plan.queues) if plan.stack == "nfqueue" else WORKERS_MAX
        if config.nfqueue.active_ports_per_worker and plan.stack == "nfqueue":
            most = len(plan.shards)
        if not 1 <= wanted <= most:
            raise CommandError(f"workers: found {wanted}; allowed: 1 to {most}, until a restart")
        self._wanted = wanted

    def _restart(self, slot: Slot, ended: WorkerExit, pid: int) -> None:
        settings = self._run.config.supervisor
        policy = RestartPolicy(settings.restart_intensity, settings.restart_period_us)
        now_us = monotonic_us()
        match decide_restart(policy, self._history, ended, now_us):
            case GiveUp(reason):
                log.critical("giving up: %s", reason, extra=about("server_gave_up", why=reason))
                self._fail(GaveUpError(reason))
            case Restart(delay_us, history):
                told = about(
                    "worker_died", worker=slot.shard, pid=pid, status=ended.status, restart_in_us=delay_us
                )
                log.error("%s; a new one starts in %g s", describe_exit(ended), delay_us / 1e6, extra=told)
                self._history = history
                slot.restarts += 1
                slot.restart_at_us = now_us + delay_us

    # Reload.

    def reload(self, why: str) -> list[str]:
        """Replace all workers by ones of the configuration as it is now; returns what only a restart would
        change.

        Raises: ConfigError, CannotStartError; then the old ones go on.
        """
        if any(slot.is_replacing for slot in self._slots) or self._stopping or not self._is_ready:
            raise CommandError(
                "reload: workers are being started or replaced at this moment; ask again in a few seconds"
            )
        if any(len(slot.retired) >= RETIRED_MAX for slot in self._slots):
            raise CommandError(
                f"reload: {RETIRED_MAX} earlier workers still answer connections that cannot move, such as "
                "slow downloads; ask again when one of them has ended"
            )
        config, ignored = changes_that_need_a_restart(self._run.config, self._load_config())
        workers = config.server.workers
        if workers not in (self._run.config.server.workers, "auto"):
            self._change_wanted(int(workers))
        self._run.change_config(config)
        self._replace(self._slots)
        self._generation += 1
        told = about("server_reloading", generation=self._generation, why=why)
        notes = "".join(f"; {each}" for each in ignored)
        log.info("reloading: generation %d; asked by %s%s", self._generation, why, notes, extra=told)
        return ignored

    def _reload_loudly(self) -> None:
        try:
            self.reload("SIGHUP")
        except CommandError as error:
            self._reload_error = str(error)
            told = about("reload_failed", why=self._reload_error)
            log.error("reload refused, everything goes on as it was: %s", error, extra=told)

    def _replace_worker(self, worker: int | None) -> None:
        slots = self._slots if worker is None else [slot for slot in self._slots if slot.shard == worker]
        if not slots:
            raise ConfigError(f"worker: found {worker}; allowed: 0 to {len(self._slots) - 1}")
        if any(slot.is_replacing for slot in slots) or self._stopping:
            raise CommandError("worker restart: it is being replaced at this moment")
        self._replace(slots)

    def _replace(self, slots: list[Slot]) -> None:
        self._reload_error = ""
        try:
            for slot in slots:
                slot.replace()
        except OSError as error:
            self._abandon_successors()
            raise CommandError(f"cannot start a worker: {what_failed(error)}") from error

    def _abandon_successors(self) -> None:
        """Return to the configuration that the present workers have, unless all have been replaced since."""
        self._run.revert_config()
        for slot in self._slots:
            if slot.successor is not None:
                slot.successor.send(signal.SIGKILL)

    # The control socket.

    def _answer(self, request: ControlRequest) -> ControlAnswer:
        match request.command:
            case "status":
                return ControlAnswer(True, "", msgspec.to_builtins(self.status()))
            case "stop":
                self.stop("gossamer stop")
                return ControlAnswer(True, "stopping")
            case "reload":
                return ControlAnswer(True, "reloading", self.reload("gossamer reload"))
            case "restart":
                self._replace_worker(request.worker)
                return ControlAnswer(True, "restarting")
            case "add" | "remove":
                self._change_wanted(self._wanted + (1 if request.command == "add" else -1))
                return ControlAnswer(True, f"{self._wanted} workers")
            case "firewall":
                return ControlAnswer(True, "restoring", list(self._restore_rules()))
            case "capture":
                raise CommandError("capture: the request came without a socket for the packets")

    def _capture(self, request: ControlRequest, fd: int) -> ControlAnswer:
        """Have workers tell of their packets over a socket, whose other end asked."""
        if request.command != "capture":
            return self._answer(request)
        if self._run.plan.stack != "nfqueue":
            raise CommandError(f"capture: {self._run.url} runs on kernel sockets, which tcpdump can see")
        slots = [slot for slot in self._slots if request.worker in (None, slot.shard)]
        try:
            require_message_socket(fd)
            names = {slot.shard: tap_name(slot.shard, request.peer) for slot in slots}
        except (OSError, ValueError) as error:
            raise CommandError(f"capture: {error}") from error
        told = [s.shard for s in slots if s.current is not None and s.current.tap(names[s.shard], fd)]
        if not told:
            raise CommandError("capture: no worker of that number serves at this moment")
        log.info("packets of workers %s are captured", told, extra=about("capture_started", why="asked to"))
        return ControlAnswer(True, "capturing", told)

    def _restore_rules(self) -> tuple[str, ...]:
        if self._run.guard is None:
            raise CommandError(f"firewall up: {self._run.url} runs on kernel sockets and needs no rules")
        self._run.guard.restore_now()
        return self._run.chains

    def status(self) -> ServerStatus:
        """What `gossamer status` shows."""
        run, guard = self._run, self._run.guard
        return ServerStatus(
            stack=run.plan.stack,
            reason=run.plan.reason,
            core=native.running(),
            output=output_of(run.config, run.plan.stack, run.opened.why_packets),
            uptime_us=monotonic_us() - self._started_us,
            pid=run.owner.pid,
            host=run.opened.host,
            port=run.opened.port,
            url=run.url,
            target=printable(run.config.server.target),
            generation=self._generation,
            reloading=not self._is_settled or len(self._staying) != self._wanted,
            reload_error=printable(self._reload_error),
            chains=run.chains,
            workers=[slot.status(monotonic_us()) for slot in self._slots],
            rules_restored_total=guard.restored_total if guard else 0,
            rules_trouble=printable(guard.trouble) if guard else "",
            admin=url_of(run.admin),
        )


def _patience(graceful_us: int) -> str:
    """How long draining may take, in words."""
    return (
        "for as long as it takes"
        if graceful_us >= NEVER_US
        else f"for at most {format_duration(graceful_us)}"
    )
