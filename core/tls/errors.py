"""What goes wrong with TLS: a connection's own end, and files that are no certificates.

Owns the classes. What happens to a connection is an OSError, as everything that a stream raises. This file
loads nothing of OpenSSL, so that who only tells errors apart does not either.
"""

import errno

from gossamer.core.errors import GossamerError


class TlsError(ConnectionError):
    """The TLS of a connection has failed: nothing can be sent or received on it any more.

    `reason` is OpenSSL's name of why, such as CERTIFICATE_VERIFY_FAILED; "" where it has none.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(errno.EPROTO, message)
        self.reason = reason

    def __str__(self) -> str:
        return str(self.strerror)

    def again(self) -> "TlsError":
        """A fresh error that says the same."""
        return type(self)(str(self), self.reason)


class TruncatedError(TlsError):
    """The connection ended without the peer's close_notify: what came may be a part of what was sent.

    RFC 8446 6.1: "This alert notifies the recipient that the sender will not send any more messages on this
    connection."
    """


class NotTlsError(TlsError):
    """What a client began with is no TLS; `received` is what has come of it."""

    received = b""


class CertificateFileError(GossamerError):
    """A file of certificates or keys cannot be used; the message names it, and says why."""
