"""What two ends of TLS have agreed on, as a value.

Owns the record; it is made once, when the handshake is over.
"""

from typing import Any, Final

import msgspec


class TlsFacts(msgspec.Struct, frozen=True):
    """What holds for one connection."""

    version: str
    """ "TLSv1.2" or "TLSv1.3"."""
    cipher: str
    """The cipher suite by OpenSSL's name."""
    cipher_number: int = 0
    """And by its number (IANA, TLS Cipher Suites); 0 where OpenSSL does not say."""
    alpn: str = ""
    """The application's protocol that both want (RFC 7301); "" where they named none."""
    server_name: str = ""
    """The host that the client asked for (RFC 6066 3); "" where it named none."""
    peer_certificate: dict[str, Any] | None = None
    """The peer's certificate, as `ssl.SSLSocket.getpeercert` has it; None where none was asked for, or none
    was shown."""
    peer_certificate_pem: str = ""
    """The same as PEM."""
    is_resumed: bool = False
    """Whether it goes on with an earlier session."""


NOT_YET: Final = TlsFacts("", "")
"""Before the handshake is over."""
