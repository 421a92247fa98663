"""The packet river: batches of records from the source, each a segment, to its connection's step.

    source.recv_batch -> segment -> demux -> step -> perform

Owns the choice of who gets a segment of no open connection, and how much of what waits is taken in a turn.
What comes on connections is taken first, from every source; then threads run; what would open new ones, where
it has a source of its own, comes last. So a flood of SYNs waits, and fills its own queue alone. It only steps
connections; `core.loop.tcp.listening` decides what a listener does.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from gossamer.core.clock import Clock
from gossamer.core.loop.tcp.call import Connection
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.listening import Listening
from gossamer.core.loop.tcp.parking import Parking
from gossamer.core.tcp import listen, time_wait
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import SegmentArrives
from gossamer.core.tcp.icmp_error import event_of
from gossamer.core.tcp.memory import FREE_BYTES, Level
from gossamer.core.tcp.step import segment_arrives
from gossamer.core.tcp.tcb import TimeWait
from gossamer.core.wire.flow import Flow, is_ipv4
from gossamer.core.wire.icmp import IcmpMessage
from gossamer.core.wire.reading import InRecord, read_icmp, read_segment
from gossamer.core.wire.record import IN_RECORD, KIND_ICMP, KIND_OPTIONS, KIND_TIMESTAMP, SIDE_RECORD
from gossamer.core.wire.segment import Segment
from gossamer.ffi.packets import PacketSource

BATCHES_MAX: Final = 4
"""Batches received in one turn from one source, so that timers and other loops are never starved."""
BATCHES_OF_ALL_MAX: Final = 16
"""The same of all sources; where there are more, one from each."""
HANDSHAKES_ENOUGH: Final = 32
"""Of all sources of SYNs: once a turn has taken in so many, it asks no further source. So what comes on
connections waits for 95 SYNs at most, and a SYN here and there is no turn of its own."""

HandOn = Callable[[Flow, Segment], None]
HandOnError = Callable[[IcmpMessage], None]


class PacketRiver:
    """Takes packets in. Bounds: BATCHES_MAX, BATCHES_OF_ALL_MAX, HANDSHAKES_ENOUGH."""

    def __init__(
        self,
        connections: Connections,
        listening: Listening,
        parking: Parking,
        clock: Clock,
    ) -> None:
        self.hand_on: HandOn | None = None
        """Takes a segment of no connection here that may be for one in a process that we take over from."""
        self.hand_on_error: HandOnError | None = None
        """The same of an ICMP error."""
        self.is_handing_over = False
        """A successor takes what is new: a segment of no connection is dropped without a RST, and its SYN is
        sent again."""
        self.packets_in_total: int = 0
        self.waiting: dict[PacketSource, None] = {}
        """Sources of SYNs that wait, in the order in which they are read."""
        self._batches_max = BATCHES_MAX
        self._connections = connections
        self._demux = connections.demux
        self._door = connections.door
        self._listening = listening
        self._parking = parking
        self._clock = clock

    def share_between(self, sources: int) -> None:
        """So many are read in a turn, which take no longer together than a few would."""
        self._batches_max = min(BATCHES_MAX, max(BATCHES_OF_ALL_MAX // max(sources, 1), 1))

    def receive(self, source: PacketSource, _events: int) -> None:
        """Take in a bounded number of batches."""
        for _ in range(self._batches_max):
            count = source.recv_batch()
            if not count:
                return
            self.packets_in_total += count
            self._take_batch(source, count, self._clock())
            if count * IN_RECORD.size < len(source.records):
                return  # It was not full: what has come since is told by the next wait, without a call more.

    def note_handshakes(self, source: PacketSource, _events: int) -> None:
        """SYNs wait, and go on waiting until all else is done."""
        self.waiting[source] = None

    def take_handshakes(self) -> None:
        """Take in a batch from one after the other, until it is enough; the next has its turn then."""
        taken = 0
        for source in tuple(self.waiting):
            del self.waiting[source]
            count = source.recv_batch()
            self.packets_in_total += count
            self._take_batch(source, count, self._clock())
            taken += count
            if taken >= HANDSHAKES_ENOUGH:
                return

    def _take_batch(self, source: PacketSource, count: int, now_us: int) -> None:
        """Step every segment of a batch. The hot path: plain ACKs and data with timestamps of known flows."""
        connections, arena, doer = self._demux.connections, source.arena, self._connections
        door, is_watched = self._door, self._door.observer is not None
        memory, is_full = doer.memory, doer.memory.level is Level.FULL
        records: Iterator[InRecord] = IN_RECORD.iter_unpack(source.records[: count * IN_RECORD.size])
        for index, (
            flow,
            kind,
            flags,
            window,
            seq,
            ack,
            ts_val,
            ts_ecr,
            offset,
            length,
            ecn,
            pieces,
        ) in enumerate(records):
            if pieces > 1:
                self.packets_in_total += pieces - 1
            if kind == KIND_TIMESTAMP:
                payload = arena[offset : offset + length] if length else b""
                segment = Segment(seq, ack, flags, window, ts_val, ts_ecr, payload, (), None, 0, ecn)
            else:
                other = self._read_other(source, index)
                if other is None:
                    continue
                segment = other
            connection = connections.get(flow)
            if connection is None:
                self._take_stray(flow, segment, now_us, self.hand_on)
                continue
            if is_full and length and self._is_too_much(connection, seq):
                continue
            event = SegmentArrives(segment, now_us, connection.recv_bytes_max, pieces)
            before: Any = connection.tcb  # Of a connection that is found it is not None.
            if is_watched:
                tcb, actions = door.ask(segment_arrives, flow, before, event)
            else:
                tcb, actions = segment_arrives(before, event)
            doer.perform(connection, tcb, actions)
            if length:
                left = connection.tcb
                if left is not None and (left.rcv_buf_bytes > FREE_BYTES or left.reassembly is not None):
                    memory.count(connection, left)

    def _is_too_much(self, connection: Connection, seq: int) -> bool:
        """Whether text is left aside that would have to be kept, as there is no memory for it."""
        tcb = connection.tcb
        if tcb is None or (connection.recv_bytes_max and tcb.rcv_nxt == seq):
            return False
        self._connections.drops[SegmentDrop.MEMORY_FULL] += 1
        return True

    def take(self, flow: Flow, segment: Segment) -> None:
        """A segment that another process has handed on, and that is handed on no further."""
        now_us, connection = self._clock(), self._demux.connections.get(flow)
        if connection is not None:
            self._connections.step(connection, SegmentArrives(segment, now_us, connection.recv_bytes_max))
            return
        self._take_stray(flow, segment, now_us, None)

    def _read_other(self, source: PacketSource, index: int) -> Segment | None:
        """The segment of a record that is not of the hot kind; None when it was a drop or an ICMP error."""
        record: InRecord = IN_RECORD.unpack_from(source.records, index * IN_RECORD.size)
        kind, offset, length = record[1], record[8], record[9]
        if kind > KIND_ICMP:
            self._connections.drops[kind] += 1
            return None
        if kind == KIND_ICMP:
            self.take_error(read_icmp(record), self.hand_on_error)
            return None
        side = SIDE_RECORD.unpack_from(source.side, index * SIDE_RECORD.size) if kind == KIND_OPTIONS else ()
        return read_segment(record, source.arena[offset : offset + length], side)

    def take_error(self, error: IcmpMessage, hand_on: HandOnError | None = None) -> None:
        """An ICMP error; without `hand_on` it is for a connection here, or for nobody."""
        connection = self._demux.find(error.flow)
        event = event_of(error, is_ipv4(error.flow), self._clock())
        if connection is not None:
            self._connections.step(connection, event)
        elif error.flow in self._demux.parked:
            self._parking.happens(error.flow, event)
        elif hand_on is not None:
            hand_on(error)
        else:
            self._connections.drops[SegmentDrop.ICMP_IGNORED] += 1

    def _take_stray(self, flow: Flow, segment: Segment, now_us: int, hand_on: HandOn | None) -> None:
        """A segment of no connection that is awake: a parked or half-open one, TIME-WAIT, one elsewhere, a
        listener, or nobody."""
        if flow in self._demux.parked:
            return self._parking.segment_arrives(flow, segment, now_us)
        half_open = self._demux.half_open.get(flow)
        if half_open is not None:
            return self._listening.take_half_open(half_open, segment, now_us)
        waiting = self._demux.time_wait.get(flow)
        if waiting is not None and not time_wait.can_reopen(waiting, segment):
            return self._take_time_wait(flow, waiting, segment, now_us)
        if hand_on is not None and waiting is None and not listen.is_opening(segment):
            return hand_on(flow, segment)
        listener = self._demux.find_listener(flow)
        if listener is None or (not listener.takes_new and listen.is_opening(segment)):
            return self._refuse(flow, segment)
        return self._listening.take(listener, flow, segment, waiting, now_us)

    def _take_time_wait(self, flow: Flow, waiting: TimeWait, segment: Segment, now_us: int) -> None:
        record, actions = self._door.ask(segment_arrives, flow, waiting, SegmentArrives(segment, now_us))
        assert type(record) is TimeWait
        if record.expires_at_us != waiting.expires_at_us:
            self._demux.keep_time_wait(flow, record)
        else:
            self._demux.change_time_wait(flow, record)
        self._connections.emit_and_count(flow, actions)

    def _refuse(self, flow: Flow, segment: Segment) -> None:
        """RFC 9293 3.10.7.1: a segment for a closed port is answered with a RST."""
        self._connections.drops[SegmentDrop.NO_CONNECTION] += 1
        if self.is_handing_over:
            return
        reply = reset_reply(segment)
        if reply is not None:
            self._connections.emit_and_count(flow, (reply,))
