"""The opening side: active opens, and what is done once the handshake of any connection is over.

Owns the threads that are blocked in an active open, and until when. A cancelled connect ends its connection.
`core.loop.tcp.opening` decides what a connection begins with.
"""

import errno
from typing import Any

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.loop.streamcall import NOT_CONNECTED_IN_TIME
from gossamer.core.loop.tcp.call import Connection, TcpConnect
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.door import Open, begin
from gossamer.core.loop.tcp.failure import error_of
from gossamer.core.loop.tcp.opening import Openings
from gossamer.core.loop.tcp.queues import Queues
from gossamer.core.loop.tcp.side import Side
from gossamer.core.records import replace
from gossamer.core.tcp.actions import Failure, Signal
from gossamer.core.tcp.events import Abort, Opening
from gossamer.core.tcp.parameters import TcpParameters
from gossamer.core.tcp.socket_options import parameters_with
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.threads.thread import BLOCKED, Thread
from gossamer.core.wire.flow import Flow, pack_flow
from gossamer.core.wire.ip import is_bad_address, wire_address


class TcpConnectSide(Side):
    """Takes active opens. Bounds: the connections that there may be."""

    def __init__(
        self,
        connections: Connections,
        queues: Queues,
        openings: Openings,
        parameters: TcpParameters,
        clock: Clock,
    ) -> None:
        self.takes = {TcpConnect: self._connect}
        self.cancels = {TcpConnect: self._withdraw}
        self.signals = {Signal.ESTABLISHED: self._on_established}
        self._blocked: dict[Connection, tuple[Thread[Any], int]] = {}
        """The thread that waits for each connection, and until when."""
        self._connections = connections
        self._demux = connections.demux
        self._queues = queues
        self._openings = openings
        self._parameters = parameters
        self._clock = clock

    def _connect(self, thread: Thread[Any], call: TcpConnect) -> Any:
        """Open actively from the local socket that the caller owns."""
        flow = self._checked_flow(call)
        now_us = self._clock()
        event = Open(
            parameters_with(self._parameters, call.options), self._opening(flow, call, now_us), call.data
        )
        tcb, actions = self._connections.door.ask(begin, flow, None, event)
        assert type(tcb) is Tcb
        connection = call.make(flow, tcb, None)
        self._demux.add(flow, connection)
        until_us = now_us + call.timeout_us if call.timeout_us < NEVER_US else NEVER_US
        self._blocked[connection] = (thread, until_us)
        self._connections.deadlines.arm(connection, until_us)
        self._connections.perform(connection, tcb, actions)
        return BLOCKED

    def _checked_flow(self, call: TcpConnect) -> Flow:
        """Raises: OSError, BoundExceeded."""
        flow = pack_flow(call.local, call.remote)
        if is_bad_address(wire_address(flow[:16])):
            # RFC 9293 3.9.2.3, MUST-46: an OPEN to a broadcast or multicast address is an error.
            raise OSError(
                errno.ENETUNREACH,
                f"{call.remote[0]} is not the address of one host: no connection leads there",
            )
        if self._demux.has(flow):
            raise OSError(
                errno.EADDRINUSE, f"{call.local[0]} port {call.local[1]} is in use towards {call.remote[0]}"
            )
        # Before anything is done: a refused open does not even end TIME-WAIT.
        self._demux.check_room()
        return flow

    def _opening(self, flow: Flow, call: TcpConnect, now_us: int) -> Opening:
        opening = self._openings.active(flow, self._demux.end_time_wait(flow), now_us)
        if call.options.maxseg_bytes is not None:
            opening = replace(opening, mss=min(opening.mss, call.options.maxseg_bytes))
        return self._connections.fast_opens.with_cookie(flow, opening) if call.data else opening

    # How it ends.

    def _on_established(self, connection: Connection) -> None:
        """The handshake is over, whoever began it."""
        self._connections.make_path_known(connection)
        thread, _ = self._blocked.pop(connection, (None, NEVER_US))
        if thread is not None:
            self._resume(thread, connection)
        else:
            self._queues.on_established(connection)

    def failed(self, connection: Connection, failure: Failure) -> None:
        """The connection has failed."""
        thread, _ = self._blocked.pop(connection, (None, NEVER_US))
        if thread is not None:
            self._scheduler.throw(thread, error_of(failure))

    def expire(self, connection: Connection, now_us: int) -> None:
        """The timeout of an active open, which then ends."""
        thread, until_us = self._blocked.get(connection, (None, NEVER_US))
        if thread is not None and until_us <= now_us:
            del self._blocked[connection]
            self._scheduler.throw(thread, TimeoutError(NOT_CONNECTED_IN_TIME))
            self._connections.step(connection, Abort(now_us))

    def due_us(self, connection: Connection) -> int:
        """When the time of the blocked open is over."""
        return self._blocked[connection][1] if connection in self._blocked else NEVER_US

    def _withdraw(self, _thread: Thread[Any], call: TcpConnect) -> bool:
        connection = self._demux.connections[pack_flow(call.local, call.remote)]
        del self._blocked[connection]
        self._connections.step(connection, Abort(self._scheduler.now_us()))
        return True
