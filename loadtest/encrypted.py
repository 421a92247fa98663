"""TLS of a run: what is asked of a server's certificate, and the handshake on each connection.

Owns the record of what was asked, and what is made of it once for all connections. The server's name in the
handshake is that of the Host field, so that a server of many hosts answers for the right one wherever the
connection goes.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from gossamer.core.errors import what_failed
from gossamer.core.io.stream import Stream
from gossamer.core.tls.errors import CertificateFileError
from gossamer.shards.exitcode import ConfigError

if TYPE_CHECKING:
    import ssl

FILE_BYTES_MAX: Final = 16 << 20


class TlsAsked(msgspec.Struct, frozen=True):
    """What a run asks of TLS."""

    host: str
    """Whom the certificate must be for; "" asks for nobody."""
    authorities: bytes | None = None
    """As PEM, those that are trusted; None are those of the system."""
    verifies: bool = True


class Encryption:
    """Shakes hands on the connections of a run."""

    def __init__(self, asked: TlsAsked) -> None:
        self._context = context_of(asked)
        self._host = asked.host

    async def over(self, stream: Stream, patience_us: int) -> Stream:
        """The stream through TLS; it is aborted where that fails. Raises: TlsError, TimeoutError, OSError."""
        from gossamer.core.tls.stream import asked

        tls = asked(stream, self._context, self._host, patience_us)
        try:
            await tls.handshake()
        except OSError:
            await tls.abort()
            raise
        return tls


def context_of(asked: TlsAsked) -> "ssl.SSLContext":
    """What OpenSSL is told. Raises: CertificateFileError."""
    from gossamer.core.tls.context import client_context

    return client_context(asked.authorities, authorities_name="--cacert", verifies=asked.verifies)


def tls_asked(host: str, cacert: Path | None, *, insecure: bool) -> TlsAsked:
    """The record of what was asked. Raises: ConfigError, in one line."""
    authorities = None
    if cacert is not None:
        try:
            with cacert.open("rb") as file:
                authorities = file.read(FILE_BYTES_MAX)
        except OSError as error:
            raise ConfigError(f"--cacert: {what_failed(error)}; allowed: a PEM file") from None
    asked = TlsAsked(host, authorities, verifies=not insecure)
    try:
        context_of(asked)
    except CertificateFileError as error:
        raise ConfigError(f"{error}; found {str(cacert)!r}") from error
    return asked
