"""Queues go from one worker to another, with what belongs to them, while their packets wait in the kernel.

    gives: leaves the queue alone -> every quiet connection -> Given | Taken <- reads the queue: takes
           a connection that has come to rest since -> ...
           <- a segment of no connection: it may be for one that is still there | not there: back again ->

So nothing is ever read by two, and no packet is lost between them. Until the other end has said Taken, what
was given is kept as well: should that end die before, it is taken back, and the queue with it. A connection
that is not at rest (`core.loop.tcp.moving`) stays, gets what comes for it over the link, and moves when it
rests.

Owns who has which queue in this worker, the links to other workers, and what goes over them. When queues are
given, and to whom, is the supervisor's.
"""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.core.loop.continuing import CannotGoOnError, Identity, NamedFile
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.loop.tcp.moved import MovedConnection
from gossamer.core.tcp.codec import UndecodableConnection
from gossamer.core.threads.calls import Sleep
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.segment import Segment
from gossamer.ffi.packets import PacketSource
from gossamer.ffi.shared_memory import map_memory
from gossamer.shards.log.logs import about
from gossamer.shards.moving.given_files import GivenFiles
from gossamer.shards.moving.link import (
    ErrorHandedOn,
    FileComes,
    Given,
    HandedOn,
    Taken,
    WorkerLink,
    error_message,
    error_of,
    given_with,
    packet_of,
    secrets_of,
    segment_of,
)
from gossamer.shards.plan.steering import Steering

log = logging.getLogger("gossamer.worker")

LINK_BYTES_MAX: Final = 1 << 20
"""What may wait to be sent over a link: beyond it connections wait to move, and packets are dropped."""
WAIT_US: Final = 1_000
LOOK_US: Final = 5_000
"""How often a giver looks which of its connections have come to rest."""
AT_ONCE: Final = 64
"""Connections that move before other threads go on."""

IsWanted = Callable[[Flow], bool]


def none(_flow: Flow) -> bool:
    """No flow."""
    return False


def every(_flow: Flow) -> bool:
    """All flows."""
    return True


class Mobility:
    """What of a worker can move: its queues, and the connections of its loop."""

    def __init__(
        self, loop: TcpLoop, open_source: Callable[[int], PacketSource], steering: Steering | None = None
    ) -> None:
        self.loop = loop
        self.moving = loop.moving
        self._open_source = open_source
        self._steering = steering
        self._queues: dict[int, dict[int, PacketSource]] = {}
        """By the number of each queue that is here what receives from it, by descriptor."""
        self._had: set[int] = set()
        """All that ever were."""
        self._coming: set[int] = set()
        """Those that are on their way here."""
        self.on_change: Callable[[], None] = lambda: None
        """Called when other queues are here than before."""
        self.predecessors: list[WorkerLink] = []
        """Those who may still have connections of ours."""
        self.successors: list[WorkerLink] = []
        self.kept_by: list[Callable[[Flow], None]] = []
        """What givers do with a connection that comes once its queue is given: the next of a chain has it."""
        self.dropped_total = 0
        """Segments and ICMP errors that found no room in a link."""

    # Queues.

    def add(self, number: int, fd: int, handshakes_fd: int | None = None) -> None:
        """Read a queue from now on, and the one where the SYNs of its flows come to, if that is another."""
        self._queues[number] = sources = {fd: self._open_source(fd)}
        self.loop.add_source(sources[fd])
        if handshakes_fd is not None:
            sources[handshakes_fd] = self._open_source(handshakes_fd)
            self.loop.add_source(sources[handshakes_fd], has_handshakes=True)
        self._had.add(number)
        self._coming.discard(number)
        self.on_change()

    def _sources(self, numbers: tuple[int, ...]) -> Iterator[PacketSource]:
        for number in numbers:
            yield from self._queues[number].values()

    def expect(self, numbers: tuple[int, ...]) -> None:
        """They are on their way here: from another, or as nobody's."""
        self._coming.update(numbers)

    async def here(self, numbers: tuple[int, ...]) -> tuple[int, ...]:
        """Those of these queues that are here, once none of them is on its way any more."""
        while not self._coming.isdisjoint(numbers):
            await Sleep(WAIT_US)
        return tuple([number for number in numbers if number in self._queues])

    def leave_alone(self, numbers: tuple[int, ...]) -> None:
        """Have the packets of these queues wait in the kernel."""
        for source in self._sources(numbers):
            self.loop.leave_alone(source)

    def read_again(self, numbers: tuple[int, ...]) -> None:
        """Read them again."""
        for source in self._sources(numbers):
            self.loop.listen_to(source)

    def give_up(self, numbers: tuple[int, ...]) -> None:
        """They are another's."""
        for number in numbers:
            for fd, source in self._queues.pop(number).items():
                self.loop.remove_source(source)
                os.close(fd)
        self.on_change()

    @property
    def queues(self) -> tuple[int, ...]:
        """Those that are here."""
        return tuple(self._queues)

    @property
    def steered(self) -> tuple[int, ...]:
        """The queues of the served port, wherever they are, by the order of their marks."""
        return self._steering.queues if self._steering is not None else ()

    def belonging_to(self, numbers: tuple[int, ...]) -> IsWanted:
        """Which flows come by these queues: of all, if these are all; none, where it cannot be said."""
        if set(numbers) == set(self._queues):
            return every
        steering, wanted = self._steering, set(numbers)
        if steering is None or not self._is_right(steering):
            log.warning("this kernel steers otherwise than was computed: connections stay with this worker")
            return none
        return lambda flow: steering.queue_of(flow) in wanted

    def _is_right(self, steering: Steering) -> bool:
        """Whether all that came here came by queues that are or were here."""
        found = (steering.queue_of(flow) for flow in self.moving.flows())
        return all(queue is None or queue in self._had for queue in found)

    def adopt(self, moved: MovedConnection) -> None:
        """Have a connection that comes over a link, or comes back."""
        try:
            self.moving.adopt(moved)
        except CannotGoOnError as error:
            log.warning("a connection that moved is reset: %s", error)
        except (UndecodableConnection, msgspec.DecodeError) as error:
            log.error("a connection cannot be taken over: %s", error)
        for keep in self.kept_by:
            keep(Flow(moved.flow))

    # Connections of workers that were killed.

    def keep_checkpoints(self, fd: int) -> None:
        """Write connections into an empty memory, for whoever takes over should this process be killed."""
        self.loop.keep_checkpoints(memoryview(map_memory(fd)))
        os.close(fd)

    def restore(self, fd: int, is_wanted: IsWanted) -> None:
        """Have the connections that a killed worker has left in its memory, of flows that are wanted."""
        began_us, memory = monotonic_us(), map_memory(fd)
        os.close(fd)
        view = memoryview(memory)
        count = self.loop.restore(view, is_wanted, _tell_unreadable)
        view.release()
        memory.close()
        log.info("%d connections of a killed worker live on; that took %.0f ms", count, _since_ms(began_us))

    # Segments of connections that are elsewhere.

    def join_predecessor(self, link: WorkerLink) -> None:
        """Somebody there may have connections whose packets come here from now on."""
        self.predecessors.append(link)
        self.loop.river.hand_on, self.loop.river.hand_on_error = self._hand_on, self._hand_on_error

    def leave_predecessor(self, link: WorkerLink) -> None:
        """Nobody is there any more."""
        self.predecessors.remove(link)
        if not self.predecessors:
            self.loop.river.hand_on = self.loop.river.hand_on_error = None

    def _hand_on(self, flow: Flow, segment: Segment) -> None:
        self._send(self.predecessors[0], packet_of(flow, segment))

    def _hand_on_error(self, error: IcmpMessage) -> None:
        self._send(self.predecessors[0], error_message(error))

    def _send(self, link: WorkerLink, packet: HandedOn | ErrorHandedOn) -> None:
        if link.waiting_bytes < LINK_BYTES_MAX:
            link.post(packet)
        else:
            self.dropped_total += 1

    def route(self, packet: HandedOn | ErrorHandedOn, origin: WorkerLink) -> None:
        """A segment or an ICMP error that came over a link: for a connection here, or further on, or for
        nobody."""
        flow = Flow(packet.flow)
        onward = None if self.moving.has(flow) else self._onward(origin)
        if onward is not None:
            self._send(onward, packet)
        elif isinstance(packet, ErrorHandedOn):
            self.loop.river.take_error(error_of(packet))
        else:
            self.loop.river.take(flow, segment_of(packet))

    def _onward(self, origin: WorkerLink) -> WorkerLink | None:
        """Who is asked next: each predecessor in turn, then whoever it came from; None: nobody has it."""
        is_from_successor = origin in self.successors
        rest = self.predecessors if is_from_successor else self._behind(origin)
        return next(iter(rest), origin if is_from_successor else None)

    def _behind(self, origin: WorkerLink) -> list[WorkerLink]:
        return self.predecessors[self.predecessors.index(origin) + 1 :]


def _tell_unreadable(error: UndecodableConnection | CannotGoOnError) -> None:
    log.error("a connection of a killed worker cannot be restored: %s", error)


def _since_ms(began_us: int) -> float:
    return (monotonic_us() - began_us) / 1000


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
        mobility.successors.append(link)
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
                *(len(self._queues), given, _since_ms(began_us), kept),
                extra=about("queues_given", queues=len(self._queues), connections=given, kept=kept),
            )
        else:
            self._take_back()
        self._given.clear()
        self.has_given = True
        return self._is_taken

    async def _let_it_flow(self) -> None:
        await Sleep(0)
        while self._link.waiting_bytes >= LINK_BYTES_MAX and not self._link.is_gone:
            await Sleep(WAIT_US)

    def _keep(self, flow: Flow) -> None:
        """A connection moves when it rests, if its queue was given here."""
        if self._moving.has(flow) and self._is_wanted(flow):
            self._kept[flow] = None

    def _flows(self) -> Iterator[Flow]:
        return filter(self._is_wanted, tuple(self._moving.flows()))

    def _take_back(self) -> None:
        log.warning("whoever was to take over has ended: its connections are taken back")
        self._mobility.successors.remove(self._link)
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
            if self._link.waiting_bytes >= LINK_BYTES_MAX or self._link.is_gone:
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
            self._mobility.successors.remove(self._link)
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
