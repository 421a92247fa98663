"""The cache of small files: bounded in bytes and entries, least recently used out first.

Owns the bound and the order; it never looks at the disk. Whether an entry is still what the disk holds is for
`content` to find out.
"""

from collections import OrderedDict
from dataclasses import dataclass

from gossamer.core.io.file import FileStatus
from gossamer.shards.web.answer import FileFacts


@dataclass(slots=True)
class CachedFile:
    """A file's body and what is said about it."""

    facts: FileFacts
    status: FileStatus
    body: bytes
    checked_us: int
    """When it was last found to be what the disk holds."""


class FileCache:
    """name -> CachedFile.

    Bounds: bytes_max of bodies, entries_max of entries.
    """

    __slots__ = ("bytes_max", "bytes_total", "entries", "entries_max")

    def __init__(self, bytes_max: int, entries_max: int) -> None:
        self.bytes_max = bytes_max
        self.entries_max = entries_max
        self.bytes_total = 0
        # Not a dict: finding its first entry walks over all that were deleted before it.
        self.entries: OrderedDict[str, CachedFile] = OrderedDict()

    def get(self, name: str) -> CachedFile | None:
        """The entry, which is now the last to go."""
        entry = self.entries.get(name)
        if entry is not None:
            self.entries.move_to_end(name)
        return entry

    def put(self, name: str, entry: CachedFile) -> None:
        """Keep it, if it fits at all; what was used longest ago makes room."""
        self.drop(name)
        if len(entry.body) > self.bytes_max:
            return
        entries = self.entries
        entries[name] = entry
        self.bytes_total += len(entry.body)
        while self.bytes_total > self.bytes_max or len(entries) > self.entries_max:
            _, oldest = entries.popitem(last=False)
            self.bytes_total -= len(oldest.body)

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.bytes_total = 0

    def drop(self, name: str) -> None:
        """Forget it."""
        entry = self.entries.pop(name, None)
        if entry is not None:
            self.bytes_total -= len(entry.body)


class CachePart:
    """One site's part of a cache that several have: the same bounds hold for all of them together."""

    __slots__ = ("cache", "prefix")

    def __init__(self, cache: FileCache, prefix: str) -> None:
        self.cache = cache
        self.prefix = prefix

    def get(self, name: str) -> CachedFile | None:
        """As of the whole."""
        return self.cache.get(self.prefix + name)

    def put(self, name: str, entry: CachedFile) -> None:
        """As of the whole."""
        self.cache.put(self.prefix + name, entry)

    def drop(self, name: str) -> None:
        """As of the whole."""
        self.cache.drop(self.prefix + name)


Cache = FileCache | CachePart
