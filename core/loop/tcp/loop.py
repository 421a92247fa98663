"""The loop of the functional TCP: TCPSockIO's calls, over a packet source and a packet sink.

    packet river:  source.recv_batch -> segment -> demux -> step -> (tcb', actions)
                   -> emit into the batch | wake a thread
    thread river:  a call -> the same step -> actions -> the thread goes on or blocks
    once a turn:   deadlines that are due -> step; one flush of the whole batch

Owns what the parts are and how they meet. The packet river is `core.loop.tcp.packets`. The sides of a
connection take the calls (`connecting`, `receiving`, `sending`, `closing`, `queues`), but for those about
options and info, which block nobody. `core.loop.tcp.connections` performs the actions; `core.tcp.step`
decides them, through `core.loop.tcp.door`.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from select import EPOLLIN
from typing import Any

from gossamer.core.checkpoint_rows import CheckpointRows, WriteSlot
from gossamer.core.clock import Clock, monotonic_us
from gossamer.core.entropy import Entropy, system_entropy
from gossamer.core.errors import MisuseError
from gossamer.core.loop.continuing import CannotGoOnError
from gossamer.core.loop.interrupting import Interruption
from gossamer.core.loop.tcp.call import (
    Connection,
    Listener,
    SeenConnection,
    TcpGetInfo,
    TcpGetOptions,
    TcpSetOptions,
    announced_of,
)
from gossamer.core.loop.tcp.checkpoint_entry import left_in
from gossamer.core.loop.tcp.checkpoints import Checkpoints
from gossamer.core.loop.tcp.closing import TcpCloseSide
from gossamer.core.loop.tcp.connecting import TcpConnectSide
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.door import Observer
from gossamer.core.loop.tcp.failure import why_over
from gossamer.core.loop.tcp.fast_open import FastOpens
from gossamer.core.loop.tcp.listening import Listening
from gossamer.core.loop.tcp.moving import Moving
from gossamer.core.loop.tcp.opening import Openings, no_link
from gossamer.core.loop.tcp.packets import PacketRiver
from gossamer.core.loop.tcp.parking import Parking
from gossamer.core.loop.tcp.queues import Queues
from gossamer.core.loop.tcp.receiving import TcpReceiveSide
from gossamer.core.loop.tcp.saving import Saving
from gossamer.core.loop.tcp.sending import TcpSendSide
from gossamer.core.networks import NetworkCounts
from gossamer.core.tcp.calls.option import get_options
from gossamer.core.tcp.codec import UndecodableConnection
from gossamer.core.tcp.events import SetOptions
from gossamer.core.tcp.info import TcpInfo, info
from gossamer.core.tcp.isn import SECRET_BYTES
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import SocketOptions
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import Canceller, Handler, SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import Address, Flow, pack_flow
from gossamer.core.wire.proxy_protocol import NOBODY
from gossamer.ffi._slot import write_slot
from gossamer.ffi.packets import Links, PacketSink, PacketSource


class TcpLoop:
    """Performs TCPSockIO's calls over a packet source and a packet sink."""

    def __init__(
        self,
        source: PacketSource | None,
        sink: PacketSink,
        parameters: TcpParameters,
        clock: Clock = monotonic_us,
        entropy: Entropy = system_entropy,
        fast_open_secret: bytes = b"",
        boot_secret: bytes = b"",
        links: Links | None = None,
    ) -> None:
        self._parameters = parameters
        self._clock = clock
        self._links = links
        link_mtu = links.mtu if links is not None else no_link
        secret = boot_secret or entropy(SECRET_BYTES)
        self._openings = openings = Openings(parameters, secret, link_mtu)
        self._fast_opens = FastOpens(parameters, fast_open_secret or entropy(SECRET_BYTES), clock)
        self._connections = connections = Connections(sink, parameters, clock, self._fast_opens)
        self._queues = queues = Queues(connections, clock)
        receiving, sending = TcpReceiveSide(connections), TcpSendSide(connections, clock)
        connecting = TcpConnectSide(connections, queues, openings, parameters, clock)
        self._closing = closing = TcpCloseSide(connections, receiving, sending, clock)
        self._parking = parking = Parking(connections, receiving, parameters)
        self.saving: Saving = Saving(connections, sending, closing, parking)
        """What of connections could go on elsewhere, and how the application does there."""
        self.moving: Moving = Moving(
            connections, queues, receiving, sending, closing, parking, self.saving, clock
        )
        """Takes connections out, and in."""
        self._sides = (queues, receiving, sending, connecting, closing, parking, self.moving)
        self._interruption = Interruption(parking.drain)
        connections.join(*self._sides, parking=parking, interruption=self._interruption)
        self.listening: Listening = Listening(connections, queues, openings, secret)
        """What listeners do, with the secrets of their cookies."""
        self.river: PacketRiver = PacketRiver(connections, self.listening, parking, clock)
        """Takes the segments in."""
        self._checkpoints: Checkpoints | None = None
        self._sources: dict[PacketSource, bool] = {} if source is None else {source: True}
        """Those of the packets, and whether each is listened to."""
        self._of_handshakes: set[PacketSource] = set()
        """Those of them from which nothing but SYNs comes."""
        self._demux = connections.demux
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            TcpSetOptions: self._set_options,
            TcpGetOptions: self._get_options,
            TcpGetInfo: self._get_info,
        }
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {}
        for side in self._sides:
            self.takes = {**self.takes, **side.takes}
            self.cancels = {**self.cancels, **side.cancels}

    # What the scheduler asks.

    def turn(self, now_us: int) -> int:
        """Take in what is new, now that all else has had its turn; then timers, and one flush."""
        if self.river.waiting:
            self.river.take_handshakes()
        return self._connections.turn(now_us)

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler, and watch the packet source."""
        self._scheduler = scheduler
        for side in self._sides:
            side.start(scheduler)
        for source in self._sources:
            self._watch(source)
        sink = self._connections.sink
        sink.wait_with(scheduler.watch, scheduler.forget)
        for fd in sink.changes_fds:
            scheduler.watch(fd, EPOLLIN, sink.take_changes)
        if self._links is not None:
            scheduler.watch(self._links.fd, EPOLLIN, self._links.take_changes)

    def close(self) -> None:
        """Reset what is still open, send that, and give the packet source and sink back."""
        self._connections.close()
        if self._checkpoints is not None:
            self._checkpoints.clear()
        for source in tuple(self._sources):
            self.remove_source(source)
        for fd in self._connections.sink.changes_fds:
            self._scheduler.unwatch(fd)
        self._connections.sink.close()
        if self._links is not None:
            self._scheduler.unwatch(self._links.fd)
            self._links.close()

    def _watch(self, source: PacketSource) -> None:
        river = self.river
        receive = river.note_handshakes if source in self._of_handshakes else river.receive
        self._scheduler.watch(source.fd, EPOLLIN, partial(receive, source))

    # What the worker asks.

    def add_source(self, source: PacketSource, *, has_handshakes: bool = False) -> None:
        """Take packets from a further source; from one of nothing but SYNs last in each turn."""
        self._sources[source] = False
        if has_handshakes:
            self._of_handshakes.add(source)
        self._share_turns()
        self.listen_to(source)

    def _share_turns(self) -> None:
        self.river.share_between(len(self._sources) - len(self._of_handshakes))

    def listen_to(self, source: PacketSource) -> None:
        """Take packets from a source again."""
        if not self._sources[source]:
            self._sources[source] = True
            self._watch(source)

    def leave_alone(self, source: PacketSource) -> None:
        """Take no packet from a source for now: they wait in it."""
        if self._sources[source]:
            self._sources[source] = False
            self._scheduler.unwatch(source.fd)
            self.river.waiting.pop(source, None)

    def remove_source(self, source: PacketSource) -> None:
        """Give a source back."""
        self.leave_alone(source)
        del self._sources[source]
        self._of_handshakes.discard(source)
        self._share_turns()
        source.close()

    def listen(self, listener: Listener) -> None:
        """Raises: OSError when its socket is listened on already."""
        self._demux.listen(listener.address, listener)

    def observe(self, observer: Observer | None) -> None:
        """Have an observer see every step of every connection from now on; None removes it. It must not
        block, nor use the loop."""
        self._connections.door.observer = observer

    def keep_checkpoints(self, memory: memoryview, write: WriteSlot = write_slot) -> None:
        """Write the connections into an empty memory that outlives this process, before anything is sent that
        it does not account for (`core.loop.tcp.checkpoints`)."""
        demux = self._demux
        checkpoints = Checkpoints(CheckpointRows(memory, write), self.saving, demux.parked, demux.half_open)
        noted = checkpoints.stepped, checkpoints.performed
        early, amid = checkpoints.before_sending_early, checkpoints.before_sending_amid
        self._connections.note_steps(*noted, checkpoints.before_sending, early, amid)
        self._checkpoints = self.moving.checkpoints = checkpoints

    def restore(
        self,
        memory: memoryview,
        is_wanted: Callable[[Flow], bool],
        on_error: Callable[[UndecodableConnection | CannotGoOnError], None],
    ) -> int:
        """Have the connections of a process that was killed, of the flows that are wanted; how many came.
        `on_error` hears of each that cannot be read, or cannot go on here."""
        before = self._demux.connections_total
        self.listening.expect_cookies(self._clock())
        for moved, tcb in left_in(memory, is_wanted, on_error):
            try:
                self.moving.restore(moved, tcb)
            except CannotGoOnError as error:
                on_error(error)
        return self._demux.connections_total - before

    def count_networks(self) -> NetworkCounts:
        """Count connections by client from now on; to be called before there are any."""
        assert not self._demux.connections_total
        self._demux.networks = counts = NetworkCounts()
        return counts

    def allow_memory(self, budget_bytes: int) -> None:
        """Have all buffers hold no more than this from now on, in place of `memory_bytes`."""
        self._connections.memory.allow(budget_bytes)

    def interrupt_receivers(self) -> None:
        """Throw `Draining` into every thread that is blocked in a recv, a bounded number in a turn."""
        self._interruption.begin((*self._demux.connections, *self._demux.parked))

    def hand_over(self) -> None:
        """From now on what is new belongs to a successor."""
        self.river.is_handing_over = True

    @property
    def connections(self) -> int:
        """Connections that are not over; TIME-WAIT does not count."""
        return self._demux.connections_total

    @property
    def connections_in_use(self) -> int:
        """Connections that somebody has accepted or opened, and not closed."""
        established = len(self._demux.connections) + len(self._demux.parked)
        return established - self._queues.waiting_total() - len(self._closing.closed)

    def has_in_flight(self) -> bool:
        """Whether any connection is not closed yet, or not all that was sent on it is acknowledged."""
        return self._demux.connections_total > len(self._closing.closed) or self._closing.has_in_flight()

    @property
    def open_connections(self) -> tuple[Connection, ...]:
        """The connections that are not over, half-open ones too, but for the parked: for whoever looks after
        them."""
        return (*self._demux.half_open.values(), *self._demux.connections.values())

    def seen(self) -> Iterator[SeenConnection | None]:
        """Each connection that there is when this is called, as it is once it is asked for; None for one that
        is over by then. Nobody is woken."""
        demux = self._demux
        for flow in (*demux.half_open, *demux.connections, *demux.parked):
            connection, parked = demux.find(flow), demux.parked.get(flow)
            tcb = connection.tcb if connection is not None else None
            announced = connection.announced if connection is not None else NOBODY
            if parked is not None:
                tcb, _ = self._parking.look_at(flow)
                announced = announced_of(parked)
            if tcb is None:
                yield None
                continue
            now_us = self._clock()
            age_us = self._openings.age_us(flow, tcb.agreed.iss, now_us)
            yield SeenConnection(flow, announced, info(tcb, now_us), age_us)

    def statistics(self) -> dict[str, int]:
        """Counts since the start, drops by reason, and what there is now."""
        return {
            **self._connections.statistics(),
            **self._queues.statistics(),
            **self.listening.statistics(),
            **self._fast_opens.statistics(),
            **self._parking.statistics(),
            **self.moving.statistics(),
            **(self._checkpoints.statistics() if self._checkpoints is not None else {}),
            "packets_in_total": self.river.packets_in_total,
        }

    def check_early_data(self, data: bytes) -> None:
        """Raises: MisuseError when a connection cannot be opened with that much data."""
        limit = self._parameters.send_buffer_bytes
        if len(data) > limit:
            raise MisuseError(
                f"connect takes at most {limit} bytes of data (tcp.send_buffer_bytes), found {len(data)}:"
                " send the rest once it returns"
            )

    def has_connection(self, local: Address, remote: Address) -> bool:
        """Whether the pair of sockets is in use, TIME-WAIT included."""
        flow = pack_flow(local, remote)
        return self._demux.has(flow) or flow in self._demux.time_wait

    # The calls that block nobody.

    def _set_options(self, _thread: Thread[Any], call: TcpSetOptions) -> None:
        self._check_open(call.connection)
        self._connections.step(call.connection, SetOptions(call.options, self._clock()))

    def _get_options(self, _thread: Thread[Any], call: TcpGetOptions) -> SocketOptions:
        return get_options(self._check_open(call.connection))

    def _check_open(self, connection: Connection) -> Tcb:
        """The connection as it is. Raises: OSError once it is over, or closed by its user."""
        tcb = self._connections.rouse(connection)
        if connection.is_closed or tcb is None:
            raise why_over(connection)
        return tcb

    def _get_info(self, _thread: Thread[Any], call: TcpGetInfo) -> TcpInfo:
        flow = call.connection.flow
        connection = self._connections.rouse(call.connection) or self._demux.time_wait.get(flow)
        return info(connection, self._clock())
