"""Descriptors that are exchanged while workers run: folders that were built again, a log file that was moved.

The supervisor opened them, and workers hold them as an ordinary user who may not open them. What takes the
place of one comes over a socket that each worker has; a number of a descriptor stays what it was.

Source: unix(7), SCM_RIGHTS; dup(2).
"""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from gossamer.shards.letters.rights import receive_rights, send_rights

NAME_BYTES_MAX: Final = 64
LOG: Final = "access log"
ROOT: Final = "root"
"""The target's folder; those of further sites are ROOT and their number."""


def root_name(number: int) -> str:
    """The name of a folder: of the target's, which is the first, or of a further site's."""
    return f"{ROOT} {number}" if number else ROOT


class FileIdentity(NamedTuple):
    """Which file or folder it is; no other has the same as long as somebody holds it."""

    device: int
    inode: int


def identity_of(opened: int | str) -> FileIdentity:
    """What a descriptor or a name leads to. Raises: OSError."""
    found = os.stat(opened)
    return FileIdentity(found.st_dev, found.st_ino)


def put_in_place(fresh_fd: int, held_fd: int) -> None:
    """The first descriptor takes the place of the second."""
    os.dup2(fresh_fd, held_fd, inheritable=False)
    os.close(fresh_fd)


def hand_over(channel: socket.socket, name: str, fd: int) -> bool:
    """Send a descriptor to a worker; whether it went out: whoever does not read gets it later."""
    try:
        send_rights(channel, name.encode("ascii"), (fd,), socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def take_over(
    channel: socket.socket, held: Mapping[str, int], take_new: Callable[[str, int], None] | None = None
) -> str:
    """Take a descriptor, which then stands in place of what is held by its name, or is given to `take_new`
    where nothing is; that name, or "" when none comes any more."""
    message, fds, _ = receive_rights(channel, NAME_BYTES_MAX, 1, socket.MSG_DONTWAIT)
    name = message.decode("ascii")
    for fd in fds:
        if name in held:
            put_in_place(fd, held[name])
        elif take_new is not None:
            take_new(name, fd)
        else:
            os.close(fd)
    return name
