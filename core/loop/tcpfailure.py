"""How the end of a connection is told to a thread: the OSErrors that kernel sockets raise."""

import errno
import os

from gossamer.core.tcp.actions import Failure

ERRNO = {
    Failure.RESET: errno.ECONNRESET,
    Failure.REFUSED: errno.ECONNREFUSED,
    Failure.TIMED_OUT: errno.ETIMEDOUT,
    Failure.UNREACHABLE: errno.EHOSTUNREACH,
    Failure.NETWORK_UNREACHABLE: errno.ENETUNREACH,
    Failure.PROTOCOL_REFUSED: errno.ENOPROTOOPT,
    Failure.BAD_HEADER: errno.EPROTO,
    Failure.ABORTED: errno.ECONNABORTED,
    Failure.CLOSING: errno.EPIPE,
}


def error_of(failure: Failure) -> OSError:
    """A fresh error; Python picks the subclass by the number (ConnectionResetError, TimeoutError, ...)."""
    number = ERRNO[failure]
    return OSError(number, os.strerror(number))
