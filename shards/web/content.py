"""The content of a site: names to files, through the cache.

Owns how a name is looked up on disk (index file, folder, redirect), when a cached file is compared with the
disk, and which status an OSError means. It knows no connection.
"""

import errno
from collections.abc import Sequence
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US, Clock
from gossamer.core.errors import BoundExceeded
from gossamer.core.http.media_types import media_type
from gossamer.core.io.file import FileStatus
from gossamer.shards.web.answer import FileFacts, file_facts
from gossamer.shards.web.cache import Cache, CachedFile
from gossamer.shards.web.files import Files, OpenFile
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.paths import SitePath, quoted_path, quoted_query
from gossamer.shards.web.variants import ServedFile, StreamedFile, Variants, facts_among_codings

READ_BYTES_MAX: Final = 256 * 1024
"""Asked of the file layer at a time."""

UNSETTLED_US: Final = 50_000
"""A file changed so recently may be changed again without its times changing (the kernel's clock tick): not
cached.
"""

STATUS_OF_ERRNO: Final = {
    errno.ENOENT: 404,
    errno.ENOTDIR: 404,
    errno.ENAMETOOLONG: 404,
    errno.ELOOP: 404,
    errno.EXDEV: 404,
    errno.EINVAL: 404,
    errno.ENXIO: 404,
    errno.EACCES: 403,
    errno.EPERM: 403,
    errno.EMFILE: 503,
    errno.ENFILE: 503,
    errno.ENOMEM: 503,
    errno.EAGAIN: 503,
}
"""Any other error of the disk is 500."""


HTML_ENDING: Final = ".html"


class Folder(msgspec.Struct, frozen=True):
    """A folder without an index file, to be listed; whoever gets it closes it."""

    name: str
    file: OpenFile


class Moved(msgspec.Struct, frozen=True):
    """It is asked for in another way: a folder without its slash, a page with its ending."""

    target: str


Content = CachedFile | StreamedFile | Folder | Moved | int
"""What a name stands for; an int is the status of an error."""


class Library:
    """All that a site can serve."""

    def __init__(
        self, files: Files, options: WebOptions, clock: Clock, wall: Clock, cache: Cache, host: str = ""
    ) -> None:
        self.files = files
        self.host = host
        """For which it is; "" for the target's."""
        self.options = options
        self.clock = clock
        self.wall = wall
        self.cache = cache
        self.variants = Variants(self, options) if options.precompressed or options.compress else None
        self.caching = options.caching_rules()
        self.hits_total = 0
        self.misses_total = 0

    async def find(
        self, path: SitePath, accepted: str | None = None, *, is_asked_for: bool = True
    ) -> Content:
        """What the path stands for, in a coding of those that are accepted; a client that asked for another
        path is not told the proper one of this.
        """
        try:
            if path.is_folder:
                return await self.find_folder(path, accepted)
            found = await self.find_name(path, accepted)
            if (
                not isinstance(found, CachedFile | StreamedFile)
                or not is_asked_for
                or not self.is_unclean(path)
            ):
                return found
            return discarded(found, Moved(clean_target(path, self.options.index_files)))
        except (OSError, BoundExceeded) as error:
            return status_of(error)

    async def find_name(self, path: SitePath, accepted: str | None) -> Content:
        """What a path without a slash at its end stands for. Raises: OSError."""
        name, is_clean = path.name, self.options.clean_urls
        try:
            found = await self.look_up(name)
        except FileNotFoundError:
            page = await self.page_of(name, accepted) if is_clean else None
            if page is None:
                raise
            return page
        if found is None:
            page = await self.page_of(name, accepted) if is_clean else None
            return Moved(path.folder_target) if page is None else page
        return await self.coded(name, found, accepted)

    def is_unclean(self, path: SitePath) -> bool:
        """Whether a page is asked for with the ending of its name, where it is to be without."""
        return self.options.clean_urls and path.name.endswith(HTML_ENDING)

    async def page_of(self, name: str, accepted: str | None) -> ServedFile | int | None:
        """The page that a name without its ending means; None where there is none. Raises: OSError."""
        page = await self.look_up_if_there(name + HTML_ENDING)
        return None if page is None else await self.coded(name + HTML_ENDING, page, accepted)

    async def find_folder(self, path: SitePath, accepted: str | None) -> Content:
        """What a path with a slash at its end stands for. Raises: OSError."""
        for file in self.options.index_files:
            index = f"{path.name}/{file}" if path.name else file
            found = await self.look_up_if_there(index)
            if found is not None:
                return await self.coded(index, found, accepted)
        try:
            return await self.folder(path.name)
        except FileNotFoundError:
            page = await self.look_up_if_there(path.name + HTML_ENDING) if self.options.clean_urls else None
            if page is None:
                raise
            return discarded(page, Moved(quoted_path(f"/{path.name}") + quoted_query(path.query)))

    async def look_up_if_there(self, name: str) -> CachedFile | StreamedFile | int | None:
        """The file of that name; None when there is none, or a folder. Raises: OSError."""
        try:
            return await self.look_up(name)
        except FileNotFoundError:
            return None

    async def coded(self, name: str, found: ServedFile | int, accepted: str | None) -> ServedFile | int:
        """The file, or a coding of it."""
        if self.variants is None or isinstance(found, int):
            return found
        return await self.variants.choose(name, found, accepted)

    async def look_up(self, name: str) -> CachedFile | StreamedFile | int | None:
        """The file of that name; None when it is a folder. Raises: OSError."""
        now_us = self.clock()
        entry = self.cache.get(name)
        if entry is not None and self.is_fresh(entry, now_us):
            return self.hit(entry)
        try:
            file = self.files.open_cached(name) or await self.files.open(name)
        except OSError:
            self.cache.drop(name)
            raise
        content: CachedFile | StreamedFile | int | None = None
        try:
            if entry is not None and entry.status == file.status:
                entry.checked_us = now_us
                content = self.hit(entry)
            else:
                found = self.inspect(name, file)
                if isinstance(found, FileFacts):
                    content = await self.load(name, file, found, now_us)
                else:
                    content = found
        finally:
            if not isinstance(content, StreamedFile):
                file.close()
        return content

    def hit(self, entry: CachedFile) -> CachedFile:
        """A kept file, which is counted."""
        self.hits_total += 1
        return entry

    def is_fresh(self, entry: CachedFile, now_us: int) -> bool:
        """Whether a kept file need not be compared with the disk."""
        return now_us - entry.checked_us < self.options.cache_fresh_us

    def inspect(self, name: str, file: OpenFile) -> FileFacts | StreamedFile | int | None:
        """What an open file is served as: the facts of one to be loaded; None when it is a folder."""
        status = file.status
        if not status.is_file:
            self.cache.drop(name)
            return None if status.is_directory else 403
        facts = self.facts_of(name, status)
        if facts.size > self.options.cache_file_bytes_max:
            self.cache.drop(name)
            self.misses_total += 1
            return StreamedFile(facts, file, f"{self.host}/{name}")
        return facts

    def facts_of(self, name: str, status: FileStatus) -> FileFacts:
        """What an answer says about a file."""
        kind = media_type(name, self.options.media_types)
        facts = file_facts(status, kind, self.wall() // SECOND_US, self.caching.of(name))
        return facts if self.variants is None else facts_among_codings(facts)

    async def load(self, name: str, file: OpenFile, facts: FileFacts, now_us: int) -> CachedFile | int:
        """Read a small file, and keep it. Raises: OSError."""
        self.misses_total += 1
        size = facts.size
        body = await (file.read(0, size) if 0 < size <= READ_BYTES_MAX else read_whole(file, size))
        if len(body) != facts.size:
            return 500  # It was cut while it was read: what its length is now, nobody can say.
        entry = CachedFile(facts, file.status, body, now_us)
        if self.is_settled(file.status):
            self.cache.put(name, entry)
        return entry

    def is_settled(self, status: FileStatus) -> bool:
        """Whether a file that is so cannot change without its times changing."""
        return self.wall() - max(status.mtime_ns, status.ctime_ns) // 1000 > UNSETTLED_US

    async def folder(self, name: str) -> Folder | int:
        """The folder itself, when it may be listed. Raises: OSError."""
        file = await self.files.open(name or ".")
        if file.status.is_directory and self.options.autoindex:
            return Folder(name, file)
        file.close()
        return 403 if file.status.is_directory else 404


def clean_target(path: SitePath, index_files: Sequence[str]) -> str:
    """Where a page is asked for without the ending of its name; an index file by its folder."""
    folder, _, last = path.name.rpartition("/")
    name = f"{folder}/" if last in index_files and folder else "" if last in index_files else path.name
    return quoted_path("/" + name.removesuffix(HTML_ENDING)) + quoted_query(path.query)


def discarded(found: CachedFile | StreamedFile | int, instead: Moved) -> Moved:
    """What is answered instead of a file, which is closed."""
    if isinstance(found, StreamedFile):
        found.file.close()
    return instead


def status_of(error: OSError | BoundExceeded) -> int:
    """The status that an error of the disk is answered with; a full queue in front of it is 503."""
    if isinstance(error, BoundExceeded):
        return 503
    return STATUS_OF_ERRNO.get(error.errno or 0, 500)


async def read_whole(file: OpenFile, size: int) -> bytes:
    """The first `size` bytes, fewer when the file has shrunk. Raises: OSError."""
    pieces: list[bytes] = []
    at = 0
    while at < size:
        piece = await file.read(at, min(size - at, READ_BYTES_MAX))
        if not piece:
            break
        pieces.append(piece)
        at += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
