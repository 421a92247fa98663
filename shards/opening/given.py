"""Listening sockets that are no port of ours: a Unix socket by its path, or one that we were started with.

    server.uds                    bound here, removed at the end
    server.fd, or LISTEN_FDS      whoever gave it keeps it: what comes after our end waits there

All workers accept from the one queue of such a socket. Owns where it comes from, and what is wrong with one
that cannot be used.

Source: unix(7); sd_listen_fds(3), for socket activation.
"""

import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import msgspec

from gossamer.shards.configuration.config import Config
from gossamer.shards.exitcode import CannotStartError, ConfigError

FIRST_FD: Final = 3
"""Of those that a service manager gives."""
PATH_BYTES_MAX: Final = 107
"""What sun_path holds. Source: unix(7)."""
FOR_ALL: Final = 0o666
"""As nginx and uvicorn have it: who may connect is decided by who may enter the folder."""
UNIX: Final = "unix:"
"""What an address begins with that is the path of a Unix socket."""


def activated(config: Config, environment: Mapping[str, str], pid: int) -> Config:
    """The configuration with the socket that a service manager has given us. Raises: ConfigError."""
    if config.server.is_given or environment.get("LISTEN_PID") != str(pid):
        return config
    count = environment.get("LISTEN_FDS", "")
    if count != "1":
        raise ConfigError(
            f"LISTEN_FDS: found {count!r}; allowed: one socket; name the one to serve by --fd, from 3 on"
        )
    return msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, fd=FIRST_FD))


def open_given(config: Config) -> socket.socket:
    """The socket, listening. Raises: CannotStartError."""
    server = config.server
    return open_unix(server.uds, server.backlog) if server.uds else take_descriptor(server.fd)


def address_in(listening: socket.socket) -> tuple[str, int]:
    """Where clients find it: (host, port), or ("unix:PATH", 0)."""
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return UNIX + os.fsdecode(name).replace("\0", "@"), 0
    return str(name[0]), int(name[1])


def take_descriptor(fd: int) -> socket.socket:
    """A socket of our own for one that was inherited. Raises: CannotStartError."""
    allowed = "allowed: the number of a listening stream socket that the server was started with"
    try:
        taken = socket.socket(fileno=os.dup(fd))
    except OSError as error:
        raise CannotStartError(f"server.fd: found {fd}: {error.strerror}; {allowed}") from error
    if taken.type != socket.SOCK_STREAM or not taken.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        taken.close()
        raise CannotStartError(f"server.fd: found {fd}, a socket that does not listen; {allowed}")
    taken.setblocking(False)
    return taken


def open_unix(path: str, backlog: int) -> socket.socket:
    """Listen on a path; a socket that nobody listens on any more is replaced. Raises: CannotStartError."""
    if "\0" in path or len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise CannotStartError(
            f"server.uds: found {path!r}; allowed: a path of at most {PATH_BYTES_MAX} bytes"
        )
    listening = socket.socket(socket.AF_UNIX)
    try:
        _remove_left_behind(path)
        listening.bind(path)
        os.chmod(path, FOR_ALL)
        listening.listen(backlog)
    except OSError as error:
        listening.close()
        raise CannotStartError(f"server.uds: cannot listen on {path}: {error.strerror}") from error
    listening.setblocking(False)
    return listening


def _remove_left_behind(path: str) -> None:
    """Remove the socket of a server that was killed. Raises: CannotStartError where one listens; OSError."""
    try:
        is_socket = stat.S_ISSOCK(os.stat(path, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise CannotStartError(f"server.uds: {path} is there and is no socket; name another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # Its backlog is full, so somebody listens.
    raise CannotStartError(f"server.uds: another program listens on {path}; stop it or name another path")


def remove_unix(path: str) -> None:
    """Have nobody find the socket of this path any more; whoever is in its queue is still accepted."""
    with suppress(FileNotFoundError):
        os.unlink(path)
