"""Kernel connections go from one worker to others, with their sockets.

    gives: every quiet connection, in turn to each link  ->  adopts: takes
           <- so many are served here
           a connection that has come to rest since -> ...

Two processes may have one socket, so nothing is closed on the way: what comes meanwhile waits in the kernel.
Until the other end has said that it serves a connection, the giver keeps the socket: should that end die
before, the connection is taken back. Whoever takes stops reading the link while it has no room.

Owns what goes over the links. Which connections can move is `core.loop.sock.moving`; when they do, and to
whom, is the supervisor's. Bounds: IN_FLIGHT_MAX sockets on their way over a link, which also keeps clear of
the kernel's bound of descriptors in flight (RLIMIT_NOFILE of a user).

Source: unix(7), SCM_RIGHTS, ETOOMANYREFS.
"""

import logging
import os
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from gossamer.core.loop.continuing import CannotGoOnError, Identity, NamedFile
from gossamer.core.loop.sock.call import Connection
from gossamer.core.loop.sock.moving import MovedSocket, SockMoving
from gossamer.core.threads.calls import Sleep
from gossamer.shards.moving.given_files import GivenFiles
from gossamer.shards.moving.link import Adopted, FileComes, WorkerLink

log = logging.getLogger("gossamer.worker")

IN_FLIGHT_MAX: Final = 64
WAIT_US: Final = 1_000
LOOK_US: Final = 5_000
"""How often a giver looks which of its connections have come to rest, for each AT_ONCE of them."""
AT_ONCE: Final = 64
"""Connections that are looked at before other threads go on."""
ROOM_LOOK_US: Final = 10_000
"""How often a taker without room looks whether it has some."""


def adopt(moving: SockMoving, moved: MovedSocket, sock: socket.SocketType) -> None:
    """Have a connection that comes over a link, or comes back."""
    try:
        moving.adopt(moved, sock)
    except CannotGoOnError as error:
        log.warning("a connection that moved is reset: %s", error)


class SocketGiver:
    """Gives over one link."""

    def __init__(self, moving: SockMoving, link: WorkerLink) -> None:
        self._moving = moving
        self._link = link
        self._given: deque[tuple[MovedSocket, socket.SocketType]] = deque()
        """What has left and is not served there yet."""
        self._files = GivenFiles(link)

    @property
    def goes_on(self) -> bool:
        """Whether anybody is there to take."""
        return not self._link.is_gone

    @property
    def has_room(self) -> bool:
        """Whether one more may go."""
        return self.goes_on and len(self._given) < IN_FLIGHT_MAX

    @property
    def in_flight(self) -> int:
        """How many are on their way."""
        return len(self._given)

    def give(self, connection: Connection) -> bool:
        """Give a connection, if it can leave now; whether it could."""
        try:
            going_fd = os.dup(connection.sock.fileno())
        except OSError as error:
            log.warning("a connection stays with this worker: %s", error.strerror)
            return False
        left = self._moving.leave(connection, self._files.announce)
        if left is None:
            os.close(going_fd)
            return False
        self._given.append(left)
        self._link.post(left[0], going_fd)
        return True

    async def hear(self) -> None:
        """Close what is served there, until the link ends; then take back what is not."""
        while messages := await self._link.receive():
            for message in messages:
                if isinstance(message, Adopted):
                    self._forget(message.count)
        if self._given:
            log.warning("whoever was to take over has ended: its connections are taken back")
            self._files.come_back(self._moving.handed)
            while self._given:
                adopt(self._moving, *self._given.popleft())
            self._files.are_back(self._moving.handed)
        self._files.close()

    def _forget(self, count: int) -> None:
        for _ in range(min(count, len(self._given))):
            _, sock = self._given.popleft()
            sock.close()

    async def finish(self) -> None:
        """End the link, once all that was given is served."""
        while self._given and self.goes_on:
            await Sleep(WAIT_US)
        await self._link.close()


class SocketGivers:
    """Gives all connections of a worker, to each link in turn."""

    def __init__(self, moving: SockMoving) -> None:
        self._moving = moving
        self._givers: deque[SocketGiver] = deque()
        self.has_looked = False
        """Whether each connection has been asked for once."""

    def add(self, giver: SocketGiver) -> None:
        """One more takes."""
        self._givers.append(giver)

    @property
    def goes_on(self) -> bool:
        """Whether anybody is there to take."""
        return any(giver.goes_on for giver in self._givers)

    @property
    def in_flight(self) -> int:
        """How many connections are on their way."""
        return sum(giver.in_flight for giver in self._givers)

    async def run(self) -> None:
        """Give what rests, again and again, for as long as anybody takes."""
        while self.goes_on:
            connections = self._moving.connections()
            for count, connection in enumerate(connections, 1):
                giver = await self._next()
                if giver is None:
                    break
                if giver.give(connection):
                    self._givers.rotate(-1)
                if count % AT_ONCE == 0:
                    await Sleep(0)
            self.has_looked = True
            # Many that are long in the midst of something cost no more than a few.
            await Sleep(LOOK_US * (1 + len(connections) // AT_ONCE))

    async def _next(self) -> SocketGiver | None:
        """Who has room and was asked longest ago; None once nobody takes."""
        while self.goes_on:
            for _ in range(len(self._givers)):
                if self._givers[0].has_room:
                    return self._givers[0]
                self._givers.rotate(-1)
            await Sleep(WAIT_US)
        return None

    async def finish(self) -> None:
        """End the links."""
        for giver in self._givers:
            await giver.finish()


class SocketTaker:
    """Serves what comes over links. Who has given may have more until its link ends: so whoever gives in turn
    is not done before."""

    def __init__(self, moving: SockMoving, has_room: Callable[[], bool]) -> None:
        self._moving = moving
        self._has_room = has_room
        self.links = 0
        """Over which more may come."""

    async def take(self, link: WorkerLink) -> None:
        """Serve what comes over a link, until it ends."""
        moving, files = self._moving, set[Identity]()
        self.links += 1
        while messages := await link.receive():
            for message in messages:
                if isinstance(message, FileComes):
                    files.add(message.identity)
                    moving.handed.take(NamedFile(message.name, message.identity), link.take_fd())
                elif isinstance(message, MovedSocket):
                    while not (self._has_room() or link.is_gone):
                        await Sleep(ROOM_LOOK_US)
                    adopt(moving, message, socket.SocketType(-1, -1, -1, link.take_fd()))
                    link.post(Adopted(1))
        moving.handed.forget(files)
        await link.close()
        self.links -= 1
