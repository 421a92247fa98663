"""The loop of the functional TCP: TCPSockIO's calls, over a packet source and a packet sink.

    packet river:  source.recv_batch -> segment -> demux -> step -> (tcb', actions)
                   -> emit into the batch | wake a thread
    thread river:  a call -> the same step -> actions -> the thread goes on or blocks
    once a turn:   deadlines that are due -> step; one flush of the whole batch

Owns the thread river. The packet river is `core.loop.tcp.packets`, what actions do
`core.loop.tcp.connections`, and what is decided `core.tcp.step`.
"""

import errno
from collections.abc import Mapping
from select import EPOLLIN
from typing import Any

import msgspec

from gossamer.core.clock import NEVER_US, Clock, monotonic_us
from gossamer.core.entropy import Entropy, system_entropy
from gossamer.core.errors import MisuseError
from gossamer.core.loop.streamcall import listener_closed, second_receiver, second_sender, stream_closed
from gossamer.core.loop.tcp.call import (
    Connection,
    Listener,
    TcpAbort,
    TcpAccept,
    TcpClose,
    TcpConnect,
    TcpGetInfo,
    TcpGetOptions,
    TcpListenClose,
    TcpRecv,
    TcpSend,
    TcpSetOptions,
    TcpShutdown,
)
from gossamer.core.loop.tcp.cancel import CancelSide
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.failure import error_for
from gossamer.core.loop.tcp.fast_open import FastOpens
from gossamer.core.loop.tcp.listening import Listening
from gossamer.core.loop.tcp.opening import Openings
from gossamer.core.loop.tcp.packets import PacketRiver
from gossamer.core.tcp.actions import Failed, Failure, Signal
from gossamer.core.tcp.calls.open import open_active
from gossamer.core.tcp.calls.option import get_options
from gossamer.core.tcp.calls.send import send
from gossamer.core.tcp.events import Abort, Close, Receive, Send, SetOptions
from gossamer.core.tcp.info import TcpInfo, info
from gossamer.core.tcp.isn import SECRET_BYTES
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import SocketOptions, parameters_with
from gossamer.core.tcp.step import step
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Handler, SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import Address, pack_flow
from gossamer.core.wire.ip import is_bad_address, wire_address
from gossamer.ffi.packets import PacketSink, PacketSource

ESTABLISHED = State.ESTABLISHED
replace = msgspec.structs.replace


class TcpLoop:
    """Performs TCPSockIO's calls over a packet source and a packet sink."""

    def __init__(
        self,
        source: PacketSource,
        sink: PacketSink,
        parameters: TcpParameters,
        clock: Clock = monotonic_us,
        entropy: Entropy = system_entropy,
        fast_open_secret: bytes = b"",
    ) -> None:
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            TcpRecv: self._recv,
            TcpSend: self._send,
            TcpShutdown: self._shutdown,
            TcpClose: self._close,
            TcpAbort: self._abort,
            TcpSetOptions: self._set_options,
            TcpGetOptions: self._get_options,
            TcpGetInfo: self._get_info,
            TcpAccept: self._accept,
            TcpListenClose: self._close_listener,
            TcpConnect: self._connect,
        }
        self._parameters = parameters
        self._clock = clock
        self._openings = Openings(parameters, entropy)
        self._fast_opens = FastOpens(parameters, fast_open_secret or entropy(SECRET_BYTES), clock)
        self._connections = Connections(sink, parameters, clock, self._fast_opens)
        self._listening = Listening(self._connections, self._openings, entropy)
        self._river = PacketRiver(source, self._connections, self._listening, clock)
        self.cancels = CancelSide(self._connections).cancels
        self._demux = self._connections.demux
        self._step = self._connections.step
        self._perform = self._connections.perform
        self._arm = self._connections.arm
        self.turn = self._connections.turn
        self.interrupt_receivers = self._connections.interrupt_receivers

    # What the scheduler asks.

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler, and watch the packet source."""
        self._scheduler = scheduler
        self._connections.start(scheduler)
        scheduler.watch(self._river.source.fd, EPOLLIN, self._river.receive)

    def close(self) -> None:
        """Reset what is still open, send that, and give the packet source and sink back."""
        self._connections.close()
        self._scheduler.unwatch(self._river.source.fd)
        self._river.source.close()
        self._connections.sink.close()

    # What the worker asks.

    def listen(self, listener: Listener) -> None:
        """Raises: OSError when its socket is listened on already."""
        self._demux.listen(listener.address, listener)

    def hand_over(self) -> None:
        """From now on what is new belongs to a successor."""
        self._river.is_handing_over = True

    @property
    def connections(self) -> int:
        """Connections that are not over; TIME-WAIT does not count."""
        return self._demux.connections_total

    @property
    def open_connections(self) -> tuple[Connection, ...]:
        """The connections that are not over, half-open ones too, for whoever looks after them."""
        return (*self._demux.half_open.values(), *self._demux.connections.values())

    def statistics(self) -> dict[str, int]:
        """Counts since the start, drops by reason, and what there is now."""
        return {
            **self._connections.statistics(),
            **self._listening.statistics(),
            **self._fast_opens.statistics(),
            "packets_in_total": self._river.packets_in_total,
        }

    # The thread river.

    def _recv(self, thread: Thread[Any], call: TcpRecv) -> Any:
        connection: Connection = call.connection
        bytes_max, timeout_us = call.bytes_max, call.timeout_us
        tcb = connection.tcb
        if connection.recv_thread is not None:
            raise second_receiver(connection.recv_thread)
        if tcb is None or tcb.rcv_buf_bytes or tcb.state is not ESTABLISHED:
            data = self._recv_now(connection, bytes_max)
            if data is not None:
                return data
        connection.recv_thread = thread
        connection.recv_bytes_max = bytes_max
        if timeout_us < NEVER_US:
            connection.recv_deadline_us = deadline_us = self._scheduler.now_us() + timeout_us
            if deadline_us < connection.armed_us:
                self._arm(connection, deadline_us)
        return BLOCKED

    def _recv_now(self, connection: Connection, bytes_max: int) -> bytes | None:
        """What a RECEIVE gets at once: octets, b"" at the end of the stream, None when it must wait.
        Raises: OSError."""
        if connection.is_closed:
            raise stream_closed()
        if connection.tcb is not None:
            tcb, actions = step(connection.tcb, Receive(bytes_max, self._scheduler.now_us()))
            ended = Signal.END_OF_STREAM in actions
            self._perform(connection, tcb, actions)
            if not ended and not connection.remains:
                return None
        elif connection.failure is not None and not connection.remains:
            raise error_for(connection, connection.failure)
        data = connection.remains[:bytes_max]
        connection.remains = connection.remains[bytes_max:]
        return data

    def _send(self, thread: Thread[Any], call: TcpSend) -> Any:
        connection: Connection = call.connection
        data, timeout_us = call.data, call.timeout_us
        if type(data) is not bytes or type(timeout_us) is not int or timeout_us < 0:
            call.check()
        try:
            tcb = connection.tcb
        except AttributeError:
            call.check()
            raise
        if tcb is None:
            raise self._why_over(connection)
        if connection.send_thread is not None:
            call.check()
            raise second_sender(connection.send_thread)
        self._connections.accepted_count = size = len(data)
        after, actions = send(tcb, Send(data, self._scheduler.now_us(), call.is_last))
        if actions and type(actions[0]) is Failed:
            raise stream_closed() if connection.is_closed else error_for(connection, actions[0].failure)
        self._perform(connection, after, actions)
        if self._connections.accepted_count == size:
            return None
        connection.send_thread = thread
        connection.send_rest = memoryview(data)[self._connections.accepted_count :]
        connection.send_is_last = call.is_last
        if timeout_us < NEVER_US:
            connection.send_deadline_us = self._scheduler.now_us() + timeout_us
            self._arm(connection, connection.send_deadline_us)
        return BLOCKED

    @staticmethod
    def _why_over(connection: Connection) -> OSError:
        """The error of a call on a connection that is over."""
        if connection.is_closed:
            return stream_closed()
        return error_for(connection, connection.failure or Failure.CLOSING)

    def _shutdown(self, _thread: Thread[Any], call: TcpShutdown) -> None:
        if call.connection.is_closed:
            raise stream_closed()
        # The FIN follows what stands in the send buffer: the rest of a blocked SEND never will.
        self._connections.wake_sender(call.connection, error_for(call.connection, Failure.CLOSING))
        if call.connection.tcb is not None:
            self._step(call.connection, Close(self._clock(), receives=True))

    def _close(self, thread: Thread[Any], call: TcpClose) -> Any:
        connection: Connection = call.connection
        connection.is_closed = True
        if connection.recv_thread is not None or connection.send_thread is not None:
            self._connections.interrupt(connection)
        if connection.tcb is not None:
            self._step(connection, Close(self._scheduler.now_us()))
        connection.remains = b""
        if connection.tcb is not None and connection.tcb.agreed.parameters.linger_us < NEVER_US:
            return self._linger(thread, connection, connection.tcb)
        return None

    def _linger(self, thread: Thread[Any], connection: Connection, tcb: Tcb) -> Any:
        """Block a close until all is acknowledged, or for as long as it lingers."""
        if connection.closer is not None or (tcb.snd_una == tcb.snd_nxt and not tcb.snd_buf_bytes):
            return None
        connection.closer = thread
        connection.send_deadline_us = self._scheduler.now_us() + tcb.agreed.parameters.linger_us
        self._arm(connection, connection.send_deadline_us)
        return BLOCKED

    def _abort(self, _thread: Thread[Any], call: TcpAbort) -> None:
        self._connections.interrupt(call.connection)
        call.connection.failure = Failure.ABORTED
        call.connection.is_closed = True
        if call.connection.tcb is not None:
            self._step(call.connection, Abort(self._clock()))

    def _set_options(self, _thread: Thread[Any], call: TcpSetOptions) -> None:
        self._check_open(call.connection)
        self._step(call.connection, SetOptions(call.options, self._clock()))

    def _get_options(self, _thread: Thread[Any], call: TcpGetOptions) -> SocketOptions:
        return get_options(self._check_open(call.connection))

    def _check_open(self, connection: Connection) -> Tcb:
        """The connection as it is. Raises: OSError once it is over, or closed by its user."""
        if connection.is_closed or connection.tcb is None:
            raise self._why_over(connection)
        return connection.tcb

    def _get_info(self, _thread: Thread[Any], call: TcpGetInfo) -> TcpInfo:
        flow = call.connection.flow
        connection = call.connection.tcb or self._demux.time_wait.get(flow)
        return info(connection, self._clock())

    def _accept(self, thread: Thread[Any], call: TcpAccept) -> Any:
        listener: Listener = call.listener
        if listener.is_closed:
            raise listener_closed()
        if listener.accepted:
            connection, _ = listener.accepted.popitem(last=False)
            connection.listener = None
            return connection
        listener.threads.append(thread)
        return BLOCKED

    def _close_listener(self, _thread: Thread[Any], call: TcpListenClose) -> None:
        """Stop listening: those blocked in accept are told, what was not accepted is reset."""
        listener: Listener = call.listener
        if listener.is_closed:
            return
        listener.is_closed = True
        self._demux.unlisten(listener.address)
        while listener.threads:
            self._scheduler.throw(listener.threads.popleft(), listener_closed())
        self._listening.forget_half_open(listener)
        accepted = tuple(listener.accepted)
        listener.accepted.clear()
        for connection in accepted:
            self._step(connection, Abort(self._clock()))

    def _connect(self, thread: Thread[Any], call: TcpConnect) -> Any:
        """Open actively from the local socket that the caller owns."""
        flow = pack_flow(call.local, call.remote)
        if is_bad_address(wire_address(flow[:16])):
            # RFC 9293 3.9.2.3, MUST-46: an OPEN to a broadcast or multicast address is an error.
            raise OSError(
                errno.ENETUNREACH,
                f"{call.remote[0]} is not the address of one host: no connection leads there",
            )
        if self._demux.find(flow) is not None:
            raise OSError(
                errno.EADDRINUSE, f"{call.local[0]} port {call.local[1]} is in use towards {call.remote[0]}"
            )
        now_us = self._clock()
        waiting = self._demux.time_wait.pop(flow, None)
        opening = self._openings.active(flow, waiting, now_us)
        if call.options.maxseg_bytes is not None:
            opening = replace(opening, mss=min(opening.mss, call.options.maxseg_bytes))
        if call.data:
            opening = self._fast_opens.with_cookie(flow, opening)
        tcb, actions = open_active(parameters_with(self._parameters, call.options), opening, call.data)
        connection = call.make(flow, tcb, None)
        connection.opener = thread
        self._demux.add(flow, connection)
        if call.timeout_us < NEVER_US:
            connection.send_deadline_us = now_us + call.timeout_us
            self._arm(connection, connection.send_deadline_us)
        self._perform(connection, tcb, actions)
        return BLOCKED

    def check_early_data(self, data: bytes) -> None:
        """Raises: MisuseError when a connection cannot be opened with so much."""
        limit = self._parameters.send_buffer_bytes
        if len(data) > limit:
            raise MisuseError(
                f"connect takes at most {limit} bytes of data (tcp.send_buffer_bytes), found {len(data)}:"
                " send the rest once it returns"
            )

    def has_connection(self, local: Address, remote: Address) -> bool:
        """Whether the pair of sockets is in use, TIME-WAIT included."""
        flow = pack_flow(local, remote)
        return self._demux.find(flow) is not None or flow in self._demux.time_wait
