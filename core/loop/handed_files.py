"""Files that came from another process, before the connections that need them.

Owns their descriptors here, by what they hold (`core.loop.continuing`), until whoever sends connections says
that none comes any more. Bounds: FILES_MAX of `shards.moving.given_files` for each who sends.
"""

import os
from collections.abc import Iterable

from gossamer.core.loop.continuing import Identity, NamedFile, OpenNamed


class HandedFiles:
    """What has come."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held: dict[Identity, int] = {}

    def take(self, named: NamedFile, fd: int) -> None:
        """Have a file that connections need which come from now on; the descriptor is ours."""
        held_fd = self._held.setdefault(named.identity, fd)
        if held_fd != fd:
            os.close(fd)

    def forget(self, identities: Iterable[Identity]) -> None:
        """No connection comes any more that needs these."""
        for identity in identities:
            fd = self._held.pop(identity, None)
            if fd is not None:
                os.close(fd)

    def open(self, named: NamedFile, otherwise: OpenNamed) -> int:
        """A file's descriptor, which is the caller's; `otherwise` opens one that has not come. Raises:
        CannotGoOnError; OSError where no descriptor is left.
        """
        fd = self._held.get(named.identity)
        return otherwise(named) if fd is None else os.dup(fd)
