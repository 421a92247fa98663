"""Withdrawing the calls of TCPSockIO: what is undone when a thread is cancelled in the middle of one.

As on kernel sockets: a recv has taken nothing, an accept no connection; of a send, what stands in the send
buffer is still sent, and the rest is not; a connect ends its connection.
"""

from collections.abc import Mapping
from typing import Any

from gossamer.core.clock import NEVER_US
from gossamer.core.loop.tcp.call import TcpAccept, TcpConnect, TcpRecv, TcpSend
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.tcp.events import Abort
from gossamer.core.threads.systemcall import Canceller, SystemCall
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.flow import pack_flow


class CancelSide:
    """The cancellers of a `TcpLoop`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {
            TcpRecv: self._recv,
            TcpSend: self._send,
            TcpAccept: self._accept,
            TcpConnect: self._connect,
        }

    def _recv(self, _thread: Thread[Any], call: TcpRecv) -> bool:
        self._connections.take_receiver(call.connection)
        return True

    def _send(self, _thread: Thread[Any], call: TcpSend) -> bool:
        call.connection.send_thread = call.connection.send_rest = None
        call.connection.send_deadline_us = NEVER_US
        return True

    def _accept(self, thread: Thread[Any], call: TcpAccept) -> bool:
        call.listener.threads.remove(thread)
        return True

    def _connect(self, _thread: Thread[Any], call: TcpConnect) -> bool:
        connection = self._connections.demux.connections[pack_flow(call.local, call.remote)]
        connection.opener = None
        connection.send_deadline_us = NEVER_US
        self._connections.step(connection, Abort(self._connections.scheduler.now_us()))
        return True
