"""What of a worker can move: its queues, and the connections that come by them.

Owns who has which queue in this worker, and where a segment goes whose connection is elsewhere: over the
links to other workers, further on from one to the next, or to nobody. How a queue goes over a link is
`shards.moving.handover`.
"""

import logging
import os
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from gossamer.core.clock import monotonic_us
from gossamer.core.loop.continuing import CannotGoOnError
from gossamer.core.loop.tcp.loop import TcpLoop
from gossamer.core.loop.tcp.moved import MovedConnection
from gossamer.core.tcp.codec import UndecodableConnection
from gossamer.core.threads.calls import Sleep
from gossamer.core.wire.flow import Flow
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.segment import Segment
from gossamer.ffi.packets import PacketSource
from gossamer.ffi.shared_memory import map_memory
from gossamer.shards.moving.link import (
    ErrorHandedOn,
    HandedOn,
    WorkerLink,
    error_message,
    error_of,
    packet_of,
    segment_of,
)
from gossamer.shards.plan.steering import Steering

log = logging.getLogger("gossamer.worker")

WAIT_US: Final = 1_000
"""How often it is looked whether a queue has come, or the other end of a link is ready."""

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
        self.successors: dict[WorkerLink, IsWanted] = {}
        """Those to whom queues went, and which flows come by these."""
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
        log.info("%d connections of a killed worker live on; that took %.0f ms", count, since_ms(began_us))

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
        if link.is_full:
            self.dropped_total += 1
        else:
            link.post(packet)

    def route(self, packet: HandedOn | ErrorHandedOn, origin: WorkerLink) -> None:
        """A segment or an ICMP error that came over a link: for a connection here, or further on, or for
        nobody."""
        flow = Flow(packet.flow)
        onward = None if self.moving.has(flow) else self._onward(flow, origin)
        if onward is not None:
            self._send(onward, packet)
        elif isinstance(packet, ErrorHandedOn):
            self.loop.river.take_error(error_of(packet))
        else:
            self.loop.river.take(flow, segment_of(packet))

    def _onward(self, flow: Flow, origin: WorkerLink) -> WorkerLink | None:
        """Who is asked next: each predecessor in turn, then whoever has the queue of the flow by now; None:
        nobody has it.

        A connection that moves up a chain of workers may pass the segment that goes down for it. It is in
        front of that on the way up, so the segment finds it there, at the last where it came in.
        """
        is_from_successor = origin in self.successors
        rest = self.predecessors if is_from_successor else self._behind(origin)
        if rest:
            return rest[0]
        return origin if is_from_successor else self._successor_of(flow)

    def _successor_of(self, flow: Flow) -> WorkerLink | None:
        return next((link for link, is_wanted in self.successors.items() if is_wanted(flow)), None)

    def _behind(self, origin: WorkerLink) -> list[WorkerLink]:
        return self.predecessors[self.predecessors.index(origin) + 1 :]


def _tell_unreadable(error: UndecodableConnection | CannotGoOnError) -> None:
    log.error("a connection of a killed worker cannot be restored: %s", error)


def since_ms(began_us: int) -> float:
    """The milliseconds since then."""
    return (monotonic_us() - began_us) / 1000
