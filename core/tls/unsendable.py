"""Why nothing can be sent any more on a connection of TLS, said anew for each send.

Owns how such errors are made: one that is raised twice would have the frames of both.
"""

import errno
from collections.abc import Callable

from gossamer.core.loop.streamcall import is_said_of, said_of
from gossamer.core.tls.errors import TlsError


def cut_short() -> OSError:
    """For a send after one that ended in the midst of a record."""
    return BrokenPipeError(errno.EPIPE, "a send before was cut short")


def repeated(connection: object, error: OSError) -> Callable[[], OSError]:
    """Makes errors that say the same."""
    if isinstance(error, TlsError):
        return lambda: said_of(connection, error.again())
    kind, arguments, is_said = type(error), error.args, is_said_of(connection, error)
    return lambda: said_of(connection, kind(*arguments)) if is_said else kind(*arguments)
