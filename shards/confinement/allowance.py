"""What a worker may take of the machine: memory, descriptors, and how many of these its connections may have.

    descriptors     server.limit_descriptors, or all that the system grants; a part is kept from connections
    memory          server.limit_memory_bytes, by RLIMIT_DATA: what is allocated, not what is mapped of files

Owns these bounds. On kernel sockets a connection takes a descriptor: without a part that is kept for others
clients could take all, and then no file can be opened for any of them.

Source: getrlimit(2).
"""

import os
import resource
from typing import Final

from gossamer.shards.configuration.config import Config
from gossamer.shards.exitcode import CannotStartError

KEPT_MIN: Final = 64
KEPT_PART: Final = 4
"""A quarter of all: those who are served may each have a file open for a while, and handlers their own."""


def set_limits(config: Config) -> None:
    """Have the limits that are configured, for good. Raises: CannotStartError."""
    wanted = (
        ("server.limit_descriptors", resource.RLIMIT_NOFILE, config.server.limit_descriptors),
        ("server.limit_memory_bytes", resource.RLIMIT_DATA, config.server.limit_memory_bytes),
    )
    for key, limit, most in wanted:
        if most:
            _set(key, limit, most)


def _set(key: str, limit: int, most: int) -> None:
    try:
        _, hard = resource.getrlimit(limit)
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (bound, bound))
    except (OSError, ValueError) as error:
        raise CannotStartError(f"{key}: cannot be set to {most} (prlimit64): {error}") from error


def connections_max(wanted: int, descriptors: int, open_now: int) -> int:
    """How many connections a worker on kernel sockets has at most, so that descriptors are left for others.

    >>> connections_max(10_000, 1024, 24)
    744
    """
    kept = min(max(KEPT_MIN, descriptors // KEPT_PART), descriptors // 2)
    return max(1, min(wanted, descriptors - open_now - kept))


def connections_granted(wanted: int) -> int:
    """The same for this process as it is now."""
    try:
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    except OSError:  # A sandbox refuses prlimit64.
        return wanted
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    return connections_max(wanted, descriptors, len(os.listdir("/proc/self/fd")))
