"""The result of a command on standard output, where that can be written.

Owns how an output ends that cannot take it: a full disk, a closed pipe. It knows nothing of what is written.
"""

import os
import sys
from collections.abc import Callable

from gossamer.core.errors import what_failed
from gossamer.shards.exitcode import CommandError


def write_out(write: Callable[[], None]) -> None:
    """Have a result written and flushed. Raises: CommandError, in one line."""
    try:
        write()
        sys.stdout.flush()
    except OSError as error:
        drop_output()
        raise CommandError(f"the result could not be written: {what_failed(error)}") from None


def drop_output() -> None:
    """Have what is left in the buffer go nowhere: the interpreter would complain of it at its end."""
    try:
        held = sys.stdout.fileno()
    except OSError:
        return  # no descriptor, so nothing that can fail at the end
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, held)
    os.close(null)
