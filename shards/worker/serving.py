"""The threads of a worker: accepting, the supervisor's letters, signals, the supervisor's life.

Owns what a worker does beside serving. All of it runs on the worker's scheduler, as threads like any other.
It knows the stack and the application only as values with a few functions; how the worker ends is `draining`.
"""

import logging
import select
import signal
import socket
from collections.abc import Mapping
from contextvars import copy_context
from typing import Final, NamedTuple

from gossamer.core.io.signals import SignalSocket
from gossamer.core.threads.calls import EpollWait, Fork, Sleep
from gossamer.core.threads.introspection import process_dump
from gossamer.shards.letters.handing import take_over
from gossamer.shards.letters.letters import BuffersLetter, LetterRefusedError, receive_letter
from gossamer.shards.letters.signals import RETIRE, STOPPING, describe_meaningless
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR
from gossamer.shards.opening.root import warn_of_no_entry
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.units import format_size
from gossamer.shards.worker.connectionmoves import ConnectionMoves
from gossamer.shards.worker.draining import WorkerDraining
from gossamer.shards.worker.queuemoves import QueueMoves
from gossamer.shards.worker.running import Running
from gossamer.shards.worker.served import Application
from gossamer.shards.worker.stack import Stack
from gossamer.shards.worker.telling import Telling

log = logging.getLogger("gossamer.worker")

LIMIT_PAUSE_US: Final = 10_000
"""How long accepting rests when the worker has as many connections as it may."""


class Limits(NamedTuple):
    """How many connections a worker has open at most."""

    connections: int
    of_an_address: int
    """Of one client, where the stack counts them."""


class Worker:
    """What a worker does; `running` is what it does it on."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._accepted_total = 0
        self._refused_total = 0
        self._stack: Stack | None = None
        self._application: Application | None = None
        self._draining: WorkerDraining | None = None
        """How it ends; None before it serves."""
        self._moves: QueueMoves | ConnectionMoves | None = None
        """What comes and goes by letters; None before it serves, and where nothing can move."""
        self._limit = 0
        self._telling = Telling(running.scheduler)

    # Serving.

    def serve(
        self,
        stack: Stack,
        application: Application,
        limits: Limits,
        state: WorkerState,
        memories: tuple[int, int] = (NO_DESCRIPTOR, NO_DESCRIPTOR),
    ) -> None:
        """Begin to serve, or wait with all that is needed for the queues to come. `memories` are the one to
        write connections down in, and that of a killed worker whose queues are here."""
        running = self._running
        self._stack, self._application, self._limit = stack, application, limits.connections
        running.at_heartbeat = application.at_heartbeat
        running.count(stack.statistics, application.statistics, self._refused)
        self._telling.begin(stack)
        self._draining = draining = WorkerDraining(running, stack, application, lambda: self._accepted_total)
        accepting = self._accept_for_ever(stack, application, limits, draining)
        running.spawn_essential(accepting, "accept")
        if stack.sockets is not None:
            self._moves = ConnectionMoves(draining, stack.sockets, self._has_room)
        if stack.mobility is not None:
            self._moves = moves = QueueMoves(draining, stack.mobility)
            moves.survive(*memories)
        running.set_state(state)
        running.beat()

    def _refused(self) -> Mapping[str, int]:
        return {"connections_refused_total": self._refused_total}

    def _has_room(self) -> bool:
        """Whether one more connection may be served."""
        return self._stack is not None and self._stack.connections() < self._limit

    async def _accept_for_ever(
        self, stack: Stack, application: Application, limits: Limits, draining: WorkerDraining
    ) -> None:
        serve, isolates = application.serve, application.isolates
        connections, acceptor = stack.connections, stack.acceptor()
        while True:
            try:
                stream = await acceptor.accept()
            except ConnectionAbortedError:
                return  # draining has closed the acceptor
            self._accepted_total += 1
            if stack.networks is not None and stack.networks.of(stream.peer[0]) > limits.of_an_address:
                self._refused_total += 1
                await stream.abort()
                continue
            await Fork(serve(stream), context=copy_context() if isolates else None)
            while connections() >= limits.connections and draining.deadline_us is None:
                await Sleep(LIMIT_PAUSE_US)

    # What the supervisor says.

    async def watch_handed(
        self, channel: socket.socket, held: Mapping[str, int], folders: Mapping[str, str]
    ) -> None:
        """Serve another folder, or write to another file, whenever the supervisor hands one over."""
        while True:
            await EpollWait(channel.fileno(), select.EPOLLIN)
            name = take_over(channel, held, self._telling.take)
            if not name:
                return  # the supervisor is gone
            if name not in folders:
                continue
            warn_of_no_entry(held[name], name, folders[name])
            if self._application is not None:
                self._application.forget()

    async def watch_letters(self, channel: socket.socket, graceful_us: int) -> None:
        """Do what the supervisor's letters say."""
        while True:
            await EpollWait(channel.fileno(), select.EPOLLIN)
            try:
                received = receive_letter(channel)
            except LetterRefusedError as error:
                log.error("%s", error)
                continue
            if received is None:
                return  # the supervisor is gone
            letter, descriptors = received
            if isinstance(letter, BuffersLetter):
                self._allow_buffers(letter.bytes_max)
                continue
            assert self._moves is not None
            self._moves.obey(letter, descriptors, graceful_us)

    def _allow_buffers(self, bytes_max: int) -> None:
        if self._stack is not None and self._stack.allow_memory is not None:
            self._stack.allow_memory(bytes_max)
            log.info("connections hold at most %s in buffers", format_size(bytes_max))

    # Ending.

    async def watch_signals(self, signals: SignalSocket, graceful_us: int) -> None:
        """Drain on SIGTERM, stop on SIGINT; RETIRE is to drain while a successor waits; SIGQUIT writes the
        stacks of all threads, and tasks, to the log. Any other is logged, and changes nothing."""
        while True:
            await EpollWait(signals.fileno(), select.EPOLLIN)
            for number in signals.read():
                if number == RETIRE or number in STOPPING:
                    self._begin_drain(graceful_us, is_retired=number == RETIRE)
                elif number == signal.SIGINT:
                    self._stop_at_once()
                elif number == signal.SIGQUIT:
                    log.warning("stacks of %s", process_dump())
                else:
                    log.warning("%s", describe_meaningless(number, "worker"))

    async def watch_supervisor(self, liveness_fd: int, graceful_us: int) -> None:
        """Drain when the supervisor ends or is gone: nobody would replace or stop us any more."""
        await EpollWait(liveness_fd, select.EPOLLIN)
        if self._draining is not None:
            self._draining.supervisor_gone.set()
        self._begin_drain(graceful_us)

    def _begin_drain(self, graceful_us: int, *, is_retired: bool = False) -> None:
        if self._draining is None:
            self._running.scheduler.stop()
        else:
            self._draining.begin(graceful_us, is_retired=is_retired)

    def _stop_at_once(self) -> None:
        if self._draining is None:
            self._running.scheduler.stop()
        else:
            self._draining.stop_at_once()
