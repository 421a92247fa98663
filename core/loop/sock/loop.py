"""The loop that performs SockIO's calls on kernel sockets.

Owns every connection and listener of the worker, who is blocked on which, and their timeouts. It never looks
at the bytes.

Each descriptor is watched once, edge-triggered, when a thread first blocks on it; after that, a request on a
living connection costs one recv and one send and no other system call of the kernel. epoll(7): "For
stream-oriented files (e.g., pipe, FIFO, stream socket), the condition that the read/write I/O space is
exhausted can also be detected by checking the amount of data read from / written to the target file
descriptor." So a recv that brought less than was asked for means drained, and the next one blocks without
asking. Not so once the peer has sent its FIN or urgent data (a recv stops short there): then every recv asks.

Timeouts are re-armed lazily: a connection stands in the heap once, at `armed_us`, and what its threads really
wait for is looked at when it is handed out. Only a timeout shorter than what stands there touches the heap.
"""

import errno
import os
import socket
from collections.abc import Mapping
from functools import partial
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP
from typing import Any, Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import Draining
from gossamer.core.loop.sock.accept import AcceptSide
from gossamer.core.loop.sock.call import (
    Connection,
    FileRest,
    SockAbort,
    SockAdopt,
    SockClose,
    SockConnect,
    SockRecv,
    SockSend,
    SockSendFile,
    SockShutdown,
)
from gossamer.core.loop.sock.cancel import CancelSide
from gossamer.core.loop.sock.draining import LingerSide
from gossamer.core.loop.sock.lingering import WaitSide
from gossamer.core.loop.sock.option import OPTION_HANDLERS, RESET_ON_CLOSE
from gossamer.core.loop.sock.send import begin_connect, check_connected, send_file_rest, send_rest
from gossamer.core.loop.streamcall import (
    NOT_CONNECTED_IN_TIME,
    NOT_RECEIVED_IN_TIME,
    NOT_SENT_IN_TIME,
    said_of,
    second_receiver,
    second_sender,
    stream_closed,
)
from gossamer.core.threads.deadlines import DeadlineHeap
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Handler, SystemCall
from gossamer.core.threads.thread import Thread

DEADLINES_MAX: Final = 256
"""Connections whose timeouts are looked at in one turn."""

CONNECTION_EVENTS: Final = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET
READABLE_EVENTS: Final = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR
WRITABLE_EVENTS: Final = EPOLLOUT | EPOLLHUP | EPOLLERR
DISTRUST_EVENTS: Final = EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR
"""After one of these, a short recv no longer means drained."""


class SockLoop:
    """Performs SockIO's calls: tries at once, and blocks the thread only where the kernel would."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._acceptor = AcceptSide(self._connections.add)
        self._linger = LingerSide()
        self._waits = WaitSide(self._release)
        self.takes: Mapping[type[SystemCall[Any]], Handler] = {
            SockRecv: self._recv,
            SockSend: self._send,
            SockSendFile: self._send_file,
            SockShutdown: self._shutdown,
            SockClose: self._close,
            SockAbort: self._abort,
            **OPTION_HANDLERS,
            SockConnect: self._connect,
            SockAdopt: self._adopt,
            **self._acceptor.takes,
        }
        self.cancels = CancelSide(self._connections, self._release).cancels
        self._deadlines: DeadlineHeap[Connection] = DeadlineHeap()
        self._on_event = self._connection_event
        self._sending: dict[Connection, None] = {}
        """Those in the middle of a file, where the socket takes more but others have their turn."""

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler
        self._resume = scheduler.resume
        self._acceptor.start(scheduler)
        self._linger.start(scheduler)
        self._waits.start(scheduler)

    def turn(self, now_us: int) -> int:
        """Look at the timeouts that are due, and let rested listeners accept again."""
        if self._deadlines.next_at_us <= now_us:
            for connection in self._deadlines.pop_due(now_us, DEADLINES_MAX):
                self._expire(connection, now_us)
        if self._sending:
            sending, self._sending = self._sending, {}
            for connection in sending:
                if connection.send_thread is not None:
                    self._send_event(connection, connection.send_thread)
        if self._acceptor.rest_until_us <= now_us:
            self._acceptor.end_rest()
        due_us = min(self._deadlines.next_at_us, self._acceptor.rest_until_us)
        if self._linger.dropped_bytes:
            due_us = min(due_us, self._linger.turn(now_us))
        if self._waits.waiting:
            due_us = min(due_us, self._waits.turn(now_us))
        return now_us if self._sending else due_us

    def close(self) -> None:
        """Close every socket; what was sent is still delivered by the kernel."""
        self._acceptor.close()
        for connection in tuple(self._connections):
            self._release(connection)
        self._linger.close()
        self._deadlines.clear()

    def interrupt_receivers(self) -> None:
        """Throw `Draining` into every thread that is blocked in a recv."""
        for connection in self._connections:
            thread = connection.recv_thread
            if thread is not None:
                connection.recv_thread = None
                self._scheduler.throw(thread, Draining("the server is draining"))

    def statistics(self) -> dict[str, int]:
        """Counts since the start, and the connections there are now."""
        return {
            "accepted_total": self._acceptor.accepted_total,
            "accept_pauses_total": self._acceptor.pauses_total,
            "connections": len(self._connections),
            "lingering": len(self._linger),
        }

    # Receiving.

    def _recv(self, thread: Thread[Any], call: SockRecv) -> Any:
        connection: Connection = call.connection
        bytes_max, timeout_us = call.bytes_max, call.timeout_us
        if connection.recv_thread is not None:
            raise second_receiver(connection.recv_thread)
        if connection.can_recv:
            try:
                data = connection.sock.recv(bytes_max)
            except BlockingIOError:
                connection.can_recv = connection.distrusts_short_recv
            except OSError as error:
                raise connection.end(error) from None
            else:
                if len(data) < bytes_max:
                    if not data and connection.ended_by:
                        raise connection.why_ended()
                    connection.can_recv = connection.distrusts_short_recv
                return data
        elif connection.is_closed:
            raise stream_closed()
        connection.recv_thread = thread
        connection.recv_bytes_max = bytes_max
        if not connection.is_watched:
            self._watch(connection)
        if timeout_us < NEVER_US:
            deadline_us = self._scheduler.now_us() + timeout_us
            connection.recv_deadline_us = deadline_us
            if deadline_us < connection.armed_us:
                self._arm(connection, deadline_us)
        else:
            connection.recv_deadline_us = NEVER_US
        return BLOCKED

    def _recv_event(self, connection: Connection, thread: Thread[Any]) -> None:
        """Receive for the blocked thread."""
        bytes_max = connection.recv_bytes_max
        try:
            data = connection.sock.recv(bytes_max)
        except BlockingIOError:
            return
        except OSError as error:
            connection.can_recv = True
            connection.recv_thread = None
            self._scheduler.throw(thread, connection.end(error))
            return
        connection.can_recv = len(data) == bytes_max or connection.distrusts_short_recv
        connection.recv_thread = None
        if not data and connection.ended_by:
            self._scheduler.throw(thread, connection.why_ended())
        else:
            self._resume(thread, data)

    # Sending.

    def _send(self, thread: Thread[Any], call: SockSend) -> Any:
        connection: Connection = call.connection
        data, timeout_us = call.data, call.timeout_us
        if type(data) is not bytes or type(timeout_us) is not int or timeout_us < 0:
            call.check()
        sent = 0
        try:
            first, can_send = connection.send_thread, connection.can_send
        except AttributeError:
            call.check()
            raise
        if first is not None:
            call.check()
            raise second_sender(first)
        if can_send:
            try:
                sent = connection.sock.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                raise connection.end(error) from None
            if sent == len(data):
                return None
            connection.can_send = False
        elif connection.is_closed:
            raise stream_closed()
        elif not data:
            return None
        self._block_send(connection, thread, memoryview(data)[sent:], timeout_us)
        return BLOCKED

    def _send_file(self, thread: Thread[Any], call: SockSendFile) -> Any:
        connection: Connection = call.connection
        if connection.send_thread is not None:
            raise second_sender(connection.send_thread)
        if connection.is_closed:
            raise stream_closed()
        rest = FileRest(call.fd, call.offset, call.length)
        try:
            if connection.can_send and self._send_file_rest(connection, rest):
                return rest.sent_bytes
        except OSError as error:
            raise connection.end(error) from None
        self._block_send(connection, thread, rest, call.timeout_us)
        return BLOCKED

    def _block_send(self, connection: Connection, thread: Thread[Any], rest: Any, timeout_us: int) -> None:
        connection.send_thread = thread
        connection.send_rest = rest
        connection.send_deadline_us = NEVER_US
        if not connection.is_watched:
            self._watch(connection)
        if timeout_us < NEVER_US:
            deadline_us = self._scheduler.now_us() + timeout_us
            connection.send_deadline_us = deadline_us
            if deadline_us < connection.armed_us:
                self._arm(connection, deadline_us)

    # Events.

    def _watch(self, connection: Connection) -> None:
        """Watch the socket; the kernel reports at once what is ready already."""
        connection.is_watched = True
        # One bound method for all of them: a connection's own closure would cost it 140 bytes more.
        callback = partial(self._on_event, connection)
        self._scheduler.watch(connection.sock.fileno(), CONNECTION_EVENTS, callback)

    def _connection_event(self, connection: Connection, events: int) -> None:
        if events & READABLE_EVENTS:
            connection.can_recv = True
            if events & DISTRUST_EVENTS:
                connection.distrusts_short_recv = True
            if connection.recv_thread is not None:
                self._recv_event(connection, connection.recv_thread)
        if events & WRITABLE_EVENTS and not connection.is_closed:
            connection.can_send = True
            if connection.send_thread is not None:
                self._send_event(connection, connection.send_thread)

    def _send_event(self, connection: Connection, thread: Thread[Any]) -> None:
        """Go on sending for the blocked thread."""
        rest = connection.send_rest
        try:
            if rest is None:
                self._finish_connect(connection)
                result: Any = connection
            elif isinstance(rest, FileRest):
                if not self._send_file_rest(connection, rest):
                    return
                result = rest.sent_bytes
            else:
                if not send_rest(connection, rest):
                    return
                result = None
        except OSError as error:
            self._unblock_send(connection)
            self._scheduler.throw(thread, error if rest is None else connection.end(error))
            return
        self._unblock_send(connection)
        self._resume(thread, result)

    def _send_file_rest(self, connection: Connection, rest: FileRest) -> bool:
        """Send a part of a file; whether that was all. Where others have their turn first, `turn` goes on."""
        is_all = send_file_rest(connection, rest)
        if not is_all and connection.can_send:
            self._sending[connection] = None
        return is_all

    @staticmethod
    def _unblock_send(connection: Connection) -> None:
        connection.send_thread = None
        connection.send_rest = None

    # Timeouts.

    def _arm(self, connection: Connection, deadline_us: int) -> None:
        """Have the connection looked at then, instead of later."""
        if connection.armed_us < NEVER_US:
            self._deadlines.discard(connection.armed_us, connection)
        connection.armed_us = deadline_us
        self._deadlines.push(deadline_us, connection)

    def _expire(self, connection: Connection, now_us: int) -> None:
        """Time out what is due on this connection, and look again when the rest is."""
        if connection.armed_us > now_us:
            # It was closed while it stood among those that were due already.
            return
        connection.armed_us = next_us = NEVER_US
        if connection.recv_thread is not None:
            if connection.recv_deadline_us <= now_us:
                thread, connection.recv_thread = connection.recv_thread, None
                self._scheduler.throw(thread, said_of(connection, TimeoutError(NOT_RECEIVED_IN_TIME)))
            else:
                next_us = connection.recv_deadline_us
        if connection.send_thread is not None:
            if connection.send_deadline_us <= now_us:
                self._expire_send(connection, connection.send_thread)
            else:
                next_us = min(next_us, connection.send_deadline_us)
        if next_us < NEVER_US:
            self._arm(connection, next_us)

    def _expire_send(self, connection: Connection, thread: Thread[Any]) -> None:
        is_connecting = connection.send_rest is None
        self._unblock_send(connection)
        if is_connecting:
            self._release(connection)
        error = TimeoutError(NOT_CONNECTED_IN_TIME if is_connecting else NOT_SENT_IN_TIME)
        self._scheduler.throw(thread, said_of(connection, error))

    # Closing.

    def _shutdown(self, _thread: Thread[Any], call: SockShutdown) -> None:
        connection: Connection = call.connection
        if connection.is_closed:
            raise stream_closed()
        connection.is_shut = True
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
            # It is over already: nothing more can be sent, which is what was asked for.
        thread = connection.send_thread
        if thread is not None:
            # The FIN follows what the kernel has taken: the rest of a blocked send never will.
            self._unblock_send(connection)
            self._scheduler.throw(thread, BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)))

    def _close(self, thread: Thread[Any], call: SockClose) -> Any:
        connection: Connection = call.connection
        if not connection.is_closed:
            if 0 < connection.linger_us < NEVER_US and self._waits.takes_over(thread, connection):
                return BLOCKED
            # After a recv that drained the socket there is nothing unread: the common close asks nothing.
            lingers = connection.can_recv and connection.linger_us > 0 and self._linger.takes_over(connection)
            self._release(connection, lingers=lingers)
        return None

    def _abort(self, _thread: Thread[Any], call: SockAbort) -> None:
        if not call.connection.is_closed:
            # socket(7), SO_LINGER with a time of 0: close sends a RST.
            call.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self._release(call.connection)

    def _release(self, connection: Connection, *, lingers: bool = False) -> None:
        """Close the socket, unless it lingers, and wake whoever is blocked on it."""
        connection.keep_names()
        connection.is_closed = True
        connection.can_recv = connection.can_send = False
        self._connections.discard(connection)
        if not lingers:
            if connection.is_watched:
                self._scheduler.unwatch(connection.sock.fileno())
            connection.sock.close()
        if connection.armed_us < NEVER_US:
            self._deadlines.discard(connection.armed_us, connection)
            connection.armed_us = NEVER_US
        for thread in (connection.recv_thread, connection.send_thread):
            if thread is not None:
                self._scheduler.throw(thread, stream_closed())
        connection.recv_thread = None
        self._unblock_send(connection)

    # Connecting.

    def _adopt(self, _thread: Thread[Any], call: SockAdopt) -> Connection:
        connection = call.make_connection(call.sock)
        self._connections.add(connection)
        return connection

    def _connect(self, thread: Thread[Any], call: SockConnect) -> Any:
        sock, is_connected = begin_connect(call.address, call.options)
        connection = call.make_connection(sock)
        connection.peer_name = call.address
        if call.options.linger_us is not None:
            connection.linger_us = call.options.linger_us
        self._connections.add(connection)
        if is_connected:
            return connection
        self._block_send(connection, thread, None, call.timeout_us)
        return BLOCKED

    def _finish_connect(self, connection: Connection) -> None:
        """Learn how connecting went. Raises: OSError."""
        try:
            check_connected(connection.sock)
        except OSError:
            self._unblock_send(connection)
            self._release(connection)
            raise
