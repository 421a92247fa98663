"""How the end of a connection is reported to a thread: the OSErrors that kernel sockets raise."""

import errno
import os

from gossamer.core.loop.streamcall import said_of, stream_closed
from gossamer.core.loop.tcp.call import Connection
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
    Failure.FILE_CUT: errno.EIO,
    Failure.CLOSING: errno.EPIPE,
}


OWN_DOING = frozenset({Failure.ABORTED, Failure.FILE_CUT, Failure.CLOSING})
"""What is no news of the peer."""


def error_for(connection: Connection, failure: Failure) -> OSError:
    """The error of a call on a connection that has ended so."""
    error = error_of(failure)
    return error if failure in OWN_DOING else said_of(connection, error)


def why_over(connection: Connection) -> OSError:
    """The error of a call on a connection that is over."""
    if connection.is_closed:
        return stream_closed()
    return error_for(connection, connection.failure or Failure.CLOSING)


def error_of(failure: Failure) -> OSError:
    """A fresh error; Python picks the subclass by the number (ConnectionResetError, TimeoutError, ...)."""
    number = ERRNO[failure]
    return OSError(number, os.strerror(number))
