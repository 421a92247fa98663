"""The served folder, by its name: builds remove it and make it again, deployments point a link elsewhere.

The supervisor opened it and workers hold it, as an ordinary user that may not be able to walk its path. So
the supervisor looks where the name leads by now, and sends a new folder to the workers over a socket that
each of them has. A number of a descriptor stays what it was: the new folder takes the place of the old one.

Source: unix(7), SCM_RIGHTS; dup(2).
"""

import logging
import os
import socket
from array import array
from contextlib import suppress
from typing import Final, NamedTuple

from gossamer.shards.exitcode import CannotStartError, ConfigError

log = logging.getLogger("gossamer.worker")

MESSAGE: Final = b"root"


class FolderIdentity(NamedTuple):
    """Which folder it is; no other has the same as long as somebody holds it."""

    device: int
    inode: int


def identity_of(root: int | str) -> FolderIdentity:
    """Which folder a descriptor or a name leads to. Raises: OSError."""
    found = os.stat(root)
    return FolderIdentity(found.st_dev, found.st_ino)


def open_root(folder: str) -> int:
    """The document root, which workers walk beneath. Raises: CannotStartError."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotStartError(
            f"TARGET {folder}: {error.strerror}; name a folder that you may read"
        ) from error


def follow(root_fd: int, folder: str) -> FolderIdentity:
    """Have the descriptor lead where the name leads by now; while that is nowhere it stays as it is."""
    held = identity_of(root_fd)
    with suppress(OSError, CannotStartError):
        if identity_of(folder) != held:
            put_in_place(open_root(folder), root_fd)
    return identity_of(root_fd)


def put_in_place(fresh_fd: int, root_fd: int) -> None:
    """The first descriptor takes the place of the second."""
    os.dup2(fresh_fd, root_fd, inheritable=False)
    os.close(fresh_fd)


def send_root(channel: socket.socket, root_fd: int) -> bool:
    """Send the folder to a worker; whether it went out: whoever does not read gets it later."""
    # Not socket.send_fds: before Python 3.13 it drops the flags that it is given.
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [root_fd]))]
    try:
        channel.sendmsg([MESSAGE], rights, socket.MSG_DONTWAIT)
    except OSError:
        return False
    return True


def receive_root(channel: socket.socket, root_fd: int) -> bool:
    """Take a new folder, if one has come; whether more may come."""
    message, fds, _, _ = socket.recv_fds(channel, len(MESSAGE), 1, socket.MSG_DONTWAIT)
    for fd in fds:
        put_in_place(fd, root_fd)
    return bool(message)


def require_entry(root_fd: int, folder: str) -> None:
    """Raises: ConfigError where this process may not enter the folder, so that every answer were 403."""
    try:
        os.stat(".", dir_fd=root_fd)
    except OSError as error:
        raise ConfigError(
            f"TARGET {folder}: the workers' user may not enter it ({error.strerror}); allow it, as by "
            "chmod o+rx, or name another user with --user"
        ) from error


def warn_of_no_entry(root_fd: int, folder: str) -> None:
    """The same, of a folder that came while we serve."""
    try:
        require_entry(root_fd, folder)
    except ConfigError as error:
        log.error("%s", error)
