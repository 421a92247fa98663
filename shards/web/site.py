"""The static web site: what is kept of its answers, and which of them needs no conversation.

Owns what is hot, and the counters of the site. The hot path, in `HttpSite.serve`, is one look-up: the bytes
of a request that was answered within this second map to the bytes of its whole response. `conversation` does
everything else. A response may be kept by the bytes of its request because a request without a body is its
head, and the answer is a function of head, file and second; whatever is kept is dropped when the second is
over.
"""

import os
from collections.abc import Awaitable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from gossamer.core.clock import Clock, monotonic_us, wall_us
from gossamer.core.http.memo import MEMO_KEY_BYTES_MAX
from gossamer.core.http.ranges import ByteRange
from gossamer.core.http.request import Request
from gossamer.core.io.file import FileIO
from gossamer.core.io.stream import Stream
from gossamer.core.loop.continuing import Continuing, NamedFile, OpenNamed, Saved, Unsent, is_same
from gossamer.shards.web.answer import Answer
from gossamer.shards.web.cache import Cache, CachePart, FileCache
from gossamer.shards.web.content import Library
from gossamer.shards.web.conversation import Conversation
from gossamer.shards.web.file_names import FileNames, identity_of
from gossamer.shards.web.files import Files
from gossamer.shards.web.guard import Guard
from gossamer.shards.web.hosts import Hosts
from gossamer.shards.web.http_site import HttpSite, ResponseLog
from gossamer.shards.web.options import DEFAULT_OPTIONS, WebOptions
from gossamer.shards.web.responder import Responder
from gossamer.shards.web.straight import answer_straight
from gossamer.shards.web.streaming import StreamedAnswer
from gossamer.shards.web.unfinished import UnfinishedAnswer, octets_of, unfinished_of
from gossamer.shards.web.variants import StreamedFile

NO_SITES: Final[Mapping[str, int]] = MappingProxyType({})


class StaticSite(HttpSite):
    """The files beneath a folder, served; beneath others for hosts that have sites of their own.

    Bounds: all in WebOptions.
    """

    def __init__(
        self,
        root: int,
        options: WebOptions = DEFAULT_OPTIONS,
        *,
        sites: Mapping[str, int] = NO_SITES,
        files: Files | None = None,
        clock: Clock = monotonic_us,
        wall: Clock = wall_us,
        access_log: ResponseLog | None = None,
        root_path: str = "",
    ) -> None:
        """`root_path` is where the site stands, taken off each target already."""
        super().__init__(options, clock, wall, access_log)
        self.root_path = root_path
        self.guard = Guard(options.auth) if options.auth else None
        self.has_hints = bool(options.early_hints)
        self.cache = FileCache(options.cache_bytes_max, options.cache_entries_max)
        folders = {"": files or self.files_of(root)}
        folders |= {host: self.files_of(folder) for host, folder in sites.items()}
        self.names = FileNames(folders)
        self.responders = [self.responder_of(folders[""], self.cache)]
        for number, host in enumerate(sites, 1):
            # No name of the first site begins so, nor any of its codings.
            part = CachePart(self.cache, f"\0{number}\0")
            self.responders.append(self.responder_of(folders[host], part, host))
        self.hosts = Hosts(self.responders[0], dict(zip(sites, self.responders[1:], strict=True)))
        self.is_straight = self.responders[0].is_plain and self.rates is None
        self.streaming: dict[Stream, Conversation] = {}
        self.continuing = Continuing(
            self.save, self.restore, self.leave_off, self.names.name_of, self.names.open
        )
        self.hot_last: dict[bytes, bytes] = {}
        """As `hot`; whose connections end with them."""
        self.hot_bytes = 0

    def files_of(self, root: int) -> Files:
        """The files beneath a folder."""
        return FileIO(root, direct=self.options.direct_io, links=self.options.symlinks)

    def responder_of(self, files: Files, cache: Cache, host: str = "") -> Responder:
        """What answers from these files."""
        library = Library(files, self.options, self.clock, self.wall, cache, host)
        return Responder(library, self.options, self.guard)

    # Answers that go on in another process.

    def save(self, stream: Stream, unsent: Unsent) -> Saved | None:
        """What is left of a large answer, and of what was asked behind it; None for any other. See
        `Continuing`.
        """
        conversation = self.streaming.get(stream)
        if conversation is None or conversation.streamed is None:
            return None
        streamed = conversation.streamed
        identity = identity_of(streamed.file.status)
        if not is_same(identity, os.fstat(streamed.file.fd)):
            return None  # It has changed since, and goes on being sent from here alone.
        if not isinstance(unsent, bytes):
            unsent_part: bytes | ByteRange = ByteRange(unsent.offset, unsent.offset + unsent.length)
        else:
            unsent_part = b"".join((unsent, *conversation.outbox))
        named = NamedFile(streamed.name, identity)
        unfinished = UnfinishedAnswer(
            named, streamed.left(unsent_part), streamed.keep_alive, conversation.unread, streamed.noted
        )
        return Saved(octets_of(unfinished), ((named, streamed.file.fd),))

    def leave_off(self, stream: Stream) -> None:
        """It goes on elsewhere, and is counted and logged there."""
        self.streaming.pop(stream, None)

    def restore(self, stream: Stream, state: bytes, open_named: OpenNamed) -> Coroutine[Any, Any, None]:
        """The thread that goes on with what was saved. Raises: CannotGoOnError."""
        unfinished = unfinished_of(state)
        file = self.names.adopt(open_named(unfinished.file), unfinished.file)
        streamed = StreamedAnswer(
            *(file, unfinished.file.name, unfinished.parts, unfinished.noted),
            keep_alive=unfinished.keep_alive,
        )
        return self.go_on(stream, streamed, unfinished.unread)

    async def go_on(self, stream: Stream, streamed: StreamedAnswer, unread: bytes) -> None:
        """Go on with an answer that began elsewhere, then serve the connection as any other."""
        try:
            if not await Conversation(self, stream).go_on(streamed, unread):
                await stream.close()
                return
        except Exception as error:  # noqa: BLE001 - whatever is a fault of ours goes on
            await self.end_by(stream, error)
            return
        await self.serve(stream)

    def converse(self, stream: Stream, data: bytes, asker: None) -> Awaitable[bool | None]:
        """Answer what is not one hot request whose connection lives on."""
        if data in self.hot_last and self.rates is None and not self.is_draining:
            return self.answer_last(stream, data)
        plain = self.parse.plain_get(data)
        if plain is not None and not self.is_draining and self.is_straight:
            return answer_straight(self, stream, data, plain)
        return super().converse(stream, data, asker)

    def burst_of(self, stream: Stream, _asker: None) -> Conversation:
        """What answers a burst of requests."""
        return Conversation(self, stream)

    async def answer_last(self, stream: Stream, head: bytes) -> bool:
        """Answer a hot request whose connection ends with that."""
        began_us = self.clock()
        response = self.take_hot(stream, head)
        if response is None:
            return await Conversation(self, stream).run(head)
        await stream.send_last(response, self.options.write_timeout_us)
        self.times.record_since(began_us)
        return False

    def forget(self) -> None:
        """The folder is another one: keep nothing of the one before."""
        self.cache.clear()
        for responder in self.responders:
            responder.forget()
        self.begin_second(0)

    def begin_second(self, fresh_until_us: int) -> None:
        """A new Date, and nothing is hot."""
        super().begin_second(fresh_until_us)
        self.common = msgspec.structs.replace(
            self.common, pages=self.responders[0].pages, root_path=self.root_path
        )
        self.hot.clear()
        self.hot_facts.clear()
        self.hot_last.clear()
        self.hot_bytes = 0

    async def answer(self, request: Request) -> tuple[Answer, bytes | StreamedFile]:
        """The answer, and what its ranges are taken from."""
        return await self.hosts.find(request.host).respond(request, self.setting())

    def early_hints(self, request: Request) -> bytes:
        """What can be said before the answer is known."""
        return self.hosts.find(request.host).early_hints(request)

    def keep_hot(
        self,
        head: bytes,
        response: bytes,
        status: int,
        body_bytes: int,
        *,
        is_last: bool = False,
        user: str = "",
    ) -> None:
        """Remember a whole response for the rest of this second."""
        weight_bytes = len(head) + len(response)
        if len(head) > MEMO_KEY_BYTES_MAX or self.hot_bytes + weight_bytes > self.options.hot_bytes_max:
            return
        (self.hot_last if is_last else self.hot)[head] = response
        self.hot_facts[head] = (status, body_bytes, 0, user)
        self.hot_bytes += weight_bytes

    def take_hot(self, stream: Stream, head: bytes) -> bytes | None:
        """The whole response to these bytes, if it is known within this second; counted and logged."""
        self.refresh()
        response = self.hot.get(head) or self.hot_last.get(head)
        if response is not None:
            self.times.hits_total += 1
            if self.access_log is not None:
                self.access_log(stream, head, *self.hot_facts[head])
        return response

    def is_last(self, head: bytes) -> bool:
        """Whether the connection ends with the hot response to these bytes."""
        return head in self.hot_last

    def statistics(self) -> dict[str, int]:
        """Counters since the start, and gauges of the cache."""
        hits_total = sum(responder.library.hits_total for responder in self.responders)
        misses_total = sum(responder.library.misses_total for responder in self.responders)
        return {
            **super().statistics(),
            "hot_hits_total": self.times.hits_total,
            "cache_hits_total": self.times.hits_total + hits_total,
            "cache_misses_total": misses_total,
            "cache_entries": len(self.cache.entries),
            "cache_bytes": self.cache.bytes_total,
        }
