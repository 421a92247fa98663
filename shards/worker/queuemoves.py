"""Queues that come to this worker and go from it, as the supervisor's letters say; and a worker's end after
it has given the last of them.

Owns the givers and takers of one worker (`shards.moving.handover`), and how long it waits for what is left.
Who is told to give which queue to whom is `shards.supervisor.queuemoves`.
"""

import os
import socket
from itertools import islice

from gossamer.core.clock import NEVER_US
from gossamer.core.threads.calls import Sleep
from gossamer.shards.letters.letters import GiveLetter, TakeLetter
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR
from gossamer.shards.moving.handover import LOOK_US, Giver, Taker
from gossamer.shards.moving.link import WorkerLink
from gossamer.shards.moving.mobility import Mobility, every
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.seen.queuewords import words_of
from gossamer.shards.worker.draining import WorkerDraining


class QueueMoves:
    """Gives and takes the queues of a worker."""

    def __init__(self, draining: WorkerDraining, mobility: Mobility) -> None:
        self._draining = draining
        self._running = draining.running
        self._stack = draining.stack
        self._application = application = draining.application
        self._mobility = mobility
        self._givers: list[Giver] = []
        saving = mobility.loop.saving
        saving.idle, saving.continuing = application.idle, application.continuing
        mobility.on_change = self._say_queues
        self._say_queues()

    def survive(self, checkpoints: int, left_behind: int) -> None:
        """Write down what could go on in another worker, into the first memory; and go on with what another
        one has left in the second."""
        application = self._application
        can_go_on = application.idle is not None or application.continuing is not None
        if checkpoints != NO_DESCRIPTOR and can_go_on:
            self._mobility.keep_checkpoints(checkpoints)
        elif checkpoints != NO_DESCRIPTOR:
            os.close(checkpoints)
        if left_behind != NO_DESCRIPTOR:
            self._mobility.restore(left_behind, every)

    def _say_queues(self) -> None:
        """Report to the supervisor which queues we read."""
        self._running.publish(words_of(self._mobility.queues, self._mobility.steered))

    def obey(self, letter: GiveLetter | TakeLetter, descriptors: list[int], graceful_us: int) -> None:
        """Begin to do what a letter says, with the descriptors that came with it."""
        if isinstance(letter, GiveLetter):
            self._running.spawn_essential(self._give(letter, descriptors, graceful_us), "give")
        else:
            self._mobility.expect(letter.queues)
            self._running.spawn_essential(self._take(letter, descriptors), "take")

    async def _take(self, letter: TakeLetter, descriptors: list[int]) -> None:
        """Take queues, and serve."""
        mobility = self._mobility
        link = None
        if letter.has_link:
            link = WorkerLink(socket.socket(fileno=descriptors.pop(0)))
            self._running.spawn_essential(link.write(), "link")
        if letter.has_checkpoints:
            mobility.restore(descriptors.pop(), mobility.belonging_to(letter.queues))
        left = iter(descriptors)
        sockets = [tuple(islice(left, count)) for count in letter.sockets_of]
        taker = Taker(mobility, link, dict(zip(letter.queues, sockets, strict=True)))
        await taker.take(lambda: self._running.set_state(WorkerState.SERVING))

    async def _give(self, letter: GiveLetter, descriptors: list[int], graceful_us: int) -> None:
        """Give queues; after the last one, what is left on this worker comes to its end, and it too."""
        link = WorkerLink(socket.socket(fileno=descriptors[0]))
        giver = Giver(self._mobility, link, letter.queues)
        self._givers.append(giver)
        self._running.spawn_essential(link.write(), "link")
        self._running.spawn_essential(giver.hear(), "link")
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
        stack, application, draining = self._stack, self._application, self._draining
        clock, is_last = self._running.clock, self._running.is_last
        while not all(giver.has_given for giver in self._givers):
            await Sleep(LOOK_US)
        # What rests moves, so a connection that is served is left to its own timeouts; one that is its
        # handler's for good has so long.
        draining.deadline_us = NEVER_US
        self._running.set_state(WorkerState.DRAINING)
        is_asked, listens = False, True
        while self._is_any_left() and clock() < draining.deadline_us:
            if not is_asked and (application.idle is None or is_last()):
                is_asked = True
                application.begin_end()
                application.drain()
                stack.interrupt_receivers()
            if is_asked and draining.deadline_us >= NEVER_US:
                draining.deadline_us = draining.patience_ends_us(graceful_us)
            if listens and not self._mobility.predecessors:
                # Until then connections come, and go on from here: they are the listener's.
                listens = False
                await stack.acceptor().close()
            await Sleep(LOOK_US)
        if listens:
            await stack.acceptor().close()
        for giver in self._givers:
            await giver.finish()
        await draining.finish()

    def _is_any_left(self) -> bool:
        """Whether anything is left that somebody waits for, once all that rests has moved; nobody can be
        reached whose queue's new worker has died."""
        is_kept = [giver.look() > 0 for giver in self._givers if giver.goes_on]
        return any(is_kept) or (bool(is_kept) and self._stack.has_in_flight())
