"""Where the access log goes: standard output, a file that is opened again on SIGUSR1, or a descriptor.

Owns how it is opened: by the supervisor, so that workers need no right to do so; to append, so that their
lines do not overwrite each other.

Source: open(2), O_APPEND.
"""

import os
import re
from typing import Final

from gossamer.shards.exitcode import ConfigError

KEY: Final = "log.access_log_file"
DESCRIPTOR: Final = re.compile(r"fd:([0-9]{1,7})")
FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
"""O_NONBLOCK: a FIFO that nobody reads is an error, and nothing to wait for."""
MODE: Final = 0o640
"""Addresses of people are nobody else's business."""


def is_file(place: str) -> bool:
    """Whether it names a file."""
    return bool(place) and DESCRIPTOR.fullmatch(place) is None


def open_log(place: str) -> int:
    """A descriptor of our own for a file, or for "fd:3". Raises: ConfigError."""
    try:
        match = DESCRIPTOR.fullmatch(place)
        if match is None:
            return os.open(place, FLAGS, MODE)
        return os.dup(int(match[1]))
    except OSError as error:
        raise ConfigError(
            f"{KEY}: found {place!r}: {error.strerror}; allowed: a file that may be written, or fd:N for a "
            "descriptor that the server was started with"
        ) from error
