"""The receiving side: a recv is tried at once, and blocks only where the kernel has nothing.

Owns `can_recv`, `distrusts_short_recv`, `recv_thread`, `recv_bytes_max` and `recv_deadline_us` of a
connection's record. It never looks at the bytes. A cancelled recv has taken nothing.

epoll(7): "For stream-oriented files (e.g., pipe, FIFO, stream socket), the condition that the read/write I/O
space is exhausted can also be detected by checking the amount of data read from / written to the target file
descriptor." So a recv that brought less than was asked for means drained, and the next one blocks without
asking. Not so once the peer has sent its FIN or urgent data (a recv stops short there): then every recv asks.
"""

from typing import Any

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import Draining, without_frames
from gossamer.core.loop.sock.call import Connection, SockRecv, SockRecvIdle
from gossamer.core.loop.sock.deadlines import SockDeadlines
from gossamer.core.loop.sock.watching import DISTRUST_EVENTS, Watching
from gossamer.core.loop.streamcall import (
    NOT_RECEIVED_IN_TIME,
    draining,
    said_of,
    second_receiver,
    stream_closed,
)
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler
from gossamer.core.threads.thread import Thread


class SockReceiveSide:
    """Takes recvs. At most one thread is blocked on each connection."""

    def __init__(self, watching: Watching, deadlines: SockDeadlines) -> None:
        self.takes: dict[type[Any], Handler] = {SockRecv: self._recv, SockRecvIdle: self._recv}
        self.cancels: dict[type[Any], Canceller] = {SockRecv: self._withdraw, SockRecvIdle: self._withdraw}
        self._watch = watching.watch
        self._arm = deadlines.arm

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler
        self._resume = scheduler.resume

    def _recv(self, thread: Thread[Any], call: SockRecv | SockRecvIdle) -> Any:
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

    def on_readable(self, connection: Connection, events: int) -> None:
        """Receive for the blocked thread, or note that there is something."""
        connection.can_recv = True
        if events & DISTRUST_EVENTS:
            connection.distrusts_short_recv = True
        thread = connection.recv_thread
        if thread is None:
            return
        bytes_max = connection.recv_bytes_max
        try:
            data = connection.sock.recv(bytes_max)
        except BlockingIOError:
            return
        except OSError as error:
            self._throw(connection, connection.end(without_frames(error)))
            return
        connection.can_recv = len(data) == bytes_max or connection.distrusts_short_recv
        connection.recv_thread = None
        if not data and connection.ended_by:
            self._scheduler.throw(thread, connection.why_ended())
        else:
            self._resume(thread, data)

    # How a blocked recv ends.

    def _throw(self, connection: Connection, error: OSError | Draining) -> None:
        thread, connection.recv_thread = connection.recv_thread, None
        if thread is not None:
            self._scheduler.throw(thread, error)

    def end(self, connection: Connection) -> None:
        """The connection is closed."""
        connection.can_recv = False
        if connection.recv_thread is not None:
            self._throw(connection, stream_closed())

    def dismiss(self, connection: Connection) -> None:
        """The connection goes on elsewhere: end the thread that is blocked in a recv, if there is one."""
        connection.can_recv = False
        thread, connection.recv_thread = connection.recv_thread, None
        if thread is not None:
            self._scheduler.dismiss(thread)

    def interrupt(self, connection: Connection) -> None:
        """Throw `Draining` into the thread that is blocked in a recv, if there is one."""
        if connection.recv_thread is not None:
            self._throw(connection, draining())

    def expire(self, connection: Connection, now_us: int) -> int:
        """Time a recv out; when the next is, NEVER_US for none."""
        if connection.recv_thread is None:
            return NEVER_US
        if connection.recv_deadline_us > now_us:
            return connection.recv_deadline_us
        self._throw(connection, said_of(connection, TimeoutError(NOT_RECEIVED_IN_TIME)))
        return NEVER_US

    def _withdraw(self, _thread: Thread[Any], call: SockRecv | SockRecvIdle) -> bool:
        connection: Connection = call.connection
        connection.recv_thread = None
        return True
