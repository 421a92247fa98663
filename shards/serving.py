"""The threads of a worker: accepting, heartbeat, signals, the supervisor's life, draining.

Owns what a worker does beside serving. All of it runs on the worker's scheduler, as threads like any other.
It knows the stack and the application only as values with a few functions.
"""

import logging
import select
import signal
from collections.abc import Coroutine, Sequence
from contextvars import copy_context
from typing import Any, Final

from gossamer.core.clock import Clock
from gossamer.core.io.signals import SignalSocket
from gossamer.core.threads.calls import EpollWait, Fork, Sleep
from gossamer.core.threads.introspection import all_threads, stack_dump
from gossamer.core.threads.scheduler import Scheduler
from gossamer.shards.application import Application
from gossamer.shards.counters import Row, WorkerState
from gossamer.shards.stack import Stack, Statistics

log = logging.getLogger("gossamer.worker")

RETIRE: Final = signal.SIGUSR1
"""The signal that has a worker make way for its successor."""
HEARTBEAT_US: Final = 100_000
LIMIT_PAUSE_US: Final = 10_000
"""How long accepting rests when the worker has as many connections as it may."""
DRAIN_SETTLE_US: Final = 100_000
"""Between the last accept and the end of idle connections: the first request of a connection that was
accepted a moment ago is still on its way, and is to be answered.
"""
DRAIN_LOOK_US: Final = 20_000


class Worker:
    """The running state of one worker."""

    def __init__(
        self, scheduler: Scheduler, row: Row, clock: Clock, statistics: Sequence[Statistics] = ()
    ) -> None:
        self.scheduler = scheduler
        self._row = row
        self._clock = clock
        self._sources: list[Statistics] = [scheduler.statistics, *statistics]
        self._stack: Stack | None = None
        self._application: Application | None = None
        self._drain_deadline_us: int | None = None
        self._failure: BaseException | None = None

    # Threads that the worker cannot be without.

    def spawn_essential(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Start a thread whose failure is the worker's: it ends, and the supervisor replaces it."""
        self.scheduler.spawn(self._essential(coroutine), name)

    async def _essential(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except GeneratorExit:
            raise  # the worker has ended, and what is left of its threads is thrown away
        except BaseException as error:  # noqa: BLE001 - raised again by run, outside of the scheduler
            self._failure = error
            self.scheduler.stop()

    def run(self) -> None:
        """Run until told to end. Raises: what ended an essential thread."""
        self.scheduler.run()
        self.scheduler.close()
        if self._failure is not None:
            raise self._failure

    # The heart.

    def set_state(self, state: WorkerState) -> None:
        """Tell the supervisor how far we are."""
        self._row.set("state", state)

    def beat(self) -> None:
        """Write all counters and the time."""
        for statistics in self._sources:
            self._row.publish(statistics())
        if self._application is not None:
            self._application.at_heartbeat()
        self._row.set("heartbeat_us", self._clock())

    async def beat_for_ever(self) -> None:
        """Beat about every HEARTBEAT_US."""
        while True:
            self.beat()
            await Sleep(HEARTBEAT_US)

    # Serving.

    def serve(self, stack: Stack, application: Application, limit: int) -> None:
        """Begin to serve."""
        self._stack, self._application = stack, application
        self._sources += [stack.statistics, application.statistics]
        self.spawn_essential(self._accept_for_ever(stack, application, limit), "accept")
        self.set_state(WorkerState.SERVING)
        self.beat()

    async def _accept_for_ever(self, stack: Stack, application: Application, limit: int) -> None:
        serve, isolates = application.serve, application.isolates
        connections = stack.connections
        while True:
            try:
                stream = await stack.acceptor.accept()
            except ConnectionAbortedError:
                return  # draining has closed the acceptor
            await Fork(serve(stream), context=copy_context() if isolates else None)
            while connections() >= limit and self._drain_deadline_us is None:
                await Sleep(LIMIT_PAUSE_US)

    # Ending.

    async def watch_signals(self, signals: SignalSocket, graceful_us: int) -> None:
        """Drain on SIGTERM, stop on SIGINT; RETIRE is to drain while a successor waits; SIGQUIT writes the
        stacks of all threads to the log."""
        while True:
            await EpollWait(signals.fileno(), select.EPOLLIN)
            numbers = signals.read()
            if signal.SIGQUIT in numbers:
                log.warning("stacks of %s", stack_dump(all_threads()))
            for number in numbers:
                if number == RETIRE and self._stack is not None:
                    self._stack.hand_over()
                if number in (RETIRE, signal.SIGTERM):
                    self._begin_drain(graceful_us)
                elif number == signal.SIGINT:
                    self.scheduler.stop()

    async def watch_supervisor(self, liveness_fd: int, graceful_us: int) -> None:
        """Drain when the supervisor is gone: nobody would replace or stop us any more."""
        await EpollWait(liveness_fd, select.EPOLLIN)
        self._begin_drain(graceful_us)

    def _begin_drain(self, graceful_us: int) -> None:
        if self._stack is None or self._application is None:
            self.scheduler.stop()
        elif self._drain_deadline_us is None:
            self._drain_deadline_us = self._clock() + graceful_us
            drain = self._drain(self._stack, self._application, self._drain_deadline_us)
            self.spawn_essential(drain, "drain")

    async def _drain(self, stack: Stack, application: Application, deadline_us: int) -> None:
        self.set_state(WorkerState.DRAINING)
        await stack.acceptor.close()
        await Sleep(min(DRAIN_SETTLE_US, max(0, deadline_us - self._clock())))
        application.drain()
        stack.interrupt_receivers()
        while stack.connections() and self._clock() < deadline_us:
            await Sleep(DRAIN_LOOK_US)
        self.beat()
        self.scheduler.stop()
