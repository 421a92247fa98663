"""The codings of a file: one that lies beside it, compressed before, or one that is made here and kept.

Owns which of them answers a request. Each is a representation of its own: it has its own entity tag, ranges
are ranges of it, and a date alone tells none of them apart. What is made here is made in the pool, of files
that fit the cache, once for each state of a file; who asks meanwhile gets the file as it is.

Source: RFC 9110 8.4, 8.8.3, 12.5.3, 12.5.5.
"""

from typing import Final, Protocol

import msgspec

from gossamer.core.errors import BoundExceeded
from gossamer.core.http.codings import wanted_codings
from gossamer.core.http.media_types import is_compressible
from gossamer.core.io.file import FileStatus
from gossamer.core.threads.calls import sys_blio
from gossamer.shards.web.answer import FileFacts, coded_facts, varying_facts
from gossamer.shards.web.cache import Cache, CachedFile
from gossamer.shards.web.encoders import EXTENSIONS, encoders
from gossamer.shards.web.files import OpenFile
from gossamer.shards.web.options import WebOptions

BEING_MADE_MAX: Final = 4
"""Bodies that a worker compresses at once; who asks for more gets files as they are."""


class StreamedFile(msgspec.Struct, frozen=True):
    """A file too large for the cache; whoever gets it closes it."""

    facts: FileFacts
    file: OpenFile
    name: str
    """As `shards.web.file_names` has it."""


ServedFile = CachedFile | StreamedFile


class Shelf(Protocol):
    """What is asked of the library."""

    cache: Cache

    async def look_up(self, name: str) -> ServedFile | int | None:
        """The file of that name; None when it is a folder. Raises: OSError."""

    def is_settled(self, status: FileStatus) -> bool:
        """Whether a file that is so cannot change without its status changing."""


def facts_among_codings(facts: FileFacts) -> FileFacts:
    """What is said of a file of which there may be codings."""
    return varying_facts(facts) if is_compressible(facts.media_type) else facts


class Variants:
    """Bounds: BEING_MADE_MAX; what is kept counts for the cache."""

    def __init__(self, shelf: Shelf, options: WebOptions) -> None:
        self.has_files = options.precompressed
        self.encoders = encoders() if options.compress else {}
        self.offered = tuple(EXTENSIONS) if self.has_files else tuple(self.encoders)
        self.bytes_min = options.compress_min_bytes
        self.shelf = shelf
        self.being_made: set[str] = set()

    async def choose(self, name: str, found: ServedFile, accepted: str | None) -> ServedFile:
        """The file, or the coding of it that the client wants most of those that there are."""
        if not found.facts.varies:
            return found
        for coding in wanted_codings(accepted, self.offered):
            variant = await self.made_before(name, found, coding) or await self.made_here(name, found, coding)
            if variant is not None:
                if isinstance(found, StreamedFile):
                    found.file.close()
                return variant
        return found

    async def made_before(self, name: str, found: ServedFile, coding: str) -> ServedFile | None:
        """What lies beside the file, unless it is older: then it was made of something else."""
        if not self.has_files:
            return None
        try:
            variant = await self.shelf.look_up(name + EXTENSIONS[coding])
        except (OSError, BoundExceeded):
            return None
        if variant is None or isinstance(variant, int):
            return None
        if status_of_file(variant).mtime_ns < status_of_file(found).mtime_ns:
            if isinstance(variant, StreamedFile):
                variant.file.close()
            return None
        etag = variant.facts.validators.etag
        return with_facts(variant, coded_facts(found.facts, coding, variant.facts.size, etag))

    async def made_here(self, name: str, found: ServedFile, coding: str) -> CachedFile | None:
        """What is kept of this state of the file, or made now; None where neither can be or saves."""
        if (
            coding not in self.encoders
            or isinstance(found, StreamedFile)
            or found.facts.size < self.bytes_min
        ):
            return None
        key = f"{name}\0{coding}"
        kept = self.shelf.cache.get(key)
        if kept is None or kept.status != found.status:
            kept = await self.make(key, found, coding)
        return kept if kept is not None and kept.facts.coding else None

    async def make(self, key: str, found: CachedFile, coding: str) -> CachedFile | None:
        """Compress it; None where too many are at it already."""
        if key in self.being_made or len(self.being_made) >= BEING_MADE_MAX:
            return None
        self.being_made.add(key)
        try:
            body = await sys_blio(self.encoders[coding], found.body)
        except BoundExceeded:
            return None
        finally:
            self.being_made.discard(key)
        facts = coded_facts(found.facts, coding, len(body), found.facts.validators.etag)
        made = CachedFile(facts, found.status, body, found.checked_us)
        if len(body) >= len(found.body):
            # Kept as well, so that nobody tries again.
            made = CachedFile(found.facts, found.status, b"", found.checked_us)
        if self.shelf.is_settled(found.status):
            self.shelf.cache.put(key, made)
        return made


def status_of_file(served: ServedFile) -> FileStatus:
    """What the file was when it was opened."""
    return served.file.status if isinstance(served, StreamedFile) else served.status


def with_facts(served: ServedFile, facts: FileFacts) -> ServedFile:
    """The same bytes, of which something else is said."""
    if isinstance(served, StreamedFile):
        return StreamedFile(facts, served.file, served.name)
    return CachedFile(facts, served.status, served.body, served.checked_us)
