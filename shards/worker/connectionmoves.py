"""Kernel connections that come to this worker and go from it with their sockets, as the supervisor's letters
say; and a worker's end while it gives all of them.

Owns the givers and the taker of one worker (`shards.moving.socketmoves`), and how long it waits for what is
left. Who is told to give to whom is `shards.supervisor.connectionmoves`.
"""

import socket
from collections.abc import Callable

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.sock.moving import SockMoving
from gossamer.core.threads.calls import Sleep
from gossamer.shards.letters.letters import GiveLetter, TakeLetter
from gossamer.shards.moving.link import WorkerLink
from gossamer.shards.moving.socketmoves import SocketGiver, SocketGivers, SocketTaker
from gossamer.shards.seen.counters import WorkerState
from gossamer.shards.worker.draining import LOOK_US, WorkerDraining


class ConnectionMoves:
    """Gives and takes the kernel connections of a worker."""

    def __init__(self, draining: WorkerDraining, sockets: SockMoving, has_room: Callable[[], bool]) -> None:
        """`has_room` says whether one more connection may be served."""
        self._draining = draining
        self._running = draining.running
        self._stack = draining.stack
        self._application = application = draining.application
        self._sockets = sockets
        self._givers = SocketGivers(sockets)
        self._taker = SocketTaker(sockets, has_room)
        sockets.idle, sockets.continuing = application.idle, application.continuing

    def obey(self, letter: GiveLetter | TakeLetter, descriptors: list[int], graceful_us: int) -> None:
        """Take connections; or give them, once the last of those is known who take them."""
        running, link = self._running, WorkerLink(socket.socket(fileno=descriptors[0]))
        running.spawn_essential(link.write(), "link")
        if isinstance(letter, TakeLetter):
            running.spawn_essential(self._taker.take(link), "take")
            return
        giver = SocketGiver(self._sockets, link)
        self._givers.add(giver)
        running.spawn_essential(giver.hear(), "link")
        if letter.is_all and not self._draining.has_begun:
            # What rests moves, so a connection that is served is left to its own timeouts.
            self._draining.deadline_us = NEVER_US
            running.spawn_essential(self._givers.run(), "give")
            running.spawn_essential(self._give(graceful_us), "drain")

    async def _give(self, graceful_us: int) -> None:
        """Come to an end while all that rests is given, and what is left is served; where nobody takes, or
        nothing can rest, what is left has so long."""
        stack, draining, givers, taker = self._stack, self._draining, self._givers, self._taker
        clock, is_last = self._running.clock, self._running.is_last
        self._running.set_state(WorkerState.DRAINING)
        await draining.accept_the_rest(clock() + graceful_us, is_retired=True)
        await stack.acceptor().close()
        while stack.has_in_flight() or givers.in_flight or taker.links:
            is_asked = givers.has_looked and self._application.idle is None
            if is_asked or is_last() or not givers.goes_on:
                deadline_us = draining.patience_ends_us(graceful_us)
                await draining.end_what_is_left(deadline_us)
                if stack.has_in_flight() and deadline_us >= NEVER_US:
                    await draining.end_what_is_left(clock() + graceful_us)
                break
            await Sleep(LOOK_US)
        await givers.finish()
        await draining.finish()
