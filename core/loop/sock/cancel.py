"""Withdrawing the calls of SockIO: what is undone when a thread is cancelled in the middle of one.

A cancelled recv has taken nothing, a cancelled accept no connection. A cancelled send may have sent a part:
the stream is good for nothing but `abort` then, as after any send that failed. A cancelled connect closes its
socket.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gossamer.core.loop.sock.call import (
    Connection,
    SockAccept,
    SockConnect,
    SockRecv,
    SockSend,
    SockSendFile,
)
from gossamer.core.threads.systemcall import Canceller, SystemCall
from gossamer.core.threads.thread import Thread


class CancelSide:
    """The cancellers of a `SockLoop`."""

    def __init__(self, connections: Iterable[Connection], release: Callable[[Connection], None]) -> None:
        self._connections = connections
        self._release = release
        self.cancels: Mapping[type[SystemCall[Any]], Canceller] = {
            SockRecv: self._recv,
            SockSend: self._send,
            SockSendFile: self._send,
            SockAccept: self._accept,
            SockConnect: self._connect,
        }

    def _recv(self, _thread: Thread[Any], call: SockRecv) -> bool:
        call.connection.recv_thread = None
        return True

    def _send(self, _thread: Thread[Any], call: SockSend | SockSendFile) -> bool:
        call.connection.send_thread = call.connection.send_rest = None
        return True

    def _accept(self, thread: Thread[Any], call: SockAccept) -> bool:
        call.listener.threads.remove(thread)
        return True

    def _connect(self, thread: Thread[Any], _call: SockConnect) -> bool:
        connection = next(each for each in self._connections if each.send_thread is thread)
        connection.send_thread = None
        self._release(connection)
        return True
