"""The receiving side: RECEIVE, answered at once, or blocked until octets, an end or a timeout come.

Owns `recv_thread`, `recv_bytes_max`, `recv_deadline_us`, `idle` and `remains` of a connection's record. A
cancelled recv has taken nothing.
"""

from typing import Any

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import Draining
from gossamer.core.loop.streamcall import (
    NOT_RECEIVED_IN_TIME,
    StreamRecv,
    said_of,
    second_receiver,
    stream_closed,
)
from gossamer.core.loop.tcp.call import Connection, TcpRecv, TcpRecvIdle
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.failure import error_for, error_of
from gossamer.core.loop.tcp.side import Cancels, Performs, Side, Signals, Takes
from gossamer.core.tcp.actions import Deliver, Failure, Remains, Signal
from gossamer.core.tcp.calls.receive import receive
from gossamer.core.tcp.events import Receive
from gossamer.core.tcp.tcb import State, Tcb
from gossamer.core.threads.thread import BLOCKED, Thread

ESTABLISHED = State.ESTABLISHED


class TcpReceiveSide(Side):
    """Takes RECEIVEs. At most one thread is blocked on each connection."""

    def __init__(self, connections: Connections) -> None:
        self.takes: Takes = {TcpRecv: self._recv, TcpRecvIdle: self._recv}
        self.cancels: Cancels = {TcpRecv: self._withdraw, TcpRecvIdle: self._withdraw}
        self.performs: Performs = {Deliver: self._deliver, Remains: self._keep}
        self.signals: Signals = {Signal.END_OF_STREAM: self.ended}
        self._connections = connections
        self._ask = connections.door.ask
        self._arm = connections.deadlines.arm

    def _recv(self, thread: Thread[Any], call: StreamRecv) -> Any:
        connection: Connection = call.connection
        bytes_max, timeout_us = call.bytes_max, call.timeout_us
        tcb = connection.tcb
        if connection.recv_thread is not None:
            raise second_receiver(connection.recv_thread)
        if tcb is None or tcb.rcv_buf_bytes or tcb.state is not ESTABLISHED or connection.remains:
            data = self._recv_now(connection, bytes_max)
            if data is not None:
                return data
        connection.recv_thread = thread
        connection.recv_bytes_max = bytes_max
        connection.idle = call.idle
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
        if connection.remains:
            data = connection.remains[:bytes_max]
            connection.remains = connection.remains[bytes_max:]
            return data
        if connection.tcb is not None:
            return self._received(connection, connection.tcb, bytes_max)
        if connection.failure is not None:
            raise error_for(connection, connection.failure)
        return b""

    def _received(self, connection: Connection, tcb: Tcb, bytes_max: int) -> bytes | None:
        """What the core answers to a RECEIVE; None when it queues it."""
        event = Receive(bytes_max, self._scheduler.now_us())
        after, actions = self._ask(receive, connection.flow, tcb, event)
        answer = actions[0] if actions else None
        if type(answer) is Deliver:
            self._connections.note(connection, actions[:1])
            self._connections.perform(connection, after, actions[1:])
            return answer.data
        self._connections.perform(connection, after, actions)
        return b"" if answer is Signal.END_OF_STREAM else None

    def _deliver(self, connection: Connection, action: Deliver) -> None:
        thread = connection.recv_thread
        if thread is None:
            # Its RECEIVE was cancelled in the midst of these actions, by the routine for urgent data.
            connection.remains += action.data
            return
        # `_unblock`, written out: this runs for every request.
        connection.recv_thread = None
        connection.recv_bytes_max = 0
        connection.recv_deadline_us = NEVER_US
        self._resume(thread, action.data)

    def _keep(self, connection: Connection, action: Remains) -> None:
        connection.remains += action.data

    def discard(self, connection: Connection) -> None:
        """Nobody will receive any more."""
        connection.remains = b""

    # How a blocked RECEIVE ends.

    def _unblock(self, connection: Connection) -> Thread[Any] | None:
        """The thread blocked in RECEIVE, which no longer is."""
        thread = connection.recv_thread
        connection.recv_thread = None
        connection.recv_bytes_max = 0
        connection.recv_deadline_us = NEVER_US
        return thread

    def throw(self, connection: Connection, error: OSError | Draining) -> None:
        """Throw an error into the thread that is blocked in RECEIVE, if there is one."""
        thread = self._unblock(connection)
        if thread is not None:
            self._scheduler.throw(thread, error)

    def ended(self, connection: Connection) -> None:
        """The end of the stream: what is left is all that comes."""
        thread = self._unblock(connection)
        if thread is not None:
            data, connection.remains = connection.remains, b""
            self._resume(thread, data)

    def failed(self, connection: Connection, failure: Failure) -> None:
        """The connection has failed."""
        self.throw(connection, error_for(connection, failure))

    def interrupt(self, connection: Connection) -> None:
        """Another thread closes the connection."""
        self.throw(connection, error_of(Failure.ABORTED))

    def expire(self, connection: Connection, now_us: int) -> None:
        """The timeout of a RECEIVE."""
        if connection.recv_deadline_us <= now_us:
            self.throw(connection, said_of(connection, TimeoutError(NOT_RECEIVED_IN_TIME)))

    def due_us(self, connection: Connection) -> int:
        """When the time of the blocked RECEIVE is over."""
        return connection.recv_deadline_us

    def dismiss(self, connection: Connection) -> None:
        """End the thread that is blocked in a RECEIVE: it has said that it may be, or goes on elsewhere."""
        thread = self._unblock(connection)
        if thread is not None:
            self._scheduler.dismiss(thread)

    def _withdraw(self, _thread: Thread[Any], call: StreamRecv) -> bool:
        self._unblock(call.connection)
        self._connections.rouse(call.connection)
        return True
