"""A transport of asyncio's over a stream of either stack.

Owns what asyncio promises of a transport: when the protocol is called, water marks, half-close, abort. The
stream is `core.io`'s; its calls are made by two `Standby`s, one that receives and one that sends. Protocols
are called in handles of asyncio's, never by these.

Source: asyncio's documentation, "Transports and Protocols"; PEP 3156.
"""

import asyncio
import os
import sys
from asyncio import constants, protocols, transports
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Final

from gossamer.core.aio.sentfile import stretch_of
from gossamer.core.aio.standby import Standby
from gossamer.core.aio.streamsocket import StreamSocket
from gossamer.core.errors import Draining, GossamerError
from gossamer.core.io.sendfile import send_file
from gossamer.core.threads.systemcall import BLOCKED, SystemCall

READ_BYTES_MAX: Final = 256 * 1024
"""What one RECEIVE takes, as asyncio's own transports do."""

READS_MAX: Final = 16
"""RECEIVEs that are answered at once, before others have their turn."""

SERVER_KNOWS_TRANSPORTS: Final = sys.version_info >= (3, 13)

Octets = bytes | bytearray | memoryview


class StreamTransport(transports._FlowControlMixin):
    """`asyncio.Transport` over a `Stream`, which it owns from now on."""

    _start_tls_compatible = True
    _sendfile_compatible = constants._SendfileMode.TRY_NATIVE

    # asyncio's, which it does not say.
    _loop: Any
    _maybe_pause_protocol: Callable[[], None]
    _maybe_resume_protocol: Callable[[], None]

    def __init__(
        self,
        loop: Any,
        sock: StreamSocket,
        protocol: asyncio.BaseProtocol,
        waiter: "asyncio.Future[None] | None" = None,
        extra: dict[str, Any] | None = None,
        server: Any = None,
    ) -> None:
        super().__init__(extra, loop)
        self._extra: dict[str, Any]
        self._extra["socket"] = sock
        self._extra["sockname"] = sock.getsockname()
        self._extra.setdefault("peername", sock.getpeername())
        self._stream = stream = sock.stream
        self._context = copy_context()
        self._reader = Standby(loop.scheduler, f"reads {stream!r}", self._has_read, self._reading_failed)
        self._writer = Standby(loop.scheduler, f"writes {stream!r}", self._has_sent, self._sending_failed)
        self._ender = Standby(loop.scheduler, f"ends {stream!r}", self._has_ended, self._has_ended)
        self._is_receiving = False
        """A RECEIVE is not answered yet."""
        self._is_paused = False
        self._held: bytes | None = None
        """What came while the protocol did not want it."""
        self._has_read_all = False
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        """With those of `_sending_bytes`."""
        self._sending_bytes = 0
        """Of the SEND that is not answered yet; 0 where none is."""
        self._empty_waiter: asyncio.Future[None] | None = None
        self._wants_eof = False
        self._is_closing = False
        self._is_lost = False
        """`connection_lost` is called, or will be."""
        self._is_aborted = False
        self._server = server
        if server is not None:
            server._attach(*((self,) if SERVER_KNOWS_TRANSPORTS else ()))
        self.set_protocol(protocol)
        self._soon(protocol.connection_made, self)
        self._soon(self._read)
        if waiter is not None:
            self._soon(_set_unless_done, waiter)

    # Of every transport.

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who is called from now on."""
        self._protocol: Any = protocol
        self._is_buffered = isinstance(protocol, protocols.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is called."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def is_closing(self) -> bool:
        """Whether it is, or is closed."""
        return self._is_closing

    def close(self) -> None:
        """Send what is buffered, then end; nothing more is received."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._is_idle:
            self._lose(None)

    def abort(self) -> None:
        """End at once: what is buffered is lost, and the peer gets a RST."""
        self._force_close(None)

    def __repr__(self) -> str:
        state = "closing" if self._is_closing else "open"
        return f"<{type(self).__name__} {state} {self._stream!r} bufsize={self._pending_bytes}>"

    # Receiving.

    def is_reading(self) -> bool:
        """Whether the protocol gets what comes."""
        return not self._is_closing and not self._is_paused

    def pause_reading(self) -> None:
        """What comes waits, and the window closes."""
        if self.is_reading():
            self._is_paused = True

    def resume_reading(self) -> None:
        """Go on."""
        if self._is_paused and not self._is_closing:
            self._is_paused = False
            self._soon(self._read_on)

    def _read_on(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._take(held)
        self._read()

    def _read(self) -> None:
        """Receive what is there; a RECEIVE that has to wait is answered by `_has_read`."""
        for _ in range(READS_MAX):
            if self._is_receiving or self._has_read_all or self._held is not None or not self.is_reading():
                return
            try:
                data = self._reader.make(self._stream.recv(READ_BYTES_MAX))
            except (OSError, GossamerError) as error:
                self._fatal(error, "Fatal read error on a stream transport")
                return
            if data is BLOCKED:
                self._is_receiving = True
                return
            self._take(data)
        self._soon(self._read)

    def _has_read(self, data: bytes) -> None:
        self._is_receiving = False
        self._soon(self._read_data, data)

    def _read_data(self, data: bytes) -> None:
        self._take(data)
        self._read()

    def _reading_failed(self, error: BaseException) -> None:
        self._is_receiving = False
        if isinstance(error, Draining):
            self._soon(self._read)  # the application is told by its server, and ends when it has answered
        else:
            self._soon(self._fatal, error, "Fatal read error on a stream transport")

    def _take(self, data: bytes) -> None:
        """Give what came to the protocol; b"" is the end."""
        if self._is_closing:
            return
        if self._is_paused:
            self._held = data
        elif not data:
            self._take_end()
        elif self._is_buffered:
            self._fill(data)
        else:
            self._tell("data_received", data)

    def _fill(self, data: bytes) -> None:
        """Into the buffers of a protocol that has its own, as long as it wants to."""
        rest = memoryview(data)
        while rest and not self._is_closing:
            if self._is_paused or not self._is_buffered:
                self._take(bytes(rest))  # it was paused, or replaced, in the midst
                return
            buffer = self._tell("get_buffer", len(rest))
            if buffer is None:
                return
            count = min(len(buffer), len(rest))
            if not count:
                self._fatal(RuntimeError("get_buffer() returned an empty buffer"), "Fatal error: no buffer")
                return
            buffer[:count] = rest[:count]
            rest = rest[count:]
            self._tell("buffer_updated", count)

    def _take_end(self) -> None:
        self._has_read_all = True
        if not self._tell("eof_received"):
            self.close()

    def _tell(self, what: str, *arguments: Any) -> Any:
        """Call a method of the protocol's; where it raises, the connection ends."""
        try:
            return getattr(self._protocol, what)(*arguments)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001 - the protocol's own: told to the exception handler
            self._fatal(error, f"Fatal error: protocol.{what}() call failed.")
            return None

    # Sending.

    def write(self, data: Octets) -> None:
        """Send, or keep until there is room."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")
        if self._wants_eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._empty_waiter is not None:
            raise RuntimeError("unable to write; sendfile is in progress")
        if not data or self._is_lost:
            return
        octets = data if type(data) is bytes else bytes(data)
        if self._pending_bytes:
            self._pending.append(octets)
            self._pending_bytes += len(octets)
        else:
            self._send(octets)
        if self._pending_bytes:
            self._maybe_pause_protocol()

    def can_write_eof(self) -> bool:
        """Yes."""
        return True

    def write_eof(self) -> None:
        """A FIN after what is buffered; receiving goes on."""
        if self._is_closing or self._wants_eof:
            return
        self._wants_eof = True
        if self._is_idle:
            self._end_by(self._stream.shutdown())

    @property
    def _is_idle(self) -> bool:
        """Whether nothing is being sent."""
        return not self._pending_bytes and self._empty_waiter is None

    def get_write_buffer_size(self) -> int:
        """Octets that found no room in the stack's send buffer yet; those of one `write` are counted until
        all of them have."""
        return self._pending_bytes

    def _send(self, octets: bytes) -> None:
        try:
            answer = self._writer.make(self._stream.send(octets))
        except (OSError, GossamerError) as error:
            self._fatal(error, "Fatal write error on a stream transport")
            return
        if answer is BLOCKED:
            self._sending_bytes = len(octets)
            self._pending_bytes += len(octets)

    def _has_sent(self, _answer: None) -> None:
        self._soon(self._send_on)

    def _send_on(self) -> None:
        """A SEND that had to wait was answered: go on with what has come since."""
        self._pending_bytes -= self._sending_bytes
        self._sending_bytes = 0
        if self._pending and not self._is_lost:
            octets = b"".join(self._pending)
            self._pending.clear()
            self._pending_bytes -= len(octets)
            self._send(octets)
        self._maybe_resume_protocol()
        if not self._pending_bytes:
            self._has_drained()

    def _has_drained(self) -> None:
        if self._empty_waiter is not None:
            _set_unless_done(self._empty_waiter)
        elif self._is_closing:
            self._lose(None)
        elif self._wants_eof:
            self._end_by(self._stream.shutdown())

    def _sending_failed(self, error: BaseException) -> None:
        self._soon(self._fatal, error, "Fatal write error on a stream transport")

    async def send_file(self, file: Any, offset: int, count: int | None) -> int:
        """What `loop.sendfile` does without a copy: by the stack, which may never read it. Raises:
        SendfileNotAvailableError for anything but a regular file."""
        sent_file, length = stretch_of(file, offset, count)
        self._empty_waiter = self._loop.create_future()
        if not self._pending_bytes:
            self._has_drained()
        sent: int = 0
        try:
            await self._empty_waiter
            sent = await self._loop.create_thread(send_file(self._stream, sent_file, offset, length))
        finally:
            self._empty_waiter = None
            if sent:
                os.lseek(sent_file.fd, offset + sent, os.SEEK_SET)
            if not self._is_lost and not self._pending_bytes:
                self._has_drained()
        return sent

    # Ending.

    def _fatal(self, error: BaseException, message: str) -> None:
        """An error of the peer's or the network's ends the connection; any other is told as well."""
        if self._is_lost:
            return
        if not isinstance(error, OSError | GossamerError):
            self._loop.call_exception_handler(
                {"message": message, "exception": error, "transport": self, "protocol": self._protocol}
            )
        self._force_close(error)

    def _force_close(self, error: BaseException | None) -> None:
        if self._is_lost:
            return
        self._is_closing = self._is_aborted = True
        self._pending.clear()
        self._pending_bytes = self._sending_bytes = 0
        self._lose(error)

    def _lose(self, error: BaseException | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._soon(self._connection_lost, error)

    def _connection_lost(self, error: BaseException | None) -> None:
        try:
            self._protocol.connection_lost(error)
        finally:
            self._end_by(self._stream.abort() if self._is_aborted else self._stream.close())
            server, self._server = self._server, None
            if server is not None:
                server._detach(*((self,) if SERVER_KNOWS_TRANSPORTS else ()))

    def _end_by(self, call: SystemCall[None]) -> None:
        """Half-close, close, abort: what comes of it interests nobody, as of a kernel socket."""
        try:
            self._ender.make(call)
        except (OSError, GossamerError) as error:
            self._has_ended(error)

    def _has_ended(self, _answer: BaseException | None) -> None: ...

    def _soon(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._loop.call_soon(callback, *arguments, context=self._context)


def _set_unless_done(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
