"""The names of the files that a site sends, by which another process finds the same.

    "HOST/path/below/its/folder"; the target's own folder has no HOST

Owns which name belongs to which contents of a file, and the opening by such a name: never of another file,
nor of other contents. Bounds: NAMES_MAX, those of the files that were sent last.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from gossamer.core.io.file import FileStatus
from gossamer.core.loop.continuing import CannotGoOnError, Identity, NamedFile, is_same
from gossamer.shards.web.files import Files, OpenFile

NAMES_MAX: Final = 4096


def identity_of(status: FileStatus) -> Identity:
    """Which contents of which file have this status."""
    return status.device, status.inode, status.size_bytes, status.mtime_ns, status.ctime_ns


class FileNames:
    """Names of the files beneath some folders."""

    def __init__(self, folders: Mapping[str, Files]) -> None:
        """`folders` are by the hosts that they are for, the target's by ""."""
        self.folders = folders
        self.names: OrderedDict[Identity, str] = OrderedDict()

    def remember(self, status: FileStatus, name: str) -> None:
        """A file of that name is sent."""
        identity = identity_of(status)
        self.names[identity] = name
        self.names.move_to_end(identity)
        if len(self.names) > NAMES_MAX:
            self.names.popitem(last=False)

    def name_of(self, identity: Identity) -> str:
        """What a file is called; "" where that was long ago."""
        return self.names.get(identity, "")

    def open(self, named: NamedFile) -> int:
        """The descriptor of a file, if it is the same; whoever gets it closes it. Raises: CannotGoOnError."""
        host, _, path = named.name.partition("/")
        files = self.folders.get(host)
        if files is None or not path:
            raise CannotGoOnError(f"no folder has {named.name!r}")
        try:
            file = files.open_cached(path) or files.open_now(path)
            try:
                require_same(file, named)
                return os.dup(file.fd)
            finally:
                file.close()
        except (OSError, ValueError) as error:
            raise CannotGoOnError(f"{named.name!r} cannot be opened: {error}") from error

    def adopt(self, fd: int, named: NamedFile) -> OpenFile:
        """A file of which a descriptor is there, which it owns then. Raises: CannotGoOnError unless it is the
        same."""
        host, _, path = named.name.partition("/")
        files = self.folders.get(host, self.folders[""])
        try:
            file = files.adopt(fd, path)
        except OSError as error:
            raise CannotGoOnError(f"{named.name!r} cannot be sent: {error.strerror}") from error
        try:
            require_same(file, named)
        except CannotGoOnError:
            file.close()
            raise
        return file


def require_same(file: OpenFile, named: NamedFile) -> None:
    """Raises: CannotGoOnError where an open file is another than the one that is meant."""
    if not is_same(named.identity, os.fstat(file.fd)):
        raise CannotGoOnError(f"{named.name!r} has changed")
