"""The sending side: SEND, and what of it waits for room in the send buffer.

Owns `send_thread`, `send_rest`, `send_is_last` and `send_deadline_us` of a connection's record. When a send
is cancelled, the part that stands in the send buffer is still sent, and the rest is not.
"""

import errno
import os
from typing import Any, Final

from gossamer.core.clock import NEVER_US, Clock
from gossamer.core.loop.streamcall import NOT_SENT_IN_TIME, said_of, second_sender, stream_closed
from gossamer.core.loop.tcp.call import Connection, Rest, TcpSend, TcpSendFile
from gossamer.core.loop.tcp.connections import Connections
from gossamer.core.loop.tcp.failure import error_for, error_of, why_over
from gossamer.core.loop.tcp.side import Cancels, Side, Signals, Takes
from gossamer.core.tcp.actions import Accepted, Failed, Failure, Signal
from gossamer.core.tcp.calls.send import send
from gossamer.core.tcp.constants import EXTENT_BYTES_MIN
from gossamer.core.tcp.events import Send
from gossamer.core.tcp.memory import FREE_BYTES
from gossamer.core.tcp.step import Outcome
from gossamer.core.tcp.tcb import Tcb
from gossamer.core.threads.thread import BLOCKED, Thread
from gossamer.core.wire.text import Extent

ANSWERS: Final = frozenset({Failed, Accepted})
"""What the core says to a SEND of which not all was taken."""


class TcpSendSide(Side):
    """Takes SENDs. At most one thread is blocked on each connection."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self.takes: Takes = {TcpSend: self._send, TcpSendFile: self._send_file}
        self.cancels: Cancels = {TcpSend: self._withdraw, TcpSendFile: self._withdraw}
        self.signals: Signals = {Signal.SEND_SPACE: self._go_on}
        self._door = connections.door
        self._files = connections.files
        self._memory = connections.memory
        self._clock = clock
        self._arm = connections.deadlines.arm
        self._connections = connections
        self._sent: dict[Connection, Thread[Any]] | None = None

    def note_sent(self) -> dict[Connection, Thread[Any]]:
        """Note from now on whose SEND was all taken after it had waited, and which thread's that was; whoever
        asks for it takes out, each turn, those that have gone on since."""
        self._sent = {}
        return self._sent

    def ready_thread(self, connection: Connection) -> Thread[Any] | None:
        """The thread whose SEND was all taken, where it has not gone on since: it stands where it stood."""
        thread = None if self._sent is None else self._sent.get(connection)
        return None if thread is None or thread.inbox is BLOCKED else thread

    def _send(self, thread: Thread[Any], call: Any) -> Any:
        # Nobody has looked at the call yet: it is a TcpSend, but its fields may be anything.
        data, timeout_us = call.data, call.timeout_us
        if type(data) is not bytes or type(timeout_us) is not int or timeout_us < 0:
            call.check()
        found = call.connection
        if not isinstance(found, Connection):
            call.check()
        connection: Connection = found
        tcb = connection.tcb
        if tcb is None:
            tcb = self._connections.rouse(connection)
            if tcb is None:
                raise why_over(connection)
        if connection.send_thread is not None:
            call.check()
            raise second_sender(connection.send_thread)
        if self._memory.level and len(data) > FREE_BYTES:
            tcb = self._memory.make_fit(connection) or tcb
        event = Send(data, self._scheduler.now_us(), call.is_last)
        if self._door.observer is None:
            outcome: Outcome = send(tcb, event)
        else:
            outcome = self._door.ask(send, connection.flow, tcb, event)
        after: Any  # A SEND ends no connection.
        after, actions = outcome
        if not actions or type(actions[-1]) not in ANSWERS:
            self._connections.perform(connection, after, actions)
            if after.snd_buf_bytes > FREE_BYTES:
                self._count(connection)
            return None
        answer = actions[-1]
        if type(answer) is Failed:
            raise stream_closed() if connection.is_closed else error_for(connection, answer.failure)
        assert type(answer) is Accepted
        self._connections.make_room(connection)
        if data:  # Of nothing, all is taken, though there be no room.
            connection.send_is_last = call.is_last
            self._block(connection, thread, Rest(memoryview(data)[answer.count :], None), timeout_us)
        self._connections.perform(connection, after, actions[:-1])
        self._count(connection)
        return BLOCKED if data else None

    def _count(self, connection: Connection) -> None:
        """More stands in the send buffer than before."""
        if connection.tcb is not None:
            self._memory.count(connection, connection.tcb)

    def _send_file(self, thread: Thread[Any], call: TcpSendFile) -> Any:
        connection: Connection = call.connection
        tcb = self._connections.rouse(connection)
        if tcb is None or connection.is_closed:
            raise why_over(connection)
        if connection.send_thread is not None:
            raise second_sender(connection.send_thread)
        number, size_bytes = self._files.hold(connection, call.fd)
        length = max(min(call.length, size_bytes - call.offset), 0)
        # Its file is needed from now on, though nothing of it found room.
        rest = Rest(self._stretch(call, number, length), length)
        connection.send_is_last = False
        self._block(connection, thread, rest, call.timeout_us)
        self._put(connection, tcb, rest)
        if rest.data:
            return BLOCKED
        self._unblock(connection)
        self._files.settle(connection, self._scheduler.now_us())
        return length

    @staticmethod
    def _stretch(call: TcpSendFile, number: int, length: int) -> memoryview | Extent:
        """What is to be sent of a file: what is short, as octets."""
        if length < EXTENT_BYTES_MIN:
            return memoryview(os.pread(call.fd, length, call.offset))
        return Extent(number, call.offset, length)

    def _block(self, connection: Connection, thread: Thread[Any], rest: Rest, timeout_us: int) -> None:
        """The rest waits for room: who looks at the connection from now on finds its thread blocked."""
        connection.send_thread = thread
        connection.send_rest = rest
        if timeout_us < NEVER_US:
            connection.send_deadline_us = self._scheduler.now_us() + timeout_us
            self._arm(connection, connection.send_deadline_us)

    def _go_on(self, connection: Connection) -> None:
        """The send buffer has room: put in what fits of the blocked SEND."""
        rest, tcb = connection.send_rest, connection.tcb
        if rest is None or tcb is None:
            return
        if isinstance(rest.data, Extent):
            self._cut(rest, rest.data)
        self._put(connection, tcb, rest)
        if not rest.data and connection.send_rest is rest:
            thread = self._unblock(connection)
            if self._sent is not None:
                self._sent[connection] = thread
            self._resume(thread, rest.answer)

    def _cut(self, rest: Rest, extent: Extent) -> None:
        """Leave off what the file does not have any more."""
        size_bytes = os.fstat(self._files.descriptors[extent.file]).st_size
        missing = min(max(extent.offset + extent.length - size_bytes, 0), extent.length)
        if missing and rest.answer is not None:
            rest.answer -= missing
            rest.data = extent.part(0, extent.length - missing)

    def _put(self, connection: Connection, tcb: Tcb, rest: Rest) -> None:
        """Put into the send buffer what fits of the rest. Raises: OSError where it takes no more."""
        data = rest.data
        if not data:
            return
        if isinstance(data, Extent):
            event = Send(data, self._clock())
        else:
            piece = bytes(data[: max(tcb.agreed.parameters.send_buffer_bytes - tcb.snd_buf_bytes, 0)])
            if not piece:
                return  # There is room, but not for octets.
            event = Send(piece, self._clock(), connection.send_is_last and len(piece) == len(data))
        after, actions = self._door.ask(send, connection.flow, tcb, event)
        answer = actions[-1] if actions else None
        if type(answer) is Failed:
            self._unblock(connection)
            raise error_for(connection, answer.failure)
        taken = answer.count if type(answer) is Accepted else len(event.data)
        self._connections.make_room(connection)  # What is sent before this step knows nothing of it.
        rest.data = data.part(taken, len(data) - taken) if isinstance(data, Extent) else data[taken:]
        self._connections.perform(connection, after, actions[:-1] if type(answer) is Accepted else actions)
        self._count(connection)

    # How a blocked SEND ends.

    def _unblock(self, connection: Connection) -> Any:
        """The thread blocked in SEND, which no longer is."""
        thread = connection.send_thread
        connection.send_thread = connection.send_rest = None
        connection.send_deadline_us = NEVER_US
        return thread

    def throw(self, connection: Connection, error: OSError) -> None:
        """Throw an error into the thread that is blocked in SEND, if there is one."""
        if connection.send_thread is not None:
            self._scheduler.throw(self._unblock(connection), error)

    def ended(self, connection: Connection) -> None:
        """What is over takes no more."""
        if connection.send_thread is not None:
            self.throw(connection, BrokenPipeError(errno.EPIPE, "the connection was closed"))

    def failed(self, connection: Connection, failure: Failure) -> None:
        """The connection has failed."""
        self.throw(connection, error_for(connection, failure))

    def interrupt(self, connection: Connection) -> None:
        """Another thread closes the connection."""
        self.throw(connection, error_of(Failure.ABORTED))

    def expire(self, connection: Connection, now_us: int) -> None:
        """The timeout of a SEND."""
        if connection.send_deadline_us <= now_us:
            self.throw(connection, said_of(connection, TimeoutError(NOT_SENT_IN_TIME)))

    def dismiss(self, connection: Connection) -> None:
        """End the thread that is blocked in a SEND, which goes on elsewhere."""
        thread = self._unblock(connection)
        if thread is not None:
            self._scheduler.dismiss(thread)

    def due_us(self, connection: Connection) -> int:
        """When the time of the blocked SEND is over."""
        return connection.send_deadline_us

    def _withdraw(self, _thread: Thread[Any], call: TcpSend | TcpSendFile) -> bool:
        self._unblock(call.connection)
        return True
