"""The supervisor's loop: signals, the control socket, a tick for heartbeats; the end of the server.

Owns the event loop of the main process, the order of what is done in a turn, and why the server ends. It
serves no request and touches no packet.
"""

import logging
import selectors
import signal
from collections.abc import Callable
from typing import Final

from gossamer.core.clock import NEVER_US, monotonic_us
from gossamer.core.io.signals import SignalSocket
from gossamer.core.printable import printable
from gossamer.shards.admin.server import AdminServer
from gossamer.shards.configuration.config import Config
from gossamer.shards.exitcode import CannotStartError, CommandError, ConfigError, ExitCode, GaveUpError
from gossamer.shards.letters.signals import ENDING, NO_LOG_FILES, STOPPING, describe_meaningless
from gossamer.shards.log.logs import about
from gossamer.shards.rundir.control import ControlServer
from gossamer.shards.seen.status import ServerStatus
from gossamer.shards.supervisor.bequest import Bequest
from gossamer.shards.supervisor.buffers import SharedBuffers
from gossamer.shards.supervisor.children import Children
from gossamer.shards.supervisor.commands import Commands
from gossamer.shards.supervisor.endings import Consequence, EndedProcess, consequence_of
from gossamer.shards.supervisor.notifying import Notifier, ServicePhase
from gossamer.shards.supervisor.queues import SharedQueues
from gossamer.shards.supervisor.replacing import Replacing
from gossamer.shards.supervisor.report import status_of
from gossamer.shards.supervisor.restart import (
    GiveUp,
    History,
    Restart,
    RestartPolicy,
    decide_restart,
    describe_exit,
)
from gossamer.shards.supervisor.scaling import Scaling
from gossamer.shards.supervisor.slot import Slot
from gossamer.shards.supervisor.startup import ServerRun
from gossamer.shards.supervisor.upgrading import Upgrading
from gossamer.shards.units import format_duration

log = logging.getLogger("gossamer.supervisor")

TICK_BUSY_SECONDS: Final = 0.02
TICK_CALM_SECONDS: Final = 0.25
SIGNALS: Final = frozenset({signal.SIGCHLD, *ENDING})
"""What `signals` must catch, from before anything is opened until all of it is given back."""


class Supervisor:
    """Runs one server until it is asked to stop, or gives up."""

    def __init__(
        self,
        run: ServerRun,
        signals: SignalSocket,
        load_config: Callable[[], Config],
        on_ready: Callable[[], None],
        flush: Callable[[], None] = lambda: None,
    ) -> None:
        """`flush` has all that was logged written."""
        self._run = run
        self._signals = signals
        self._on_ready = on_ready
        self._selector = selectors.DefaultSelector()
        self._children = Children(run)
        self._queues = SharedQueues(run, self._children)
        self._buffers = SharedBuffers(run, self._children)
        self._scaling = Scaling(run, self._children, self._queues)
        self._replacing = Replacing(run, self._children, self._scaling, load_config)
        self._bequest = Bequest(run, self._children, self._scaling, self._replacing)
        self._upgrading = Upgrading(run, self._children, self._replacing, self._bequest, flush)
        self._commands = Commands(
            run, self._children, self._scaling, self._replacing, self._upgrading, self.status, self.stop
        )
        self._history = History()
        self._started_us = monotonic_us()
        self._failure: CommandError | None = None
        self._stopping_us = self._started_us
        """When the end was first asked for, and by whom."""
        self._why_stopped = ""
        self._admin: AdminServer | None = None
        self._control: ControlServer | None = None
        self._notifier = Notifier()

    # The loop.

    def run(self) -> None:
        """Serve until stopped. Raises: GaveUpError, CannotStartError, ConfigError."""
        commands, children = self._commands, self._children
        control = ControlServer(self._run.control, self._selector, commands.answer, commands.answer_with)
        self._control = control
        if self._run.admin is not None:
            self._admin = AdminServer(self._run.admin, self._selector, self.status, commands.answer_with)
        self._selector.register(self._signals, selectors.EVENT_READ, self._signalled)
        try:
            self._name_keeper()
            children.start_all()
            self._bequest.tick()
            if self._run.deposit is not None:
                self._selector.register(self._run.deposit, selectors.EVENT_READ, self._keeper_ended)
            while not (children.is_stopping and not any(True for _ in children.processes())):
                self._turn()
                if self._upgrading.is_due and not children.is_stopping:
                    self._upgrading.become()
            self._say_stopped()
        finally:
            self._upgrading.close()
            children.kill_all()
            control.close()
            if self._admin is not None:
                self._admin.close()
            self._selector.close()
        if self._failure is not None:
            raise self._failure

    def _turn(self) -> None:
        children = self._children
        is_changing = children.is_replacing or self._upgrading.is_under_way
        busy = children.is_stopping or not children.is_ready or is_changing
        for key, _ in self._selector.select(TICK_BUSY_SECONDS if busy else TICK_CALM_SECONDS):
            key.data()
        for slot, end in children.see_who_ended():
            self._follow(slot, end)
        self._tick(monotonic_us())

    def _tick(self, now_us: int) -> None:
        children, guard = self._children, self._run.rules.guard
        children.tick(now_us)
        self._replacing.tick()
        if children.is_ready and not children.is_stopping:
            self._scaling.tick()
        if not children.is_ready and not children.is_stopping and children.are_serving:
            children.is_ready = True
            self._on_ready()
        if guard is not None and not children.is_stopping:
            guard.tick(now_us)
        self._notifier.tick(now_us, self._phase(), self._in_one_line())
        children.follow_root()
        if self._control is not None:
            self._control.tick(now_us)
        if self._admin is not None:
            self._admin.tick(now_us)
        self._queues.tick(now_us)
        self._buffers.tick()
        self._upgrading.tick(now_us)
        self._bequest.tick()

    def _name_keeper(self) -> None:
        if self._run.deposit is not None:
            keeper = self._run.deposit.status()
            told = about("keeper_started", pid=keeper.pid, why=keeper.does)
            log.info("keeper (pid %d): holds what workers share %s", keeper.pid, keeper.does, extra=told)

    def _keeper_ended(self) -> None:
        deposit = self._run.deposit
        assert deposit is not None
        self._selector.unregister(deposit)
        log.error(
            "the keeper (pid %d) has ended: workers end with a supervisor that is killed, and there is no "
            "upgrade in place, until the server is started again",
            deposit.keeper.pid,
            extra=about(
                "keeper_died", pid=deposit.keeper.pid, why="it was killed, or ended of its own fault"
            ),
        )
        try:
            self._run.lose_keeper()
        except CommandError as error:
            log.error("the firewall's rules stay those of the keeper: %s", error)

    # Signals.

    def _signalled(self) -> None:
        for number in self._signals.read():
            if number == signal.SIGHUP:
                self._reload_loudly()
            elif number == signal.SIGINT or (number in STOPPING and self._children.is_stopping):
                self.stop(signal.Signals(number).name, at_once=True)
            elif number in STOPPING:
                self.stop(signal.Signals(number).name)
            elif number == signal.SIGQUIT:
                self._children.dump_threads()
            elif number == signal.SIGUSR1:
                self._reopen_log()
            elif number == signal.SIGUSR2:
                self._upgrading.begin_loudly("SIGUSR2")
            elif number != signal.SIGCHLD:
                log.warning("%s", describe_meaningless(number, "supervisor"))

    def _reload_loudly(self) -> None:
        self._notifier.reload_begins()
        try:
            self._replacing.reload("SIGHUP")
        except CommandError as error:
            self._replacing.refused(error)

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
        self._children.hand_out(self._children.processes())

    # Ending.

    def stop(self, why: str, *, at_once: bool = False) -> None:
        """Drain and end; or end at once."""
        graceful_us = 0 if at_once else self._run.config.server.timeout_graceful_shutdown_us
        how = "at once" if at_once else f"draining, {_patience(graceful_us)}"
        log.info("stopping: %s; asked by %s", how, why, extra=about("server_stopping", why=why))
        if not self._children.is_stopping:
            self._stopping_us, self._why_stopped = monotonic_us(), why
        self._run.begin_end()
        self._children.stop(signal.SIGINT if at_once else signal.SIGTERM, graceful_us)

    def _say_stopped(self) -> None:
        took_us = monotonic_us() - self._stopping_us
        log.info(
            "stopped: the last worker has ended, %.1f s after that was asked for",
            took_us / 1e6,
            extra=about("server_stopped", pid=self._run.owner.pid, took_us=took_us, why=self._why_stopped),
        )

    def _fail(self, failure: CommandError) -> None:
        self._failure = failure
        self.stop("its own failure", at_once=True)

    def _follow(self, slot: Slot, end: EndedProcess) -> None:
        """Do what the end of a process asks for."""
        children = self._children
        match consequence_of(end, is_stopping=children.is_stopping, is_ready=children.is_ready):
            case Consequence.FORGET_SHARD:
                children.forget(slot)
            case Consequence.REPLACEMENT_FAILED:
                self._replacing.failed(end.ended)
            case Consequence.SERVER_FAILED:
                kind = ConfigError if end.ended.status == ExitCode.USAGE else CannotStartError
                self._fail(kind(f"{describe_exit(end.ended)}; its own message stands above"))
            case Consequence.REPLACE:
                self._restart(slot, end)
                if not children.is_stopping:
                    self._queues.leave_to_the_living(slot)

    def _restart(self, slot: Slot, end: EndedProcess) -> None:
        settings, ended = self._run.config.supervisor, end.ended
        policy = RestartPolicy(settings.restart_intensity, settings.restart_period_us)
        now_us = monotonic_us()
        match decide_restart(policy, self._history, ended, now_us):
            case GiveUp(reason):
                log.critical("giving up: %s", reason, extra=about("server_gave_up", why=reason))
                self._fail(GaveUpError(reason))
            case Restart(delay_us, history):
                told = about(
                    "worker_died", worker=slot.shard, pid=end.pid, status=ended.status, restart_in_us=delay_us
                )
                when = f"in {delay_us / 1e6:g} s" if delay_us else "at once"
                log.error("%s; a new one starts %s", describe_exit(ended), when, extra=told)
                self._history = history
                slot.restarts += 1
                slot.restart_at_us = now_us + delay_us

    def _phase(self) -> ServicePhase:
        children = self._children
        if children.is_stopping:
            return ServicePhase.STOPPING
        if not children.is_ready:
            return ServicePhase.STARTING
        return ServicePhase.RELOADING if children.is_replacing else ServicePhase.SERVING

    def _in_one_line(self) -> str:
        """What a service manager shows."""
        run, error = self._run, self._replacing.error
        text = f"serves {run.config.server.target} on {run.url}, workers: {len(self._children.slots)}"
        return printable(f"{text}; the last reload failed: {error}" if error else text)

    def status(self) -> ServerStatus:
        """What `gossamer status` shows."""
        return status_of(
            self._run,
            self._children,
            self._scaling,
            self._replacing,
            self._upgrading,
            self._started_us,
        )


def _patience(graceful_us: int) -> str:
    """How long draining may take, in words."""
    return (
        "for as long as it takes"
        if graceful_us >= NEVER_US
        else f"for at most {format_duration(graceful_us)}"
    )
