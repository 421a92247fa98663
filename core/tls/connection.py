"""A machine over a stream: what each call of a `TlsStream` does, as calls of the stream beneath.

Owns the order of handshake, sends and receives on one connection, who of its threads may do what meanwhile,
and how it ends. Every method is a generator that yields calls of the stream beneath, so a thread is blocked
in one of those: what cancels, drains and dumps threads needs no word about TLS.

    handshake     by the first call that needs it, within `handshake_timeout_us`; whoever else comes waits
    sending       one thread at a time; what a receiver owes the peer (a key update, RFC 8446 4.6.3) it sends
                  itself, or leaves to who sends just then
    half a record a send that was cut short by its time or a cancel leaves one: then nothing can be sent any
                  more, and receiving goes on
    the end       close_notify, then the FIN; RFC 8446 6.1: "Each party MUST send a "close_notify" alert
                  before closing its write side"; after an alert about an error what still comes is read and
                  dropped, for a while

Source: RFC 8446 6.1 and 4.6.3; RFC 5246 7.2.1.
"""

import errno
import os
from collections import deque
from collections.abc import Callable, Generator
from typing import Any, Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.errors import Draining
from gossamer.core.io.lingering import linger
from gossamer.core.io.stream import Stream
from gossamer.core.loop.streamcall import (
    NOT_SENT_IN_TIME,
    is_said_of,
    said_of,
    second_sender,
    stream_closed,
)
from gossamer.core.threads.calls import Park
from gossamer.core.threads.current import CURRENT
from gossamer.core.tls.errors import TlsError, TruncatedError
from gossamer.core.tls.machine import PIECE_BYTES, TlsMachine
from gossamer.core.tls.unsendable import cut_short, repeated

Steps = Generator[Any, Any, Any]
"""Calls of the stream beneath, one after another; a call of ours is made of them."""

WIRE_BYTES_MIN: Final = 16384 + 512
"""Received at a time: a whole record at least (RFC 8446 5.2 allows 256 octets beside its text)."""
WIRE_BYTES_MAX: Final = 65536
NOTIFY_US: Final = SECOND_US
"""How long close_notify, or an alert, may wait for room in a send buffer."""
HANDSHAKE_US: Final = 10 * SECOND_US
NOT_SHAKEN: Final = "the TLS handshake was not over in time"


class TlsConnection:
    """The state of one connection beside its machine. Raises, from every call: what the stream beneath
    raises, and TlsError."""

    __slots__ = (
        "_is_told",
        "_shake_until_us",
        "_waiting",
        "_why_no_send",
        "handshake_timeout_us",
        "inner",
        "is_closed",
        "is_sending",
        "is_shut",
        "machine",
    )

    def __init__(self, inner: Stream, machine: TlsMachine, handshake_timeout_us: int = HANDSHAKE_US) -> None:
        self.inner = inner
        self.machine = machine
        self.handshake_timeout_us = handshake_timeout_us
        self.is_closed = False
        self.is_shut = False
        """Whether we have said that we send no more."""
        self.is_sending = False
        self._is_told = False
        """Whether the peer was sent why it has failed."""
        self._why_no_send: Callable[[], OSError] | None = None
        """Makes the error of every further send, once one has failed."""
        self._waiting: deque[Callable[[None], None]] | None = None
        """Who waits for the thread that shakes hands, or answers the peer; None where none does."""
        self._shake_until_us = NEVER_US

    @property
    def is_resumed(self) -> bool:
        """Whether it goes on with an earlier session."""
        return self.machine.is_resumed

    # The handshake.

    def ready(self, timeout_us: int = NEVER_US) -> Steps:
        """See the handshake to its end, unless it has come to it."""
        while not self.machine.is_ready:
            if self.is_closed:
                raise stream_closed()
            if self._waiting is not None:
                yield from Park(self._waiting).__await__()
            else:
                yield from self._apart(self._shaken(timeout_us))

    def _apart(self, steps: Steps) -> Steps:
        """Go through steps that no other thread may come between."""
        waiting: deque[Callable[[None], None]] = deque()
        self._waiting = waiting
        try:
            yield from steps
        finally:
            self._waiting = None
            while waiting:
                waiting.popleft()(None)

    def _alone(self) -> Steps:
        """Wait until nobody is apart."""
        while self._waiting is not None:
            yield from Park(self._waiting).__await__()

    def _shaken(self, timeout_us: int) -> Steps:
        clock = CURRENT.get().clock
        now_us = clock()
        if self._shake_until_us == NEVER_US:
            self._shake_until_us = now_us + self.handshake_timeout_us
        until_us = min(self._shake_until_us, now_us + timeout_us)
        machine = self.machine
        try:
            if machine.is_server and not machine.has_begun:
                # It looks at what its client begins with before it says anything.
                yield from self._take(WIRE_BYTES_MIN, until_us - clock())
            while True:
                is_over = machine.shake()
                if machine.has_output:
                    yield from self._put(machine.output(), until_us - clock())
                if is_over:
                    return
                yield from self._take(WIRE_BYTES_MIN, until_us - clock())
        except TlsError as error:
            if not isinstance(error, TruncatedError):
                yield from self._say_why()
            raise said_of(self, error) from None
        except TimeoutError:
            if until_us < self._shake_until_us:
                raise
            raise said_of(self, TimeoutError(NOT_SHAKEN)) from None

    def _say_why(self) -> Steps:
        """Send the alert that OpenSSL has for an error, if it has one."""
        if self.machine.has_output and not self.is_sending and not self.is_shut:
            self.is_shut = self._is_told = True
            try:
                yield from self.inner.send(self.machine.output(), NOTIFY_US).__await__()
                yield from self.inner.shutdown().__await__()
            except OSError:
                return  # Whoever does not hear it sees the connection end.

    # The stream beneath.

    def _take(self, bytes_max: int, timeout_us: int) -> Steps:
        """Receive what comes, for the machine."""
        try:
            octets = yield from self.inner.recv(bytes_max, max(timeout_us, 0)).__await__()
        except OSError as error:
            raise self._said(error) from None
        self.machine.receive(octets)

    def _put(self, octets: bytes, timeout_us: int, *, is_last: bool = False) -> Steps:
        """Send what the machine has written."""
        inner = self.inner
        call = inner.send_last if is_last else inner.send
        try:
            yield from call(octets, max(timeout_us, 0)).__await__()
        except OSError as error:
            raise self._said(error) from None

    def _said(self, error: OSError) -> OSError:
        """What the stream beneath says of its peer is said of ours."""
        return said_of(self, error) if is_said_of(self.inner, error) else error

    # Receiving.

    def received(self, bytes_max: int, timeout_us: int) -> Generator[Any, Any, bytes]:
        """See `Stream.recv`."""
        if self.is_closed:
            raise stream_closed()
        machine = self.machine
        until_us = CURRENT.get().clock() + timeout_us if timeout_us < NEVER_US else NEVER_US
        try:
            if not machine.is_ready:
                if not (yield from self._begun(timeout_us)):
                    return b""
                timeout_us = self._left_us(until_us)
            data = machine.read(bytes_max) if machine.may_read else None
            while data is None:
                if machine.has_output and self._may_answer:
                    yield from self._apart(self._answered(timeout_us))
                wire_bytes = WIRE_BYTES_MIN if bytes_max <= WIRE_BYTES_MIN else WIRE_BYTES_MAX
                machine.receive((yield from self.inner.recv(wire_bytes, timeout_us).__await__()))
                data = machine.read(bytes_max)
                if data is None:
                    timeout_us = self._left_us(until_us)
        except TlsError as error:
            if not isinstance(error, TruncatedError):
                yield from self._say_why()
            raise said_of(self, error) from None
        except OSError as error:
            raise self._said(error) from None
        return data

    @property
    def _may_answer(self) -> bool:
        """Whether no other thread sends, and something can be sent at all."""
        is_free = self._waiting is None and not self.is_sending
        return is_free and not self.is_shut and self._why_no_send is None

    def _answered(self, timeout_us: int) -> Steps:
        """Send what we owe the peer for what it has sent."""
        self._why_no_send = cut_short
        yield from self._put(self.machine.output(), timeout_us)
        self._why_no_send = None

    def _begun(self, timeout_us: int) -> Generator[Any, Any, bool]:
        """See the handshake to its end; False where the peer has left without a word."""
        try:
            yield from self.ready(timeout_us)
        except TruncatedError:
            if self.machine.has_begun:
                raise
            return False
        except Draining:
            if not self.machine.has_begun:
                raise
            return (yield from self._begun(timeout_us))
        return True

    @staticmethod
    def _left_us(until_us: int) -> int:
        return NEVER_US if until_us >= NEVER_US else max(0, until_us - CURRENT.get().clock())

    # Sending.

    def sent(self, data: bytes, timeout_us: int, *, is_last: bool = False) -> Steps:
        """See `Stream.send`, and `Stream.send_last`."""
        if not self._may_send(data, is_last=is_last):
            return
        self.is_sending = True
        try:
            if self.machine.is_ready:
                if self._waiting is not None:
                    yield from self._alone()
                if len(data) <= PIECE_BYTES and not is_last:
                    yield from self._piece_put(data, timeout_us)
                    return
            yield from self._all_put(data, timeout_us, is_last=is_last)
        finally:
            self.is_sending = False

    def _piece_put(self, data: bytes, timeout_us: int) -> Steps:
        """Encrypt and send so much as goes at once: most of what is sent is no more."""
        self._why_no_send = cut_short
        machine = self.machine
        try:
            machine.write(data)
            yield from self.inner.send(machine.output(), timeout_us).__await__()
        except OSError as error:
            raise self._not_sent(error) from None
        self._why_no_send = None

    def _not_sent(self, error: OSError) -> OSError:
        """What to raise where a send has failed, and by each further one."""
        if isinstance(error, TimeoutError):
            return said_of(self, TimeoutError(NOT_SENT_IN_TIME))
        self._why_no_send = repeated(self, self._said(error))
        return self._why_no_send()

    def file_sent(self, fd: int, offset: int, length: int, timeout_us: int) -> Generator[Any, Any, int]:
        """See `Stream.send_file`: it is read here, since it is encrypted here."""
        self._may_send(b"all")
        until_us = CURRENT.get().clock() + timeout_us if timeout_us < NEVER_US else NEVER_US
        sent_bytes = 0
        self.is_sending = True
        try:
            yield from self.ready(timeout_us)
            yield from self._alone()
            while sent_bytes < length:
                piece = os.pread(fd, min(PIECE_BYTES, length - sent_bytes), offset + sent_bytes)
                if not piece:
                    break
                yield from self._all_put(piece, self._left_us(until_us))
                sent_bytes += len(piece)
        finally:
            self.is_sending = False
        return sent_bytes

    def _may_send(self, data: bytes, *, is_last: bool = False) -> bool:
        """Whether there is something to be sent. Raises: OSError, MisuseError where nothing can be."""
        if self.is_closed:
            raise stream_closed()
        if self.is_sending:
            raise second_sender("another thread")
        if not data and not is_last and self._why_no_send in (None, cut_short):
            return False
        if self._why_no_send is not None:
            raise self._why_no_send()
        if self.is_shut:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        return True

    def _all_put(self, data: bytes, timeout_us: int, *, is_last: bool = False) -> Steps:
        machine = self.machine
        until_us = CURRENT.get().clock() + timeout_us if timeout_us < NEVER_US else NEVER_US
        if not machine.is_ready:
            yield from self.ready(timeout_us)
            timeout_us = self._left_us(until_us)
        self._why_no_send = cut_short
        try:
            if len(data) > PIECE_BYTES:
                view = memoryview(data)
                last_at = (len(data) - 1) // PIECE_BYTES * PIECE_BYTES
                for at in range(0, last_at, PIECE_BYTES):
                    machine.write(view[at : at + PIECE_BYTES])
                    yield from self._put(machine.output(), timeout_us)
                    timeout_us = self._left_us(until_us)
                data = data[last_at:]
            if data:
                machine.write(data)
            if is_last:
                machine.end()
                self.is_shut = True
            yield from self._put(machine.output(), timeout_us, is_last=is_last)
        except OSError as error:
            raise self._not_sent(error) from None
        self._why_no_send = None

    # Ending.

    def _notify(self) -> Steps:
        """Send close_notify, where nothing stands half sent before it."""
        if not self._may_answer or not self.machine.is_ready:
            return
        self.machine.end()
        if not self.machine.has_output:
            return
        self.is_sending = True
        try:
            yield from self.inner.send_last(self.machine.output(), NOTIFY_US).__await__()
        except OSError:
            self._why_no_send = cut_short  # A peer that does not read sees the connection end without it.
        finally:
            self.is_sending = False

    def shut(self) -> Steps:
        """See `Stream.shutdown`."""
        if self.is_closed:
            raise stream_closed()
        if not self.machine.is_ready and not self.is_shut:
            try:
                yield from self.ready()
            except OSError:
                self.is_shut = True  # Nothing was agreed on that could be ended.
        yield from self._notify()
        self.is_shut = True
        yield from self.inner.shutdown().__await__()

    def closed(self) -> Steps:
        """See `Stream.close`. After an alert it ends in stages."""
        if self.is_closed:
            return
        self.is_closed = True
        yield from self._notify()
        try:
            yield from self._heard_out()
            yield from self.inner.close().__await__()
        except OSError as error:
            raise self._said(error) from None

    def aborted(self) -> Steps:
        """See `Stream.abort`. After an alert it ends in stages."""
        is_told, self.is_closed = self._is_told, True
        yield from self._heard_out()
        yield from (self.inner.close() if is_told else self.inner.abort()).__await__()

    def _heard_out(self) -> Steps:
        """Have the alert that was sent arrive, which a reset could overtake. A client's own open waits for
        nobody."""
        is_told, self._is_told = self._is_told, False
        if is_told and (self.machine.is_ready or self.machine.is_server):
            try:
                yield from linger(self.inner, CURRENT.get().clock).__await__()
            except OSError:
                return  # The peer has left.
