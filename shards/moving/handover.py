"""Queues go from one worker to another, with what belongs to them, while their packets wait in the kernel.

    gives: leaves the queue alone -> every quiet connection -> Given | Taken <- reads the queue: takes
           a connection that has come to rest since -> ...
           <- a segment of no connection: it may be for one that is still there | not there: back again ->

So nothing is ever read by two, and no packet is lost between them. Until the other end has said Taken, what
was given is kept as well: should that end die before, it is taken back, and the queue with it. A connection
that is not at rest (`core.loop.tcp.moving`) stays, gets what comes for it over the link, and moves when it
rests.

Owns what both ends say over a link, and when. Which queues a worker has is `shards.moving.mobility`; when
they are given, and to whom, is the supervisor's.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.core.loop.continuing import Identity, NamedFile
from gossamer.core.loop.tcp.moved import MovedConnection
from gossamer.core.threads.calls import Sleep
from gossamer.core.wire.flow import Flow
from gossamer.shards.log.logs import about
from gossamer.shards.moving.given_files import GivenFiles
from gossamer.shards.moving.link import (
    ErrorHandedOn,
    FileComes,
    Given,
    HandedOn,
    Taken,
    WorkerLink,
    given_with,
    secrets_of,
)
from gossamer.shards.moving.mobility import WAIT_US, IsWanted, Mobility, none, since_ms

log = logging.getLogger("gossamer.worker")

LOOK_US: Final = 5_000
"""How often a giver looks which of its connections have come to rest."""
AT_ONCE: Final = 64
"""Connections that move before other threads go on."""


class Giver:
    """Gives queues over a link."""

    def __init__(self, mobility: Mobility, link: WorkerLink, queues: tuple[int, ...]) -> None:
        self._mobility = mobility
        self._moving = mobility.moving
        self._link = link
        self._queues = queues
        self._is_wanted: IsWanted = none
        self._given: list[MovedConnection] = []
        """What has left and is not taken yet."""
        self._is_taken = False
        self.has_given = False
        """Whether nothing is on its way that could come back."""
        self._kept: dict[Flow, None] = {}
        """Flows that could not move when it was looked at last."""
        self._files = GivenFiles(link)

    async def give(self) -> bool:
        """Give all that can move; whether it was taken. If not, all is as it was.

        Who is told to give may be about to take the same queues, from a third: they come first. One that does
        not come is nobody's here.
        """
        mobility, link = self._mobility, self._link
        self._queues = await mobility.here(self._queues)
        self._is_wanted = mobility.belonging_to(self._queues)
        began_us = monotonic_us()
        mobility.leave_alone(self._queues)
        mobility.successors[link] = self._is_wanted
        mobility.kept_by.append(self._keep)
        for count, flow in enumerate(self._flows()):
            moved = self._moving.leave(flow, self._files.announce)
            if moved is not None:
                self._given.append(moved)
                link.post(moved)
            else:
                self._keep(flow)
            if count % AT_ONCE == 0:
                await self._let_it_flow()
        link.post(given_with(mobility.loop.listening.secrets))
        while not (self._is_taken or link.has_ended):
            await Sleep(WAIT_US)
        if self._is_taken:
            mobility.give_up(self._queues)
            given, kept = len(self._given), len(self._kept)
            log.info(
                "gave %d queues and %d connections to another worker in %.0f ms; %d stay until they rest",
                *(len(self._queues), given, since_ms(began_us), kept),
                extra=about("queues_given", queues=len(self._queues), connections=given, kept=kept),
            )
        else:
            self._take_back()
        self._given.clear()
        self.has_given = True
        return self._is_taken

    async def _let_it_flow(self) -> None:
        await Sleep(0)
        while self._link.is_full and not self._link.is_gone:
            await Sleep(WAIT_US)

    def _keep(self, flow: Flow) -> None:
        """A connection moves when it rests, if its queue was given here."""
        if self._moving.has(flow) and self._is_wanted(flow):
            self._kept[flow] = None

    def _flows(self) -> Iterator[Flow]:
        return filter(self._is_wanted, tuple(self._moving.flows()))

    def _take_back(self) -> None:
        log.warning("whoever was to take over has ended: its connections are taken back")
        del self._mobility.successors[self._link]
        self._mobility.kept_by.remove(self._keep)
        self._files.come_back(self._moving.handed)
        for moved in self._given:
            self._mobility.adopt(moved)
        self._files.are_back(self._moving.handed)
        self._mobility.read_again(self._queues)

    async def hear(self) -> None:
        """Take what the other end says, until the link ends."""
        while messages := await self._link.receive():
            for message in messages:
                if isinstance(message, Taken):
                    self._is_taken = True
                elif isinstance(message, HandedOn | ErrorHandedOn):
                    self._mobility.route(message, self._link)

    @property
    def goes_on(self) -> bool:
        """Whether anybody is there to take what is left."""
        return not self._link.is_gone

    def look(self) -> int:
        """Move what has come to rest; how many are left."""
        for flow in tuple(self._kept):
            if self._link.is_full or self._link.is_gone:
                break
            moved = self._moving.leave(flow, self._files.announce)
            if moved is not None:
                self._link.post(moved)
            if moved is not None or not self._moving.has(flow):
                del self._kept[flow]
        return len(self._kept)

    async def finish(self) -> None:
        """End the link, once all is said."""
        while self._link.waiting_bytes and not self._link.is_gone:
            await Sleep(WAIT_US)
        if self._link in self._mobility.successors:
            del self._mobility.successors[self._link]
            self._mobility.kept_by.remove(self._keep)
        self._files.close()
        await self._link.close()


class Taker:
    """Takes queues over a link."""

    def __init__(
        self, mobility: Mobility, link: WorkerLink | None, queues: Mapping[int, tuple[int, ...]]
    ) -> None:
        """`queues` are the descriptors of queues by their numbers; without a link they are nobody's."""
        self._mobility = mobility
        self._link = link
        self._queues = queues
        self._files: set[Identity] = set()
        """Files that have come over the link."""

    async def take(self, on_taken: Callable[[], None]) -> None:
        """Take what comes until the link ends; `on_taken` is called once the queues are read here."""
        if self._link is not None:
            self._mobility.join_predecessor(self._link)
            await self._hear(self._link, on_taken)
            self._mobility.leave_predecessor(self._link)
            self._mobility.moving.handed.forget(self._files)
            await self._link.close()
        if self._queues:  # Whoever had them has ended.
            self._begin(on_taken)

    async def _hear(self, link: WorkerLink, on_taken: Callable[[], None]) -> None:
        while messages := await link.receive():
            for message in messages:
                if isinstance(message, MovedConnection):
                    self._mobility.adopt(message)
                elif isinstance(message, FileComes):
                    self._files.add(message.identity)
                    named = NamedFile(message.name, message.identity)
                    self._mobility.moving.handed.take(named, link.take_fd())
                elif isinstance(message, Given):
                    self._take_secrets(message)
                    self._begin(on_taken)
                    link.post(Taken())
                elif isinstance(message, HandedOn | ErrorHandedOn):
                    self._mobility.route(message, link)

    def _take_secrets(self, given: Given) -> None:
        try:
            self._mobility.loop.listening.take_secrets(secrets_of(given))
        except msgspec.DecodeError as error:
            log.error("SYN cookies that are out cannot be taken over: %s", error)

    def _begin(self, on_taken: Callable[[], None]) -> None:
        queues, self._queues = self._queues, {}
        for number, fds in queues.items():
            self._mobility.add(number, *fds)
        on_taken()
