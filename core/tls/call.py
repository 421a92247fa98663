"""The calls on a `TlsStream`: those of `core.loop.streamcall`, each made of calls of the stream beneath.

Owns their classes. No loop takes them: to await one is to go through its steps (`core.tls.connection`).
"""

from collections.abc import Generator
from typing import Any

from gossamer.core.loop.streamcall import (
    StreamAbort,
    StreamClose,
    StreamRecv,
    StreamSend,
    StreamSendFile,
    StreamShutdown,
)
from gossamer.core.tls.connection import TlsConnection


class TlsRecv(StreamRecv, frozen=True):
    """`StreamRecv` through TLS."""

    record = TlsConnection

    def __await__(self) -> Generator[Any, Any, bytes]:
        connection: TlsConnection = self.connection
        return connection.received(self.bytes_max, self.timeout_us)


class TlsSend(StreamSend, frozen=True):
    """`StreamSend` through TLS."""

    record = TlsConnection

    def __await__(self) -> Generator[Any, Any, None]:
        connection: TlsConnection = self.connection
        data, timeout_us = self.data, self.timeout_us
        if type(data) is not bytes or type(timeout_us) is not int or timeout_us < 0:
            self.check()
        return connection.sent(data, timeout_us, is_last=self.is_last)


class TlsSendFile(StreamSendFile, frozen=True):
    """`StreamSendFile` through TLS."""

    record = TlsConnection

    def __await__(self) -> Generator[Any, Any, int]:
        connection: TlsConnection = self.connection
        return connection.file_sent(self.fd, self.offset, self.length, self.timeout_us)


class TlsShutdown(StreamShutdown, frozen=True):
    """`StreamShutdown` through TLS."""

    record = TlsConnection

    def __await__(self) -> Generator[Any, Any, None]:
        connection: TlsConnection = self.connection
        return connection.shut()


class TlsClose(StreamClose, frozen=True):
    """`StreamClose` through TLS."""

    record = TlsConnection

    def __await__(self) -> Generator[Any, Any, None]:
        connection: TlsConnection = self.connection
        return connection.closed()


class TlsAbort(StreamAbort, frozen=True):
    """`StreamAbort` through TLS."""

    record = TlsConnection

    def __await__(self) -> Generator[Any, Any, None]:
        connection: TlsConnection = self.connection
        return connection.aborted()


class TlsHandshake(StreamShutdown, frozen=True):
    """See `TlsStream.handshake`."""

    record = TlsConnection
    timeout_us: int

    def __await__(self) -> Generator[Any, Any, None]:
        connection: TlsConnection = self.connection
        return connection.ready(self.timeout_us)
