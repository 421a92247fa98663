"""What a server serves and logs to, open: the folders of its sites, the file of its access log.

Owns what a TARGET may be, and these descriptors. A configuration has its own, so that a reload can be undone.
"""

import contextlib
import os
from pathlib import Path
from typing import Literal

import msgspec

from gossamer.core.tls.terms import ServedCertificates
from gossamer.shards.configuration.config import Config
from gossamer.shards.exitcode import ConfigError
from gossamer.shards.letters.handing import LOG, ROOT, put_in_place
from gossamer.shards.letters.workerplan import NO_DESCRIPTOR, Descriptors
from gossamer.shards.log.log_file import is_file, open_log
from gossamer.shards.opening.root import follow, open_root, roots_of
from gossamer.shards.web.application_name import is_application_name
from gossamer.shards.web.passwords import PasswordFileError, require_passwords


def target_kind(target: str) -> Literal["folder", "handler"]:
    """What a TARGET is. Raises: ConfigError."""
    try:
        is_folder = bool(target) and Path(target).is_dir()
    except PermissionError as error:
        raise ConfigError(f"TARGET: found {target!r}; allowed: a folder that you may read") from error
    if is_folder:
        return "folder"
    if is_application_name(target):
        return "handler"
    raise ConfigError(f"TARGET: found {target!r}; allowed: a folder that exists, or module:attribute")


def check_files(config: Config) -> None:
    """Raises: ConfigError where a folder of [web] or a [[mount]] is none, or a file of passwords cannot be
    used.
    """
    for folder in config.web.sites.values():
        if not folder or not os.path.isdir(folder):
            raise ConfigError(f"web.sites: found {folder!r}; allowed: a folder that exists")
    for mount in config.mount:
        if mount.is_folder and not os.path.isdir(mount.target):
            raise ConfigError(
                f"mount {mount.path}: target: found {mount.target!r}; allowed: a folder that exists, "
                "or module:attribute"
            )
    try:
        require_passwords(config.web.auth)
    except PasswordFileError as error:
        raise ConfigError(f"web.auth: {error}") from error
    certificates_of(config)


def certificates_of(config: Config) -> ServedCertificates | None:
    """What [tls] names, as it is now; None without it. Raises: ConfigError."""
    if not config.tls.is_on:
        return None
    # OpenSSL takes a good part of a start, and is of use to TLS alone.
    from gossamer.shards.opening.certificates import protocols, read_certificates

    return read_certificates(config.tls, protocols(config))


class Content(contextlib.ExitStack):
    """A configuration with the folders that it serves and the file that it logs to, open. Closing it closes
    them; workers have descriptors of their own.
    """

    def __init__(self, config: Config) -> None:
        """Raises: ConfigError, CannotStartError."""
        super().__init__()
        self.config = config
        self.held: dict[str, int] = {}
        """The descriptors by the names in `shards.letters.handing`."""
        self._folders = roots_of(config, with_target=target_kind(config.server.target) == "folder")
        check_files(config)
        self.certificates = certificates_of(config)
        """As they were when this was made, keys included; None where connections are plain."""
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            for name, folder in self._folders.items():
                self._hold(name, open_root(folder, name))
            if self._folders and config.log.access_log and config.log.access_log_file:
                self._hold(LOG, open_log(config.log.access_log_file))
            undo.pop_all()

    def _hold(self, name: str, fd: int) -> None:
        self.held[name] = fd
        self.callback(os.close, fd)

    def follow(self) -> None:
        """Have the folders lead where their names lead by now."""
        for name, folder in self._folders.items():
            follow(self.held[name], folder)

    def reopen_log(self) -> bool:
        """Open the log file again, which may have been moved; whether there is one. Raises: ConfigError."""
        place = self.config.log.access_log_file
        if LOG not in self.held or not is_file(place):
            return False
        put_in_place(open_log(place), self.held[LOG])
        return True

    def descriptors(self, opened: Descriptors) -> Descriptors:
        """The same descriptors with those that are held here."""
        return msgspec.structs.replace(
            opened,
            root=self.held.get(ROOT, NO_DESCRIPTOR),
            sites=tuple(fd for name, fd in self.held.items() if name not in (ROOT, LOG)),
            access_log=self.held.get(LOG, NO_DESCRIPTOR),
        )


class Contents:
    """The content that the workers to come have, and while that has not proved itself, the one before."""

    def __init__(self, config: Config) -> None:
        """Raises: ConfigError, CannotStartError."""
        self.present = Content(config)
        self._previous: Content | None = None

    def change(self, config: Config) -> None:
        """Have the workers to come run with another configuration; the present one can still be returned to.

        Raises: ConfigError, CannotStartError; then nothing has changed.
        """
        content = Content(config)
        self.settle()
        self._previous, self.present = self.present, content

    def revert(self) -> None:
        """Return to the configuration before the last change, unless that was settled."""
        if self._previous is not None:
            self.present.close()
            self.present, self._previous = self._previous, None

    def settle(self) -> None:
        """The last change has proved itself: there is no way back."""
        if self._previous is not None:
            self._previous.close()
            self._previous = None

    def close(self) -> None:
        """Close all of it."""
        self.present.close()
        self.settle()
