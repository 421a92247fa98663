"""The files that go over a link: each once, before the first connection that needs it.

Owns a descriptor of each that has gone, for connections that come back. Bounds: FILES_MAX over one link.
"""

import logging
import os
from typing import Final

from gossamer.core.loop.continuing import Identity, NamedFile
from gossamer.core.loop.handed_files import HandedFiles
from gossamer.shards.moving.link import FileComes, WorkerLink

log = logging.getLogger("gossamer.worker")

FILES_MAX: Final = 256
"""Files that go over one link; connections that need further ones find them by their names."""


class GivenFiles:
    """Those of one link."""

    def __init__(self, link: WorkerLink) -> None:
        self._link = link
        self._given: dict[Identity, tuple[NamedFile, int]] = {}

    def announce(self, named: NamedFile, fd: int) -> None:
        """Send a file, unless it has gone already; the descriptor stays the caller's."""
        if named.identity in self._given or len(self._given) >= FILES_MAX:
            return
        try:
            kept_fd, going_fd = os.dup(fd), os.dup(fd)
        except OSError as error:
            log.warning("%r goes by its name alone: %s", named.name, error.strerror)
            return
        self._given[named.identity] = named, kept_fd
        self._link.post(FileComes(named.name, named.identity), going_fd)

    def come_back(self, handed: HandedFiles) -> None:
        """Connections come back that need these, until `handed` is told to forget them."""
        for named, fd in self._given.values():
            handed.take(named, os.dup(fd))

    def are_back(self, handed: HandedFiles) -> None:
        """They have come."""
        handed.forget(self._given)

    def close(self) -> None:
        """Nothing goes over the link any more; twice is harmless."""
        while self._given:
            os.close(self._given.popitem()[1][1])
