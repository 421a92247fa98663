"""Folders, applications and native handlers in one server: each request goes to what is mounted at its path.

Owns the connections: heads are read here, and each is answered by a burst of the part that it is for, with
what this one has read and put out. A native handler gets the connection itself, with the request's bytes in
front, and has it until it returns.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from gossamer.core.clock import monotonic_us, wall_us
from gossamer.core.http.response import field_lines, head_of_lines
from gossamer.core.io.putback import PutBackStream
from gossamer.core.io.stream import Stream
from gossamer.shards.web.burst import Burst
from gossamer.shards.web.http_site import HandedOver, HttpSite, ResponseLog
from gossamer.shards.web.mounts import Mounted, MountTable, path_of
from gossamer.shards.web.options import WebOptions

Converse = Callable[[Stream], Burst]
"""Makes a burst of requests of a part that serves HTTP."""
Handle = Callable[[Any], Awaitable[object]]
"""Serves a stream."""


class Part:
    """What is mounted: one of the two."""

    __slots__ = ("converse", "handle", "is_folder")

    def __init__(
        self, converse: Converse | None, handle: Handle | None = None, *, is_folder: bool = False
    ) -> None:
        self.converse = converse
        self.handle = handle
        self.is_folder = is_folder


class MountLog:
    """The access log of a part: its lines have what was asked, where the part knows the path beneath."""

    def __init__(self, log: ResponseLog, path: str) -> None:
        self._log = log
        self._path = path.encode("utf-8")

    def __call__(
        self, stream: Stream, head: bytes, status: int, body_bytes: int, duration_us: int = 0, user: str = ""
    ) -> None:
        """See `ResponseLog`."""
        begin, end = path_of(head)
        whole = head[:begin] + self._path + head[begin:] if end else head
        self._log(stream, whole, status, body_bytes, duration_us, user)


class MountedSite(HttpSite):
    """All parts of a server; its own counters are of what came to none of them: requests that were refused,
    and moved ones. Bounds: those of WebOptions and of the parts."""

    def __init__(
        self,
        root: Part,
        mounts: Mapping[str, Part],
        options: WebOptions,
        *,
        cuts: Sequence[type[Exception]] = (),
        access_log: ResponseLog | None = None,
    ) -> None:
        """`cuts` are what parts raise where an answer has begun and cannot be completed."""
        super().__init__(options, monotonic_us, wall_us, access_log)
        self.table = MountTable(root, mounts)
        self.cuts = tuple(cuts)

    def burst_of(self, stream: Stream, _asker: None) -> "MountedConversation":
        """What answers a burst of requests, each by its own part."""
        return MountedConversation(self, stream)


class MountedConversation(Burst):
    """One burst, each request by its own part. Bounds: those of a `Burst`."""

    __slots__ = ()

    site: MountedSite

    async def exchange(self, head: bytes) -> bool:
        """Have the part answer that the request is for; whether another may follow."""
        found = self.site.table.find(head)
        part = found.part
        if part.handle is not None:
            await self.flush()
            raise HandedOver(partial(part.handle, PutBackStream(self.stream, found.head + self.unread)))
        if found.is_bare and part.is_folder and head.startswith((b"GET ", b"HEAD ")):
            return self._move(found, head)
        assert part.converse is not None
        burst = part.converse(self.stream)
        burst.opened_inbox, burst.outbox, burst.outbox_bytes = (
            self.opened_inbox,
            self.outbox,
            self.outbox_bytes,
        )
        burst.began = self.began
        try:
            return await burst.exchange(found.head)
        finally:
            self.opened_inbox, self.outbox_bytes = burst.opened_inbox, burst.outbox_bytes
            self.is_refused |= burst.is_refused

    def _move(self, found: Mounted[Part], head: bytes) -> bool:
        """Send whoever asks for a folder without its slash to where what it links to is found."""
        _, end = path_of(head)
        query = head[end : head.find(b" ", end)].decode("latin-1")
        setting = self.site.setting()
        request = self.site.parse(head)
        keep_alive = getattr(request, "keep_alive", False) and not setting.is_draining
        fields = [("Location", f"{found.path}/{query}"), ("Content-Length", "0")]
        fields += [] if keep_alive else [("Connection", "close")]
        self.post(head_of_lines(308, setting.lines + field_lines(fields)))
        self.site.note(self.stream, head, 308, 0, self.site.clock())
        return keep_alive and not getattr(request, "has_body", True)
