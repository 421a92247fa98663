"""OpenSSL's errors as lines for people.

Owns the wording. OpenSSL names a reason, and of an alert that the peer has sent it says so in that name.
"""

import ssl
from typing import Final

from gossamer.core.tls.errors import TlsError, TruncatedError

BY_THE_PEER: Final = ("TLSV1_ALERT_", "TLSV13_ALERT_", "SSLV3_ALERT_", "TLS_ALERT_")
"""How the names of alerts begin that have come from the other side."""

WORDS: Final = {
    "RECORD_LAYER_FAILURE": "the peer has sent a record that cannot be read (record layer failure)",
}
"""Of names that say too little. From OpenSSL 3.2 on this one stands for whatever is wrong with one, where
3.0 said what; the alert that says it goes to the peer alone."""

UNEXPECTED_EOF: Final = "UNEXPECTED_EOF_WHILE_READING"


def is_unexpected_end(error: ssl.SSLError) -> bool:
    """Whether the peer's octets have ended without its close_notify. Until 3.11.4 Python has no class for it.

    >>> import ssl
    >>> is_unexpected_end(ssl.SSLEOFError(8, "EOF occurred in violation of protocol"))
    True
    """
    return isinstance(error, ssl.SSLEOFError) or getattr(error, "reason", None) == UNEXPECTED_EOF


def explained(error: ssl.SSLError) -> TlsError:
    """OpenSSL's error as a line for people.

    >>> import ssl
    >>> explained(ssl.SSLError(1, "[SSL: NO_SHARED_CIPHER] no shared cipher (_ssl.c:1)"))
    TlsError(71, 'no shared cipher')
    """
    reason = getattr(error, "reason", None) or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return TlsError(f"certificate verify failed: {error.verify_message}", reason)
    if is_unexpected_end(error):
        return TruncatedError("the peer left in the midst of TLS", reason)
    for begin in BY_THE_PEER:
        if reason.startswith(begin):
            return TlsError(f"the peer has refused: {in_words(reason.removeprefix(begin))}", reason)
    if reason:
        return TlsError(in_words(reason), reason)
    return TlsError(str(error.strerror or error).partition("] ")[2].partition(" (_ssl.c")[0] or "TLS failed")


def in_words(reason: str) -> str:
    """OpenSSL's name of a reason, as words.

    >>> in_words("NO_SHARED_CIPHER")
    'no shared cipher'
    """
    return WORDS.get(reason) or reason.lower().replace("_", " ")
