"""The straight way: a plain GET of a small file, by a client that has said the rest before.

That is most of the requests to a site whose files are too many for memory. It takes the same steps as a
`conversation`, from the same parts, in one function: no record of the request, no choice of the answer, which
is 200 with all of the file. Wherever something is out of the ordinary (a file that is not there, is not
small, or has changed while it was read) it leaves the request to the conversation, before any of it is
answered.

Rule 1: whatever is answered here, the conversation would have answered by the same bytes.
`tests/shards/web/test_straight.py` holds the two equal.
"""

from typing import Protocol

from gossamer.core.errors import BoundExceeded
from gossamer.core.http.request import PlainGet
from gossamer.core.io.stream import Stream
from gossamer.shards.web.answer import plain_head
from gossamer.shards.web.cache import CachedFile
from gossamer.shards.web.content import Library
from gossamer.shards.web.conversation import Conversation, Site
from gossamer.shards.web.files import OpenFile
from gossamer.shards.web.hosts import Hosts
from gossamer.shards.web.responder import Responder
from gossamer.shards.web.variants import StreamedFile


class StraightSite(Site, Protocol):
    """What it asks of the site."""

    hosts: Hosts[Responder]


async def answer_straight(site: StraightSite, stream: Stream, head: bytes, plain: PlainGet) -> bool:
    """Answer a plain GET; whether the connection lives on. Raises: OSError, PeerLeftError."""
    began_us = site.clock()
    name, section = plain
    library = site.hosts.find(section.host).library
    entry = await find_small(library, name, began_us)
    if entry is not None and library.variants is not None:
        entry = await small_coding(library, name, entry, section.table.get("accept-encoding"))
    setting = site.setting()
    if entry is None or setting.is_draining:
        return await Conversation(site, stream).run(head)
    response = plain_head(entry.facts, setting) + entry.body
    site.note(stream, head, 200, entry.facts.size, began_us)
    site.keep_hot(head, response, 200, entry.facts.size)
    await stream.send(response, site.options.write_timeout_us)
    site.times.record_since(began_us)
    return not site.is_draining


async def find_small(library: Library, name: str, now_us: int) -> CachedFile | None:
    """The file of that name, kept or read now; None where there is more to be thought of."""
    entry = library.cache.get(name)
    if entry is not None:
        return library.hit(entry) if library.is_fresh(entry, now_us) else None
    try:
        file = library.files.open_cached(name)
        if file is None:
            return None
        try:
            found = await read_small(library, name, file, now_us)
        finally:
            file.close()
    except (OSError, BoundExceeded):
        return None
    return found if isinstance(found, CachedFile) else None


async def small_coding(
    library: Library, name: str, entry: CachedFile, accepted: str | None
) -> CachedFile | None:
    """The file in a coding of those that are accepted; None where that is not small."""
    found = await library.coded(name, entry, accepted)
    if isinstance(found, StreamedFile):
        found.file.close()
    return found if isinstance(found, CachedFile) else None


async def read_small(library: Library, name: str, file: OpenFile, now_us: int) -> CachedFile | int | None:
    """What an open file holds, if it is a file and small. Raises: OSError."""
    status = file.status
    if not status.is_file or status.size_bytes > library.options.cache_file_bytes_max:
        return None
    return await library.load(name, file, library.facts_of(name, status), now_us)
