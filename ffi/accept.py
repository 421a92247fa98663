"""accept4 with SOCK_NONBLOCK: one system call where the standard library makes two.

Owns the one call. Source: accept(2).
"""

from gossamer.ffi._system import lib


def accept_nonblocking(fd: int) -> int:
    """The descriptor of the next connection, non-blocking and closed on exec; -errno where there is none."""
    return lib.gossamer_accept(fd)
