"""What a server insists on, as values: certificates with their keys, versions, ciphers.

Owns the records and the defaults. What OpenSSL makes of them is in `core.tls.context`; this file loads
none of that, so that whoever speaks plain does not either.

Source: RFC 9325 (recommendations for the use of TLS).
"""

from typing import Final, Literal

import msgspec

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2. RFC 9325 4.2: suites that offer forward secrecy and authenticated encryption."""
HTTP_1: Final = "http/1.1"
"""Its name in ALPN (RFC 7301 6)."""
TICKETS: Final = 2

Version = Literal["1.2", "1.3"]
Asks = Literal["none", "optional", "required"]


class CertificatePair(msgspec.Struct, frozen=True):
    """A certificate with those up to its authority, and its key, as PEM; and what their files are called."""

    certificates: bytes
    key: bytes
    certificates_name: str
    key_name: str


class ServerTerms(msgspec.Struct, frozen=True):
    """What a server insists on beside its certificate."""

    version_min: Version = "1.2"
    ciphers: str = CIPHERS
    alpn: tuple[str, ...] = (HTTP_1,)
    """What its application speaks."""
    tickets: int = TICKETS
    """Of TLS 1.3, sent with each handshake: with one a client comes back without a signature."""
    authorities: bytes = b""
    """As PEM, whose certificates of clients are taken."""
    authorities_name: str = ""
    asks: Asks = "none"
    """Whether clients must show a certificate."""


class ServedCertificates(msgspec.Struct, frozen=True):
    """All that the server's end of TLS is made of; it can be encoded, and holds private keys."""

    first: CertificatePair
    """For whoever names no host, or one that has no other."""
    by_host: dict[str, CertificatePair]
    terms: ServerTerms
    handshake_timeout_us: int
