"""The threads of a worker: accepting, signals, the supervisor's life, draining.

Owns what a worker does beside serving. All of it runs on the worker's scheduler, as threads like any other.
It knows the stack and the application only as values with a few functions.
"""

import logging
import os
import select
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextvars import copy_context
from itertools import islice
from typing import Any, Final, NamedTuple

from gossamer.core.clock import NEVER_US, SECOND_US, Clock
from gossamer.core.io.signals import SignalSocket
from gossamer.core.loop.sock.moving import SockMoving
from gossamer.core.threads.calls import EpollWait, Fork, Sleep
from gossamer.core.threads.cancel import move_on_after
from gossamer.core.threads.introspection import process_dump
from gossamer.core.threads.scheduler import Scheduler
from gossamer.core.threads.sync import Event
from gossamer.shards.letters.handing import take_over
from gossamer.shards.letters.letters import (
    BuffersLetter,
    GiveLetter,
    LetterRefusedError,
    TakeLetter,
    receive_letter,
)
from gossamer.shards.letters.signals import RETIRE, STOPPING, describe_meaningless
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR
from gossamer.shards.moving.handover import LOOK_US, Giver, Taker
from gossamer.shards.moving.link import WorkerLink
from gossamer.shards.moving.mobility import Mobility, every
from gossamer.shards.moving.socketmoves import SocketGiver, SocketGivers, SocketTaker
from gossamer.shards.opening.root import warn_of_no_entry
from gossamer.shards.seen.counters import Row, WorkerState
from gossamer.shards.seen.queuewords import words_of
from gossamer.shards.units import format_size
from gossamer.shards.worker.served import Application
from gossamer.shards.worker.stack import Stack, Statistics
from gossamer.shards.worker.telling import Telling

log = logging.getLogger("gossamer.worker")

LIMIT_PAUSE_US: Final = 10_000
"""How long accepting rests when the worker has as many connections as it may."""
DRAIN_SETTLE_US: Final = 250_000
"""How long the handshake of a connection may take to its end, and its first request from then on: each is a
round trip. Before that no listener is closed, and no connection for being idle.
"""
DRAIN_LOOK_US: Final = 20_000


class Limits(NamedTuple):
    """How many connections a worker has open at most."""

    connections: int
    of_an_address: int
    """Of one client, where the stack counts them."""


class Worker:
    """The running state of one worker."""

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
        self._row = row
        self._clock = clock
        self._is_last = is_last
        self._accepted_total = 0
        self._refused_total = 0
        self._sources: list[Statistics] = [scheduler.statistics, *statistics]
        self._stack: Stack | None = None
        self._application: Application | None = None
        self._drain_deadline_us: int | None = None
        self._is_stopping = False
        self._failure: BaseException | None = None
        self._supervisor_gone = Event()
        self._givers: list[Giver] = []
        self._socket_givers: SocketGivers | None = None
        self._socket_taker: SocketTaker | None = None
        self._limit = 0
        self._telling = Telling(scheduler)

    # Threads that the worker cannot be without.

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

    def set_state(self, state: WorkerState) -> None:
        """Report to the supervisor how far we are."""
        self._row.set("state", state)

    def beat(self) -> None:
        """Write all counters and the time."""
        for statistics in self._sources:
            self._row.publish(statistics())
        if self._application is not None:
            self._application.at_heartbeat()
        self._row.set("heartbeat_us", self._clock())

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
        self._stack, self._application, self._limit = stack, application, limits.connections
        self._sources += [stack.statistics, application.statistics]
        self._sources.append(lambda: {"connections_refused_total": self._refused_total})
        self._telling.begin(stack)
        self.spawn_essential(self._accept_for_ever(stack, application, limits), "accept")
        if stack.sockets is not None:
            stack.sockets.idle, stack.sockets.continuing = application.idle, application.continuing
            self._socket_givers = SocketGivers(stack.sockets)
            self._socket_taker = SocketTaker(stack.sockets, self._has_room)
        if stack.mobility is not None:
            stack.mobility.loop.saving.idle = application.idle
            stack.mobility.loop.saving.continuing = application.continuing
            stack.mobility.on_change = self._say_queues
            self._say_queues()
            self._begin_to_survive(stack.mobility, application, *memories)
        self.set_state(state)
        self.beat()

    @staticmethod
    def _begin_to_survive(
        mobility: Mobility, application: Application, checkpoints: int, left_behind: int
    ) -> None:
        """Write down what could go on in another worker, and go on with what another one has left."""
        can_go_on = application.idle is not None or application.continuing is not None
        if checkpoints != NO_DESCRIPTOR and can_go_on:
            mobility.keep_checkpoints(checkpoints)
        elif checkpoints != NO_DESCRIPTOR:
            os.close(checkpoints)
        if left_behind != NO_DESCRIPTOR:
            mobility.restore(left_behind, every)

    async def _accept_for_ever(self, stack: Stack, application: Application, limits: Limits) -> None:
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
            while connections() >= limits.connections and self._drain_deadline_us is None:
                await Sleep(LIMIT_PAUSE_US)

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

    # Queues that come and go.

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
            sockets = self._stack.sockets if self._stack is not None else None
            if sockets is not None:
                link = WorkerLink(socket.socket(fileno=descriptors[0]))
                self._move_sockets(sockets, letter, link, graceful_us)
            elif isinstance(letter, GiveLetter):
                self.spawn_essential(self._give(letter, descriptors, graceful_us), "give")
            else:
                self._mobility().expect(letter.queues)
                self.spawn_essential(self._take(letter, descriptors), "take")

    def _allow_buffers(self, bytes_max: int) -> None:
        if self._stack is not None and self._stack.allow_memory is not None:
            self._stack.allow_memory(bytes_max)
            log.info("connections hold at most %s in buffers", format_size(bytes_max))

    async def _take(self, letter: TakeLetter, descriptors: list[int]) -> None:
        """Take queues, and serve."""
        mobility = self._mobility()
        link = None
        if letter.has_link:
            link = WorkerLink(socket.socket(fileno=descriptors.pop(0)))
            self.spawn_essential(link.write(), "link")
        if letter.has_checkpoints:
            mobility.restore(descriptors.pop(), mobility.belonging_to(letter.queues))
        left = iter(descriptors)
        sockets = [tuple(islice(left, count)) for count in letter.sockets_of]
        taker = Taker(mobility, link, dict(zip(letter.queues, sockets, strict=True)))
        await taker.take(lambda: self.set_state(WorkerState.SERVING))

    async def _give(self, letter: GiveLetter, descriptors: list[int], graceful_us: int) -> None:
        """Give queues; after the last one, what is left on this worker comes to its end, and it too."""
        mobility, link = self._mobility(), WorkerLink(socket.socket(fileno=descriptors[0]))
        giver = Giver(mobility, link, letter.queues)
        self._givers.append(giver)
        self.spawn_essential(link.write(), "link")
        self.spawn_essential(giver.hear(), "link")
        if await giver.give():
            if letter.is_all:
                await self._retire(graceful_us)
            while giver.look() and giver.goes_on:
                await Sleep(LOOK_US)
        await giver.finish()
        self._givers.remove(giver)

    async def _retire(self, graceful_us: int) -> None:
        """Come to an end, now that the last queue is given: what comes to rest moves, and what has not when
        the time is over is closed."""
        stack, application = self._stack, self._application
        assert stack is not None
        assert application is not None
        while not all(giver.has_given for giver in self._givers):
            await Sleep(LOOK_US)
        # What rests moves, so a connection that is served is left to its own timeouts; one that is its
        # handler's for good has so long.
        self._drain_deadline_us = NEVER_US
        self.set_state(WorkerState.DRAINING)
        is_asked, listens = False, True
        while self._left(stack) and self._clock() < self._drain_deadline_us:
            if not is_asked and (application.idle is None or self._is_last()):
                is_asked = True
                application.begin_end()
                application.drain()
                stack.interrupt_receivers()
            if is_asked and self._drain_deadline_us >= NEVER_US:
                self._drain_deadline_us = self._patience_ends_us(application, graceful_us)
            if listens and not self._mobility().predecessors:
                # Until then connections come, and go on from here: they are the listener's.
                listens = False
                await stack.acceptor().close()
            await Sleep(LOOK_US)
        if listens:
            await stack.acceptor().close()
        for giver in self._givers:
            await giver.finish()
        await self._finish(application)
        self.scheduler.stop()

    # Connections that come and go with their sockets.

    def _move_sockets(
        self, sockets: SockMoving, letter: GiveLetter | TakeLetter, link: WorkerLink, graceful_us: int
    ) -> None:
        """Take connections; or give them, once the last of those is known who take them."""
        assert self._socket_givers is not None
        assert self._socket_taker is not None
        self.spawn_essential(link.write(), "link")
        if isinstance(letter, TakeLetter):
            self.spawn_essential(self._socket_taker.take(link), "take")
            return
        giver = SocketGiver(sockets, link)
        self._socket_givers.add(giver)
        self.spawn_essential(giver.hear(), "link")
        if letter.is_all and self._drain_deadline_us is None:
            # What rests moves, so a connection that is served is left to its own timeouts.
            self._drain_deadline_us = NEVER_US
            self.spawn_essential(self._socket_givers.run(), "give")
            self.spawn_essential(self._give_sockets(graceful_us), "drain")

    def _has_room(self) -> bool:
        """Whether one more connection may be served."""
        return self._stack is not None and self._stack.connections() < self._limit

    async def _give_sockets(self, graceful_us: int) -> None:
        """Come to an end while all that rests is given, and what is left is served; where nobody takes, or
        nothing can rest, what is left has so long."""
        stack, application = self._stack, self._application
        givers, taker = self._socket_givers, self._socket_taker
        assert stack is not None
        assert application is not None
        assert givers is not None
        assert taker is not None
        self.set_state(WorkerState.DRAINING)
        await self._accept_the_rest(stack, self._clock() + graceful_us, is_retired=True)
        await stack.acceptor().close()
        while stack.has_in_flight() or givers.in_flight or taker.links:
            is_asked = givers.has_looked and application.idle is None
            if is_asked or self._is_last() or not givers.goes_on:
                deadline_us = self._patience_ends_us(application, graceful_us)
                await self._end_what_is_left(stack, application, deadline_us)
                if stack.has_in_flight() and deadline_us >= NEVER_US:
                    await self._end_what_is_left(stack, application, self._clock() + graceful_us)
                break
            await Sleep(DRAIN_LOOK_US)
        await givers.finish()
        await self._finish(application)
        self.scheduler.stop()

    def _patience_ends_us(self, application: Application, graceful_us: int) -> int:
        """When what is left is ended: never while others serve, and each connection ends by itself."""
        is_left_alone = application.ends_by_itself and not self._is_last()
        return NEVER_US if is_left_alone else self._clock() + graceful_us

    async def _end_what_is_left(self, stack: Stack, application: Application, deadline_us: int) -> None:
        """Have every connection that nobody takes end after what it is about, within that time; where that
        has no end, until nobody else serves."""
        application.begin_end()
        if not self._is_last():
            await self._settle(deadline_us)
        application.drain()
        stack.interrupt_receivers()
        while stack.has_in_flight() and self._clock() < deadline_us:
            if deadline_us >= NEVER_US and self._is_last():
                return
            await Sleep(DRAIN_LOOK_US)

    def _left(self, stack: Stack) -> bool:
        """Whether anything is left that somebody waits for, once all that rests has moved; nobody can be
        reached whose queue's new worker has died."""
        is_kept = [giver.look() > 0 for giver in self._givers if giver.goes_on]
        return any(is_kept) or (bool(is_kept) and stack.has_in_flight())

    def _say_queues(self) -> None:
        """Report to the supervisor which queues we read."""
        mobility = self._mobility()
        self._row.publish(words_of(mobility.queues, mobility.steered))

    def _mobility(self) -> Mobility:
        assert self._stack is not None
        assert self._stack.mobility is not None
        return self._stack.mobility

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

    def _stop_at_once(self) -> None:
        """End, whatever is in flight; an application that is to hear of its end does."""
        application = self._application
        if application is None or application.finish is None or self._is_stopping:
            self.scheduler.stop()
            return
        self._is_stopping = True
        self.spawn_essential(self._finish_and_stop(application), "stop")

    async def _finish_and_stop(self, application: Application) -> None:
        assert application.finish is not None
        await application.finish(self._clock())
        self.scheduler.stop()

    async def watch_supervisor(self, liveness_fd: int, graceful_us: int) -> None:
        """Drain when the supervisor ends or is gone: nobody would replace or stop us any more."""
        await EpollWait(liveness_fd, select.EPOLLIN)
        self._supervisor_gone.set()
        self._begin_drain(graceful_us)

    def _begin_drain(self, graceful_us: int, *, is_retired: bool = False) -> None:
        if self._stack is None or self._application is None:
            self.scheduler.stop()
        elif self._drain_deadline_us is None:
            self._drain_deadline_us = self._clock() + graceful_us
            drain = self._drain(
                self._stack, self._application, self._drain_deadline_us, is_retired=is_retired
            )
            self.spawn_essential(drain, "drain")

    async def _drain(
        self, stack: Stack, application: Application, deadline_us: int, *, is_retired: bool
    ) -> None:
        self.set_state(WorkerState.DRAINING)
        application.begin_end()
        if not stack.is_kept:
            await self._accept_the_rest(stack, deadline_us, is_retired=is_retired)
        await stack.acceptor().close()
        await self._end_what_is_left(stack, application, deadline_us)
        await self._finish(application)
        self.scheduler.stop()

    async def _finish(self, application: Application) -> None:
        """Nothing is served any more: have the application end."""
        if application.finish is not None:
            deadline_us = self._drain_deadline_us
            await application.finish(self._clock() if deadline_us is None else deadline_us)
        self.beat()

    async def _settle(self, deadline_us: int) -> None:
        await Sleep(self._settling_us(deadline_us))

    def _settling_us(self, deadline_us: int) -> int:
        return min(DRAIN_SETTLE_US, max(0, deadline_us - self._clock()))

    async def _accept_the_rest(self, stack: Stack, deadline_us: int, *, is_retired: bool) -> None:
        """Accept those whose handshake had begun, while whoever comes new is turned away.

        Those are left to who takes over; where nobody does they are refused, and we go on until none comes. A
        signal to a whole control group may reach us before the supervisor: so whether it ends too is asked
        again after a moment.
        """
        is_handing_over, is_refusing = is_retired, False
        if is_retired:
            stack.hand_over()
        while self._clock() < deadline_us:
            if self._is_last() and not is_refusing:
                stack.refuse_new()
                is_refusing = True
            before = self._accepted_total
            if is_refusing:
                await self._settle(deadline_us)
            else:
                # The kernel signals the supervisor's end as its first thread ends, before all of it has.
                with move_on_after(self._settling_us(deadline_us) / SECOND_US):
                    await self._supervisor_gone.wait()
            if self._accepted_total == before if is_refusing else is_handing_over:
                return
            if not self._is_last():
                stack.hand_over()
                is_handing_over = True
