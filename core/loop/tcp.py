"""The loop of the functional TCP: packets in, `step`, actions performed, packets out.

    packet river:  source.recv_batch -> segment -> demux -> step -> (tcb', actions) -> emit into the batch | wake a thread
    thread river:  a call -> the same step -> actions -> the thread goes on or blocks
    once a turn:   deadlines that are due -> step; one flush of the whole batch

Owns the connections' records, who is blocked on which, and their deadlines. It decides nothing about TCP: that is `core.tcp.step`.

Deadlines are re-armed lazily: a connection stands in the heap once, at `armed_us`, and what it really waits for is looked at when
it is handed out, so that a request on a living connection costs no heap operation.
"""

from collections.abc import Callable, Mapping
from select import EPOLLIN
from typing import Any, Final

from gossamer.core.clock import NEVER_US, Clock, monotonic_us
from gossamer.core.demux import Demux
from gossamer.core.entropy import Entropy, system_entropy
from gossamer.core.errors import Draining
from gossamer.core.loop.tcpcall import (
    Connection,
    Listener,
    TcpAbort,
    TcpAccept,
    TcpClose,
    TcpConnect,
    TcpListenClose,
    TcpRecv,
    TcpSend,
    TcpShutdown,
)
from gossamer.core.loop.tcpfailure import error_of
from gossamer.core.loop.tcpopening import Openings
from gossamer.core.tcp import listen, time_wait
from gossamer.core.tcp.actions import Accepted, Actions, Deliver, Dropped, Failed, Failure, Remains, Signal
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.calls.send import send
from gossamer.core.tcp.closed import reset_reply
from gossamer.core.tcp.drop import SegmentDrop
from gossamer.core.tcp.events import Abort, Close, Event, IcmpError, Receive, SegmentArrives, Send, Timeout
from gossamer.core.tcp.icmp_error import is_hard
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.step import segment_arrives, step
from gossamer.core.tcp.tcb import State, Tcb, TimeWait
from gossamer.core.tcp.timeouts import deadline_us
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Handler, SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.drop import DropReason
from gossamer.core.wire.flow import Address, Flow, is_ipv4, pack_flow
from gossamer.core.wire.options import encode_options
from gossamer.core.wire.reading import InRecord, read_icmp, read_segment
from gossamer.core.wire.record import IN_RECORD, KIND_ICMP, KIND_OPTIONS, KIND_TIMESTAMP, SIDE_RECORD
from gossamer.core.wire.segment import Segment
from gossamer.ffi.packets import PacketSink, PacketSource

BATCHES_MAX: Final = 4
"""Batches received in one turn, so that timers and other loops are never starved."""

DEADLINES_MAX: Final = 1024
"""Connections, and TIME-WAIT records, whose deadlines are looked at in one turn."""

ESTABLISHED = State.ESTABLISHED


class TcpLoop:
    """Performs TCPSockIO's calls over a packet source and a packet sink."""

    def __init__(
        self,
        source: PacketSource,
        sink: PacketSink,
        parameters: TcpParameters,
        clock: Clock = monotonic_us,
        entropy: Entropy = system_entropy,
    ) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            TcpRecv: self._recv,
            TcpSend: self._send,
            TcpShutdown: self._shutdown,
            TcpClose: self._close,
            TcpAbort: self._abort,
            TcpAccept: self._accept,
            TcpListenClose: self._close_listener,
            TcpConnect: self._connect,
        }
        self._performers: dict[type[Any], Callable[[Connection, Any], None]] = {
            Deliver: self._perform_deliver,
            Accepted: self._perform_accepted,
            Remains: self._perform_remains,
            Dropped: self._perform_dropped,
            Failed: self._perform_failed,
            Signal: self._perform_signal,
        }
        self._signals: dict[Signal, Callable[[Connection], None]] = {
            Signal.ESTABLISHED: self._on_established,
            Signal.SEND_SPACE: self._on_send_space,
            Signal.END_OF_STREAM: self._on_end_of_stream,
            Signal.RETRANSMITTED: self._on_retransmitted,
            Signal.HALF_OPEN_GONE: self._on_half_open_gone,
        }
        self._source = source
        self._sink = sink
        self._parameters = parameters
        self._clock = clock
        self._demux: Demux[Connection, Listener] = Demux(parameters.connections_max, parameters.time_wait_max)
        self._openings = Openings(parameters, entropy)
        self._deadlines: DeadlineHeap[Connection] = DeadlineHeap()
        self._accepted_count = 0
        self._is_handing_over = False
        self._drops: dict[int, int] = dict.fromkeys((*DropReason, *SegmentDrop), 0)
        self._packets_in_total = 0
        self._packets_out_total = 0
        self._retransmits_total = 0
        self._accepted_total = 0

    # What the scheduler asks.

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler, and watch the packet source."""
        self._scheduler = scheduler
        self._resume = scheduler.resume
        scheduler.watch(self._source.fd, EPOLLIN, self._receive_packets)

    def deadline_us(self) -> int:
        """The earliest deadline of any connection or TIME-WAIT record."""
        return min(self._deadlines.next_us(), self._demux.time_wait_deadline_us())

    def turn(self, now_us: int) -> None:
        """Step the connections whose deadlines have passed, then send the batch."""
        if self._deadlines.next_us() <= now_us:
            for connection in self._deadlines.pop_due(now_us, DEADLINES_MAX):
                if connection.armed_us <= now_us:
                    self._expire(connection, now_us)
        if self._demux.time_wait_deadline_us() <= now_us:
            self._demux.expire_time_wait(now_us, DEADLINES_MAX)
        self._packets_out_total += self._sink.flush()

    def close(self) -> None:
        """Reset what is still open, send that, and give the packet source and sink back."""
        for connection in tuple(self._demux.connections.values()):
            self._step(connection, Abort(self._clock()))
        self._sink.flush()
        self._scheduler.unwatch(self._source.fd)
        self._source.close()
        self._sink.close()

    # What the worker asks.

    def listen(self, listener: Listener) -> None:
        """Raises: OSError when its socket is listened on already."""
        self._demux.listen(listener.address, listener)

    def hand_over(self) -> None:
        """From now on what is new belongs to a successor: a segment of no connection is dropped without a RST.

        The peer of a SYN sends it again, and by then the successor reads the queue.
        """
        self._is_handing_over = True

    def interrupt_receivers(self) -> None:
        """Throw `Draining` into every thread that is blocked in a recv."""
        for connection in self._demux.connections.values():
            thread = self._take_receiver(connection)
            if thread is not None:
                self._scheduler.throw(thread, Draining("the server is draining"))

    @property
    def connections(self) -> int:
        """Connections that are not over; TIME-WAIT does not count."""
        return len(self._demux.connections)

    def statistics(self) -> dict[str, int]:
        """Counts since the start, drops by reason, and what there is now."""
        self._drops[SegmentDrop.SEND_FAILED] = self._sink.failed_total
        counts = {
            "connections": len(self._demux.connections),
            "half_open": sum(listener.half_open for listener in self._demux.listeners.values()),
            "time_wait": len(self._demux.time_wait),
            "accepted_total": self._accepted_total,
            "packets_in_total": self._packets_in_total,
            "packets_out_total": self._packets_out_total,
            "retransmits_total": self._retransmits_total,
        }
        for reason in (*DropReason, *SegmentDrop):
            counts[f"drop_{reason.name.lower()}"] = self._drops[reason]
        return counts

    # The packet river.

    def _receive_packets(self, _events: int) -> None:
        """Take in a bounded number of batches."""
        source = self._source
        for _ in range(BATCHES_MAX):
            count = source.recv_batch()
            if not count:
                return
            self._packets_in_total += count
            self._take_batch(source, count, self._clock())

    def _take_batch(self, source: PacketSource, count: int, now_us: int) -> None:
        """Step every segment of a batch. The hot path: plain ACKs and data with timestamps of known flows."""
        find, arena = self._demux.connections.get, source.arena
        for index, record in enumerate(IN_RECORD.iter_unpack(source.records[: count * IN_RECORD.size])):
            flow, kind, flags, window, seq, ack, ts_val, ts_ecr, offset, length = record
            if kind == KIND_TIMESTAMP:
                payload = arena[offset : offset + length] if length else b""
                segment = Segment(seq, ack, flags, window, ts_val, ts_ecr, payload)
            else:
                other = self._read_other(source, index, record)
                if other is None:
                    continue
                segment = other
            connection = find(flow)
            if connection is None:
                self._take_stray(flow, segment, now_us)
                continue
            event = SegmentArrives(segment, now_us, connection.recv_bytes_max)
            tcb, actions = segment_arrives(connection.tcb, event)  # type: ignore[arg-type]  # in the map it has one
            self._perform(connection, tcb, actions)

    def _read_other(self, source: PacketSource, index: int, record: InRecord) -> Segment | None:
        """The segment of a record that is not of the hot kind; None when it was a drop or an ICMP error."""
        kind, offset, length = record[1], record[8], record[9]
        if kind > KIND_ICMP:
            self._drops[kind] += 1
            return None
        if kind == KIND_ICMP:
            self._take_icmp(record)
            return None
        side = SIDE_RECORD.unpack_from(source.side, index * SIDE_RECORD.size) if kind == KIND_OPTIONS else ()
        return read_segment(record, source.arena[offset : offset + length], side)

    def _take_icmp(self, record: InRecord) -> None:
        error = read_icmp(record)
        connection = self._demux.connections.get(error.flow)
        if connection is None:
            self._drops[SegmentDrop.ICMP_IGNORED] += 1
            return
        self._step(
            connection,
            IcmpError(error.seq, is_hard(error.kind, error.code, is_ipv4(error.flow)), self._clock()),
        )

    def _take_stray(self, flow: Flow, segment: Segment, now_us: int) -> None:
        """A segment of no connection: TIME-WAIT, a listener, or nobody."""
        waiting = self._demux.time_wait.get(flow)
        if waiting is not None:
            if not time_wait.may_reopen(waiting, segment):
                return self._take_time_wait(flow, waiting, segment, now_us)
            if self._demux.find_listener(flow) is not None:
                del self._demux.time_wait[flow]
        listener = self._demux.find_listener(flow)
        if listener is None:
            return self._refuse(flow, segment)
        return self._take_syn(listener, flow, segment, waiting, now_us)

    def _take_time_wait(self, flow: Flow, waiting: TimeWait, segment: Segment, now_us: int) -> None:
        record, actions = time_wait.segment_arrives(waiting, SegmentArrives(segment, now_us))
        if record.expires_at_us != waiting.expires_at_us:
            self._demux.keep_time_wait(flow, record)
        else:
            self._demux.time_wait[flow] = record
        self._emit_and_count(flow, actions)

    def _take_syn(
        self, listener: Listener, flow: Flow, segment: Segment, before: TimeWait | None, now_us: int
    ) -> None:
        if listener.half_open + len(listener.accepted) >= listener.tcp.backlog:
            self._drops[SegmentDrop.BACKLOG_FULL] += 1
            return
        if self._demux.is_full:
            self._drops[SegmentDrop.CONNECTIONS_FULL] += 1
            return
        opening = self._openings.passive(flow, before, now_us)
        tcb, actions = listen.segment_arrives(listener.tcp, segment, opening)
        if tcb is None:
            self._emit_and_count(flow, actions)
            return
        connection = listener.make(flow, tcb, listener)
        listener.half_open += 1
        self._demux.add(flow, connection)
        self._perform(connection, tcb, actions)

    def _refuse(self, flow: Flow, segment: Segment) -> None:
        """RFC 9293 3.10.7.1: a segment for a closed port is answered with a RST."""
        self._drops[SegmentDrop.NO_CONNECTION] += 1
        if self._is_handing_over:
            return
        reply = reset_reply(segment)
        if reply is not None:
            self._sink.emit(flow, reply)

    def _emit_and_count(self, flow: Flow, actions: Actions) -> None:
        """The actions of what has no connection: segments and drops."""
        for action in actions:
            if isinstance(action, Segment):
                self._emit(flow, action)
            elif isinstance(action, Dropped):
                self._drops[action.reason] += 1

    # Performing what step decided.

    def _step(self, connection: Connection, event: Event) -> None:
        """One step of a connection that is not over."""
        assert connection.tcb is not None
        tcb, actions = step(connection.tcb, event)
        self._perform(connection, tcb, actions)

    def _perform(self, connection: Connection, tcb: Tcb | TimeWait | None, actions: Actions) -> None:
        if type(tcb) is not Tcb:
            return self._perform_last(connection, tcb, actions)
        connection.tcb = tcb
        for action in actions:
            if type(action) is Segment:
                if action.sack or action.syn_options is not None:
                    self._sink.emit(connection.flow, action, encode_options(action))
                else:
                    self._sink.emit(connection.flow, action)
            else:
                self._performers[type(action)](connection, action)
        # A later deadline is found when the armed one is handed out; only an earlier one needs arming.
        armed_us = connection.armed_us
        if tcb.ack_at_us < armed_us or tcb.rtx_at_us < armed_us or tcb.slow_at_us < armed_us:
            self._arm(connection, deadline_us(tcb))
        return None

    def _perform_last(self, connection: Connection, tcb: Tcb | TimeWait | None, actions: Actions) -> None:
        """The last actions of a connection; those who still wait for it are told."""
        connection.tcb = None
        self._demux.connections.pop(connection.flow, None)
        if isinstance(tcb, TimeWait):
            self._demux.keep_time_wait(connection.flow, tcb)
        for action in actions:
            if isinstance(action, Segment):
                self._emit(connection.flow, action)
            else:
                self._performers[type(action)](connection, action)
        self._on_end_of_stream(connection)
        self._wake_sender(connection, BrokenPipeError(32, "the connection was closed"))

    def _emit(self, flow: Flow, segment: Segment) -> None:
        self._sink.emit(flow, segment, encode_options(segment))

    def _perform_deliver(self, connection: Connection, action: Deliver) -> None:
        thread = connection.recv_thread
        connection.recv_thread = None
        connection.recv_bytes_max = 0
        connection.recv_deadline_us = NEVER_US
        if thread is None:
            # A RECEIVE that is being made just now: its handler takes the octets from here.
            connection.remains = action.data
        else:
            self._resume(thread, action.data)

    def _perform_accepted(self, _connection: Connection, action: Accepted) -> None:
        self._accepted_count = action.count

    def _perform_remains(self, connection: Connection, action: Remains) -> None:
        connection.remains = action.data

    def _perform_dropped(self, _connection: Connection, action: Dropped) -> None:
        self._drops[action.reason] += 1

    def _perform_failed(self, connection: Connection, action: Failed) -> None:
        connection.failure = action.failure
        error = error_of(action.failure)
        self._withdraw(connection)
        thread = self._take_receiver(connection)
        if thread is not None:
            self._scheduler.throw(thread, error)
        self._wake_sender(connection, error_of(action.failure))
        opener, connection.opener = connection.opener, None
        if opener is not None:
            self._scheduler.throw(opener, error_of(action.failure))

    def _perform_signal(self, connection: Connection, signal: Signal) -> None:
        self._signals[signal](connection)

    def _on_established(self, connection: Connection) -> None:
        opener, connection.opener = connection.opener, None
        if opener is not None:
            connection.send_deadline_us = NEVER_US
            self._resume(opener, connection)
            return
        listener = connection.listener
        if listener is None:
            return
        listener.half_open -= 1
        self._accepted_total += 1
        if listener.threads:
            connection.listener = None
            self._resume(listener.threads.popleft(), connection)
        else:
            listener.accepted.append(connection)

    def _on_send_space(self, connection: Connection) -> None:
        thread, rest = connection.send_thread, connection.send_rest
        if thread is None or rest is None or connection.tcb is None:
            return
        room = connection.tcb.agreed.parameters.send_buffer_bytes - connection.tcb.snd_buf_bytes
        data = bytes(rest[:room])
        self._accepted_count = len(data)
        is_last = connection.send_is_last and len(data) == len(rest)
        self._step(connection, Send(data, self._clock(), is_last))
        rest = rest[self._accepted_count :]
        if len(rest):
            connection.send_rest = rest
            return
        connection.send_thread = connection.send_rest = None
        connection.send_deadline_us = NEVER_US
        self._resume(thread)

    def _on_end_of_stream(self, connection: Connection) -> None:
        thread = self._take_receiver(connection)
        if thread is not None:
            data, connection.remains = connection.remains, b""
            self._resume(thread, data)

    def _on_retransmitted(self, _connection: Connection) -> None:
        self._retransmits_total += 1

    def _on_half_open_gone(self, connection: Connection) -> None:
        if connection.listener is not None:
            connection.listener.half_open -= 1
            connection.listener = None

    def _withdraw(self, connection: Connection) -> None:
        """A connection that failed before it was accepted is not handed out any more."""
        listener, connection.listener = connection.listener, None
        if listener is not None and connection in listener.accepted:
            listener.accepted.remove(connection)

    # Deadlines.

    def _expire(self, connection: Connection, now_us: int) -> None:
        """What is due of a connection: its own timers, and the timeouts of the calls blocked on it."""
        connection.armed_us = NEVER_US
        if connection.recv_deadline_us <= now_us:
            thread = self._take_receiver(connection)
            if thread is not None:
                self._scheduler.throw(thread, TimeoutError("timed out while receiving"))
        if connection.send_deadline_us <= now_us:
            self._expire_send(connection, now_us)
        if connection.tcb is None:
            return
        self._step(connection, Timeout(now_us))
        self._arm(connection, min(connection.recv_deadline_us, connection.send_deadline_us))

    def _expire_send(self, connection: Connection, now_us: int) -> None:
        """The timeout of a SEND, or of an active open, which then ends."""
        opener, connection.opener = connection.opener, None
        if opener is None:
            self._wake_sender(connection, TimeoutError("timed out while sending"))
            return
        connection.send_deadline_us = NEVER_US
        self._scheduler.throw(opener, TimeoutError("timed out while connecting"))
        self._step(connection, Abort(now_us))

    def _arm(self, connection: Connection, deadline_us: int) -> None:
        if deadline_us < connection.armed_us:
            connection.armed_us = deadline_us
            self._deadlines.push(deadline_us, connection)

    # The thread river.

    def _recv(self, thread: Thread[Any], call: TcpRecv) -> Any:
        connection = call.connection
        tcb = connection.tcb
        if tcb is None or tcb.rcv_buf_bytes or tcb.state is not ESTABLISHED:
            data = self._recv_now(connection, call.bytes_max)
            if data is not None:
                return data
        if connection.recv_thread is not None:
            raise OSError(16, "another thread is receiving on this connection")
        connection.recv_thread = thread
        connection.recv_bytes_max = call.bytes_max
        if call.timeout_us != NEVER_US:
            connection.recv_deadline_us = deadline_us = self._scheduler.now_us() + call.timeout_us
            if deadline_us < connection.armed_us:
                self._arm(connection, deadline_us)
        return BLOCKED

    def _recv_now(self, connection: Connection, bytes_max: int) -> bytes | None:
        """What a RECEIVE gets at once: octets, b"" at the end of the stream, None when it must wait."""
        if connection.tcb is not None:
            tcb, actions = step(connection.tcb, Receive(bytes_max, self._scheduler.now_us()))
            ended = Signal.END_OF_STREAM in actions
            self._perform(connection, tcb, actions)
            if not ended and not connection.remains:
                return None
        elif connection.failure is not None and not connection.remains:
            raise error_of(connection.failure)
        data = connection.remains[:bytes_max]
        connection.remains = connection.remains[bytes_max:]
        return data

    def _send(self, thread: Thread[Any], call: TcpSend) -> Any:
        connection = call.connection
        tcb = connection.tcb
        if tcb is None:
            raise error_of(connection.failure or Failure.CLOSING)
        if connection.send_thread is not None:
            raise OSError(16, "another thread is sending on this connection")
        data = call.data
        self._accepted_count = size = len(data)
        after, actions = send(tcb, Send(data, self._scheduler.now_us(), call.is_last))
        if actions and type(actions[0]) is Failed:
            raise error_of(actions[0].failure)
        self._perform(connection, after, actions)
        if self._accepted_count == size:
            return None
        connection.send_thread = thread
        connection.send_rest = memoryview(data)[self._accepted_count :]
        connection.send_is_last = call.is_last
        if call.timeout_us != NEVER_US:
            connection.send_deadline_us = self._scheduler.now_us() + call.timeout_us
            self._arm(connection, connection.send_deadline_us)
        return BLOCKED

    def _shutdown(self, _thread: Thread[Any], call: TcpShutdown) -> None:
        if call.connection.tcb is not None:
            self._step(call.connection, Close(self._clock(), receives=True))

    def _close(self, _thread: Thread[Any], call: TcpClose) -> None:
        self._interrupt(call.connection)
        if call.connection.tcb is not None:
            self._step(call.connection, Close(self._clock()))
        call.connection.remains = b""

    def _abort(self, _thread: Thread[Any], call: TcpAbort) -> None:
        self._interrupt(call.connection)
        call.connection.failure = Failure.ABORTED
        if call.connection.tcb is not None:
            self._step(call.connection, Abort(self._clock()))

    def _interrupt(self, connection: Connection) -> None:
        """Another thread closes the connection: those blocked on it are told."""
        thread = self._take_receiver(connection)
        if thread is not None:
            self._scheduler.throw(thread, error_of(Failure.ABORTED))
        self._wake_sender(connection, error_of(Failure.ABORTED))

    def _take_receiver(self, connection: Connection) -> Thread[Any] | None:
        """The thread blocked in RECEIVE, which no longer is."""
        thread = connection.recv_thread
        connection.recv_thread = None
        connection.recv_bytes_max = 0
        connection.recv_deadline_us = NEVER_US
        return thread

    def _wake_sender(self, connection: Connection, error: OSError) -> None:
        thread = connection.send_thread
        if thread is not None:
            connection.send_thread = connection.send_rest = None
            connection.send_deadline_us = NEVER_US
            self._scheduler.throw(thread, error)

    def _accept(self, thread: Thread[Any], call: TcpAccept) -> Any:
        listener = call.listener
        if listener.is_closed:
            raise ConnectionAbortedError(103, "the listener is closed")
        if listener.accepted:
            connection = listener.accepted.popleft()
            connection.listener = None
            return connection
        listener.threads.append(thread)
        return BLOCKED

    def _close_listener(self, _thread: Thread[Any], call: TcpListenClose) -> None:
        """Stop listening: those blocked in accept are told, what was not accepted is reset."""
        listener = call.listener
        listener.is_closed = True
        self._demux.unlisten(listener.address)
        while listener.threads:
            self._scheduler.throw(
                listener.threads.popleft(), ConnectionAbortedError(103, "the listener is closed")
            )
        accepted, listener.accepted = tuple(listener.accepted), type(listener.accepted)()
        for connection in accepted:
            self._step(connection, Abort(self._clock()))

    def _connect(self, thread: Thread[Any], call: TcpConnect) -> Any:
        """Open actively from the local socket that the caller owns."""
        flow = pack_flow(call.local, call.remote)
        if flow in self._demux.connections:
            raise OSError(98, f"{call.local[0]} port {call.local[1]} is in use towards {call.remote[0]}")
        now_us = self._clock()
        waiting = self._demux.time_wait.pop(flow, None)
        tcb, actions = open_active(self._parameters, self._openings.active(flow, waiting, now_us))
        connection = call.make(flow, tcb, None)
        connection.opener = thread
        self._demux.add(flow, connection)
        if call.timeout_us != NEVER_US:
            connection.send_deadline_us = now_us + call.timeout_us
            self._arm(connection, connection.send_deadline_us)
        self._perform(connection, tcb, actions)
        return BLOCKED

    def has_connection(self, local: Address, remote: Address) -> bool:
        """Whether the pair of sockets is in use, TIME-WAIT included."""
        flow = pack_flow(local, remote)
        return flow in self._demux.connections or flow in self._demux.time_wait
