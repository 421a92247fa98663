"""One end of TLS without I/O: octets of the network in and out, octets of the application out and in.

    receive(octets), ""   what the peer has sent, or that it sends no more
    shake() -> done?      the handshake, as far as what has come leads
    read(n) -> octets     b"" after the peer's close_notify, None where more must come first
    write(octets)         at most PIECE_BYTES at a time
    end()                 close_notify: nothing is written after it
    output() -> octets    what must go to the peer now

Owns what OpenSSL is asked for, in which order, and the bounds of what is held: one `receive`, and one
`write`. It knows no stream and no clock, and decides nothing about certificates (`context`).

Source: RFC 8446; RFC 5246; SSL_shutdown(3), SSL_read(3).
"""

import ssl
from functools import lru_cache
from typing import Final

from gossamer.core.tls.errors import NotTlsError, TlsError, TruncatedError
from gossamer.core.tls.facts import NOT_YET, TlsFacts
from gossamer.core.tls.reasons import explained, is_unexpected_end

PIECE_BYTES: Final = 128 * 1024
"""Encrypted at a time."""
RECORD_BYTES: Final = 16384
"""RFC 8446 5.1: "The record layer fragments information blocks into TLSPlaintext records carrying data in
chunks of 2^14 bytes or less.\""""
HELD_BYTES_MAX: Final = 1 << 20
"""More than one `receive` brings."""
ANSWERS_BYTES_MAX: Final = 16384
"""What we owe a peer in answers to its own messages, such as key updates, before it reads one of them."""
HANDSHAKE: Final = 0x16
"""RFC 8446 5.1: the type of a record that carries handshake messages: every client begins with one."""


class ServedObject(ssl.SSLObject):
    """A server's end, which remembers whom its client asked for."""

    server_name: str = ""


class TlsMachine:
    """One end of one connection. Raises: TlsError, from every call once it has failed."""

    __slots__ = (
        "_error",
        "_facts",
        "_held",
        "_in",
        "_object",
        "_out",
        "has_begun",
        "has_ended",
        "is_ready",
        "is_server",
        "may_read",
    )

    def __init__(
        self, context: ssl.SSLContext, *, server_side: bool = False, server_hostname: str | None = None
    ) -> None:
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_side, server_hostname)
        self._held = b""
        """Read before it was asked for."""
        self._error: TlsError | None = None
        self._facts: TlsFacts | None = None
        """Made when they are asked for."""
        self.is_server = server_side
        self.has_begun = False
        """Whether anything has come."""
        self.is_ready = False
        """Whether the handshake is over."""
        self.has_ended = False
        """Whether close_notify has been written."""
        self.may_read = True
        """Whether `read` may bring something before more is received: in vain it costs an exception."""

    @property
    def has_output(self) -> bool:
        """Whether something must go to the peer."""
        return self._out.pending > 0

    def facts(self) -> TlsFacts:
        """What was agreed on."""
        if not self.is_ready:
            return NOT_YET
        if self._facts is None:
            self._facts = facts_of(self._object)
        return self._facts

    @property
    def is_resumed(self) -> bool:
        """Whether it goes on with an earlier session."""
        return bool(self._object.session_reused)

    # The network's side.

    def receive(self, octets: bytes) -> None:
        """Octets of the peer; b"" at their end. Raises: NotTlsError."""
        self.may_read = True
        if not octets:
            self._in.write_eof()
            return
        if not self.has_begun:
            self.has_begun = True
            if self.is_server and octets[0] != HANDSHAKE:
                error = NotTlsError("what came first is no TLS")
                error.received = octets
                self._error = error
                raise error
        self._in.write(octets)

    def output(self) -> bytes:
        """What must go to the peer now."""
        return self._out.read()

    # The application's side.

    def shake(self) -> bool:
        """Go on with the handshake; whether it is over. Raises: TlsError."""
        self._check()
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise self._failed(error) from None
        self.is_ready = True
        return True

    def read(self, bytes_max: int) -> bytes | None:
        """At most so many octets; b"" once the peer has said that no more come, None where more must be
        received first. Raises: TlsError; TruncatedError where the peer has ended without saying so.
        """
        if self._held or self._error is not None:
            return self._read_held(bytes_max)
        data = self._decrypted(bytes_max)
        if self._in.pending and data:
            return b"".join([data, *self._further(bytes_max - len(data))])
        # Less than was asked for, and nothing behind it.
        self.may_read = data == b"" or (data is not None and len(data) >= min(bytes_max, RECORD_BYTES))
        return data

    def _read_held(self, bytes_max: int) -> bytes:
        """What was read before it was asked for. Raises: TlsError behind it."""
        if not self._held:
            self._check()
        data, self._held = self._held[:bytes_max], self._held[bytes_max:]
        return data

    def _further(self, bytes_max: int) -> list[bytes]:
        """What else can be decrypted: a long message comes as many records. An error is raised by the next
        read, for what was whole comes first."""
        found: list[bytes] = []
        try:
            while bytes_max > 0 and (data := self._decrypted(bytes_max)):
                found.append(data)
                bytes_max -= len(data)
        except TlsError:
            return found
        return found

    def _decrypted(self, bytes_max: int) -> bytes | None:
        try:
            return self._object.read(min(bytes_max, RECORD_BYTES))
        except ssl.SSLWantReadError:
            if self._out.pending > ANSWERS_BYTES_MAX:
                self._error = TlsError("the peer asks for more answers than it reads")
                raise self._error from None
            return None
        except ssl.SSLZeroReturnError:
            return b""
        except ssl.SSLError as error:
            if not is_unexpected_end(error):
                raise self._failed(error) from None
            self._error = TruncatedError("the connection ended without the peer's close_notify")
            raise self._error from None

    def write(self, octets: bytes | memoryview) -> None:
        """Encrypt octets, PIECE_BYTES at most. Raises: TlsError."""
        self._check()
        try:
            self._object.write(octets)
        except ssl.SSLError as error:
            raise self._failed(error) from None

    def end(self) -> None:
        """Write close_notify, once; receiving goes on. Nothing is written where the handshake is not over, or
        all has failed.
        """
        if self.has_ended or not self.is_ready or self._error is not None:
            return
        self.has_ended = True
        self._hold_what_came()
        try:
            self._object.unwrap()
        except ssl.SSLWantReadError:
            return  # It is written; the peer's has not come.
        except ssl.SSLError as error:
            self._error = self._error or explained(error)

    def _hold_what_came(self) -> None:
        """Decrypt all that has come: SSL_shutdown(3) drops octets of the application that it meets."""
        self._held = b"".join([self._held, *self._further(HELD_BYTES_MAX - len(self._held))])

    def _check(self) -> None:
        if self._error is not None:
            raise self._error.again()

    def _failed(self, error: ssl.SSLError) -> TlsError:
        self._error = explained(error)
        return self._error


def facts_of(tls: ssl.SSLObject) -> TlsFacts:
    """What the two ends of a handshake that is over have agreed on."""
    name = (tls.cipher() or ("", "", 0))[0]
    octets = tls.getpeercert(binary_form=True)
    return TlsFacts(
        version=tls.version() or "",
        cipher=name,
        cipher_number=numbers_of(tls.context).get(name, 0),
        alpn=tls.selected_alpn_protocol() or "",
        server_name=getattr(tls, "server_name", "") or tls.server_hostname or "",
        peer_certificate=tls.getpeercert() or None,
        peer_certificate_pem=ssl.DER_cert_to_PEM_cert(octets) if octets else "",
        is_resumed=bool(tls.session_reused),
    )


@lru_cache(maxsize=64)
def numbers_of(context: ssl.SSLContext) -> dict[str, int]:
    """The numbers of a context's cipher suites by OpenSSL's names, which has them in the lower octets."""
    return {each["name"]: each["id"] & 0xFFFF for each in context.get_ciphers()}
