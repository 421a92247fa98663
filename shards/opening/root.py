"""The served folder, by its name: builds remove it and make it again, deployments point a link elsewhere.

The supervisor opened it and workers hold it, as an ordinary user that may not be able to walk its path. So
the supervisor looks where the name leads by now, and hands a new folder to the
workers (`shards.letters.handing`).
"""

import logging
import os
from contextlib import suppress

from gossamer.shards.configuration.config import Config
from gossamer.shards.exitcode import CannotStartError, ConfigError
from gossamer.shards.letters.handing import ROOT, FileIdentity, identity_of, put_in_place, root_name

log = logging.getLogger("gossamer.worker")


def roots_of(config: Config, *, with_target: bool = True) -> dict[str, str]:
    """The folders that a configuration serves, by the names in `shards.letters.handing`: the target's and
    those of its further sites, where it is one, then those that are mounted.
    """
    sites = config.web.sites.values() if with_target else ()
    mounted = [mount.target for mount in config.mount if mount.is_folder]
    folders = [config.server.target, *sites, *mounted]
    return {root_name(number): folder for number, folder in enumerate(folders) if number or with_target}


def shown(name: str, folder: str) -> str:
    """How a line names a folder."""
    return f"TARGET {folder}" if name == ROOT else f"web.sites: {folder}"


def open_root(folder: str, name: str = ROOT) -> int:
    """The document root, which workers walk beneath. Raises: CannotStartError."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise CannotStartError(
            f"{shown(name, folder)}: {error.strerror}; name a folder that you may read"
        ) from error


def follow(root_fd: int, folder: str) -> FileIdentity:
    """Have the descriptor lead where the name leads by now; while that is nowhere it stays as it is."""
    held = identity_of(root_fd)
    with suppress(OSError, CannotStartError):
        if identity_of(folder) != held:
            put_in_place(open_root(folder), root_fd)
    return identity_of(root_fd)


def require_entry(root_fd: int, name: str, folder: str) -> None:
    """Raises: ConfigError where this process may not enter the folder, so that every answer were 403."""
    try:
        os.stat(".", dir_fd=root_fd)
    except OSError as error:
        raise ConfigError(
            f"{shown(name, folder)}: the workers' user may not enter it ({error.strerror}); allow it, as by "
            "chmod o+rx, or name another user with --user"
        ) from error


def warn_of_no_entry(root_fd: int, name: str, folder: str) -> None:
    """The same, of a folder that came while we serve."""
    try:
        require_entry(root_fd, name, folder)
    except ConfigError as error:
        log.error("%s", error)
