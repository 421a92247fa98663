"""The sending side: a send, of bytes or of a file, is tried at once; what does not fit waits for room.

Owns `can_send`, `send_thread`, `send_rest` and `send_deadline_us` of a connection's record, which thread
connects which socket, and the list of those whose file has its next turn. A thread that connects waits here
too, until it can send for the first time. A cancelled send may have sent a part: then `abort` is all that the
stream can still be used for, as after any send that failed.
"""

import os
import socket
from collections.abc import Callable
from typing import Any, Final

from gossamer.core.clock import NEVER_US
from gossamer.core.errors import without_frames
from gossamer.core.loop.sock.call import Connection, FileRest, SockSend, SockSendFile
from gossamer.core.loop.sock.deadlines import SockDeadlines
from gossamer.core.loop.sock.watching import Watching
from gossamer.core.loop.streamcall import (
    NOT_CONNECTED_IN_TIME,
    NOT_SENT_IN_TIME,
    said_of,
    second_sender,
    stream_closed,
)
from gossamer.core.threads.eventloop import SchedulerPort
from gossamer.core.threads.systemcall import BLOCKED, Canceller, Handler
from gossamer.core.threads.thread import Thread

SENDFILE_BYTES_MAX: Final = 1 << 20
"""Bytes of a file sent in one try, so that one thread's file starves no other thread."""


class SockSendSide:
    """Takes sends. At most one thread is blocked on each connection; `release` closes one that could not be
    connected."""

    def __init__(
        self, watching: Watching, deadlines: SockDeadlines, release: Callable[[Connection], None]
    ) -> None:
        self.takes: dict[type[Any], Handler] = {SockSend: self._send, SockSendFile: self._send_file}
        self.cancels: dict[type[Any], Canceller] = {SockSend: self._withdraw, SockSendFile: self._withdraw}
        self._watch = watching.watch
        self._arm = deadlines.arm
        self._release = release
        self.connecting: dict[Thread[Any], Connection] = {}
        """Who waits until which socket is connected."""
        self.in_turn: dict[Connection, None] = {}
        """Those in the middle of a file, where the socket takes more but others have their turn."""

    def start(self, scheduler: SchedulerPort) -> None:
        """Keep the scheduler."""
        self._scheduler = scheduler
        self._resume = scheduler.resume

    def turn(self) -> None:
        """Go on with the files whose turn it is."""
        in_turn, self.in_turn = self.in_turn, {}
        for connection in in_turn:
            if connection.send_thread is not None:
                self._go_on(connection, connection.send_thread)

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
        self.block(connection, thread, memoryview(data)[sent:], timeout_us)
        return BLOCKED

    def _send_file(self, thread: Thread[Any], call: SockSendFile) -> Any:
        connection: Connection = call.connection
        if connection.send_thread is not None:
            raise second_sender(connection.send_thread)
        if connection.is_closed:
            raise stream_closed()
        rest = FileRest(call.fd, call.offset, call.length)
        try:
            if connection.can_send and self._is_file_sent(connection, rest):
                return rest.sent_bytes
        except OSError as error:
            raise connection.end(error) from None
        self.block(connection, thread, rest, call.timeout_us)
        return BLOCKED

    def block(
        self,
        connection: Connection,
        thread: Thread[Any],
        rest: memoryview | FileRest | None,
        timeout_us: int,
    ) -> None:
        """Have the thread wait until all of `rest` is sent; None: until the socket is connected."""
        connection.send_thread = thread
        connection.send_rest = rest
        connection.send_deadline_us = NEVER_US
        if rest is None:
            self.connecting[thread] = connection
        if not connection.is_watched:
            self._watch(connection)
        if timeout_us < NEVER_US:
            deadline_us = self._scheduler.now_us() + timeout_us
            connection.send_deadline_us = deadline_us
            if deadline_us < connection.armed_us:
                self._arm(connection, deadline_us)

    # Going on.

    def on_writable(self, connection: Connection) -> None:
        """Go on sending for the blocked thread, or note that there is room."""
        connection.can_send = True
        if connection.send_thread is not None:
            self._go_on(connection, connection.send_thread)

    def _go_on(self, connection: Connection, thread: Thread[Any]) -> None:
        rest = connection.send_rest
        if rest is None:
            return self._finish_connect(connection)
        try:
            if not self._is_rest_sent(connection, rest):
                return None
        except OSError as error:
            self.throw(connection, connection.end(without_frames(error)))
            return None
        self.unblock(connection)
        self._resume(thread, rest.sent_bytes if isinstance(rest, FileRest) else None)
        return None

    def _finish_connect(self, connection: Connection) -> None:
        """Learn how connecting went."""
        thread = self.unblock(connection)
        code = connection.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            self._resume(thread, connection)
        else:
            self._release(connection)
            self._scheduler.throw(thread, OSError(code, os.strerror(code)))

    def _is_rest_sent(self, connection: Connection, rest: memoryview | FileRest) -> bool:
        """Send what fits; whether that was all. Raises: OSError."""
        if isinstance(rest, FileRest):
            return self._is_file_sent(connection, rest)
        try:
            sent = connection.sock.send(rest)
        except BlockingIOError:
            sent = 0
        if sent == len(rest):
            return True
        connection.can_send = False
        connection.send_rest = rest[sent:]
        return False

    def _is_file_sent(self, connection: Connection, rest: FileRest) -> bool:
        """Send what fits, at most SENDFILE_BYTES_MAX; whether that was all (or the file ended early). Where
        others have their turn first, `turn` goes on. Raises: OSError."""
        budget_bytes = SENDFILE_BYTES_MAX
        while rest.length > 0 and budget_bytes > 0:
            length = min(rest.length, budget_bytes)
            try:
                sent = os.sendfile(connection.sock.fileno(), rest.fd, rest.offset, length)
            except BlockingIOError:
                connection.can_send = False
                return False
            if sent == 0:
                return True
            rest.advance(sent)
            budget_bytes -= sent
        if rest.length:
            self.in_turn[connection] = None
        return not rest.length

    # How a blocked send ends.

    def unblock(self, connection: Connection) -> Any:
        """The thread that waits here, which no longer does."""
        thread = connection.send_thread
        if connection.send_rest is None and thread is not None:
            del self.connecting[thread]
        connection.send_thread = connection.send_rest = None
        return thread

    def throw(self, connection: Connection, error: OSError) -> None:
        """Throw an error into the thread that waits here, if there is one."""
        if connection.send_thread is not None:
            self._scheduler.throw(self.unblock(connection), error)

    def end(self, connection: Connection) -> None:
        """The connection is closed."""
        connection.can_send = False
        if connection.send_thread is not None:
            self.throw(connection, stream_closed())

    def dismiss(self, connection: Connection) -> None:
        """The connection goes on elsewhere: end the thread that is blocked in a send, if there is one."""
        connection.can_send = False
        if connection.send_thread is not None:
            self._scheduler.dismiss(self.unblock(connection))

    def expire(self, connection: Connection, now_us: int) -> int:
        """Time a send, or connecting, out; when the next is, NEVER_US for none."""
        if connection.send_thread is None:
            return NEVER_US
        if connection.send_deadline_us > now_us:
            return connection.send_deadline_us
        is_connecting = connection.send_rest is None
        thread = self.unblock(connection)
        if is_connecting:
            self._release(connection)
        error = TimeoutError(NOT_CONNECTED_IN_TIME if is_connecting else NOT_SENT_IN_TIME)
        self._scheduler.throw(thread, said_of(connection, error))
        return NEVER_US

    def _withdraw(self, _thread: Thread[Any], call: SockSend | SockSendFile) -> bool:
        self.unblock(call.connection)
        return True
