"""What one folder answers to a request: the order in which its tables and files are asked.

    preflight, method, path, password, redirect, rewrite, file or folder, fallback

Owns that order; each step is decided elsewhere, by a pure function, and what a site does not use is not
asked. It knows no connection.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from gossamer.core.clock import SECOND_US
from gossamer.core.errors import BoundExceeded
from gossamer.core.http.request import Request
from gossamer.core.http.response import field_lines, head_of_lines
from gossamer.shards.web.answer import (
    ALLOWED_METHODS,
    Answer,
    AnswerSetting,
    Page,
    answer,
    error_answer,
    file_answer,
    page_answer,
)
from gossamer.shards.web.cache import CachedFile
from gossamer.shards.web.caching import Patterns
from gossamer.shards.web.content import Folder, Library, Moved, status_of
from gossamer.shards.web.cors import Cors, is_preflight, preflight_lines
from gossamer.shards.web.folder_page import order_of
from gossamer.shards.web.guard import Guard
from gossamer.shards.web.listing import list_folder
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.paths import SitePath, site_path
from gossamer.shards.web.routes import Redirect, path_text, redirected, redirects_of, rewrites_of, rewritten
from gossamer.shards.web.variants import StreamedFile

NO_BODY: Final = b""
CORS_METHODS: Final = (*ALLOWED_METHODS, "OPTIONS")

Response = tuple[Answer, bytes | StreamedFile]
"""An answer, and what its ranges are taken from."""


def link_lines(table: Mapping[str, list[str]]) -> Patterns[str]:
    """The Link fields by pattern of a path."""
    return Patterns(
        {pattern: field_lines([("Link", each) for each in links]) for pattern, links in table.items()}
    )


class Responder:
    """Answers from one folder."""

    def __init__(self, library: Library, options: WebOptions, guard: Guard | None = None) -> None:
        self.library = library
        self.guard = guard
        self.hints = link_lines(options.early_hints) if options.early_hints else None
        self.options = options
        self.redirects = redirects_of(options.redirects) if options.redirects else None
        self.rewrites = rewrites_of(options.rewrites) if options.rewrites else None
        self.cors = Cors(options.cors) if options.cors else None
        self.pages: dict[int, Page] = {}
        self.pages_until_us = 0
        self.is_plain = not any(
            (self.redirects, self.rewrites, self.cors, guard, self.hints, options.clean_urls)
        )
        """Whether the name in a plain GET is that of the file, which alone decides the answer."""

    async def respond(self, request: Request, setting: AnswerSetting) -> Response:
        """The answer to a request."""
        if self.options.error_pages:
            setting = msgspec.structs.replace(setting, pages=await self.fresh_pages())
        if self.cors is not None:
            lines = setting.lines + self.cors.lines(request.field("origin"))
            setting = msgspec.structs.replace(setting, lines=lines)
            if is_preflight(request):
                return answer(204, preflight_lines(request, CORS_METHODS), (), request, setting), NO_BODY
        if request.method not in ALLOWED_METHODS:
            return error_answer(405, request, setting), NO_BODY
        asked = site_path(request.target, self.options.hidden_files)
        if self.guard is None or isinstance(asked, int):
            return await self.respond_at(asked, request, setting)
        return await self.respond_guarded(self.guard, asked, request, setting)

    async def respond_guarded(
        self, guard: Guard, asked: SitePath, request: Request, setting: AnswerSetting
    ) -> Response:
        """The answer to whoever may see it: what was asked for, and what a rewrite makes of it."""
        user = ""
        routed = self.route(asked)
        for path in (asked, *([routed] if isinstance(routed, SitePath) else [])):
            part = guard.part_of(path)
            if part is None:
                continue
            try:
                found = await guard.user_of(part, request)
            except BoundExceeded:
                return error_answer(503, request, setting), NO_BODY
            if found is None:
                return error_answer(401, request, setting, [part.challenge]), NO_BODY
            user = found
        answer, source = await self.respond_at(asked, request, setting)
        return msgspec.structs.replace(answer, user=user), source

    async def respond_at(self, asked: SitePath | int, request: Request, setting: AnswerSetting) -> Response:
        """The answer for a path, or for what speaks against it."""
        path = self.route(asked)
        if isinstance(path, Redirect):
            return error_answer(path.status, request, setting, [("Location", path.location)]), NO_BODY
        if isinstance(path, int):
            return error_answer(path, request, setting), NO_BODY
        return await self.respond_with(path, request, setting, is_asked_for=path is asked)

    def route(self, path: SitePath | int) -> SitePath | Redirect | int:
        """Where the tables have a path lead."""
        if isinstance(path, int):
            return path
        redirect = redirected(path, self.redirects) if self.redirects is not None else None
        if redirect is not None:
            return redirect
        return path if self.rewrites is None else rewritten(path, self.rewrites, self.options.hidden_files)

    async def respond_with(
        self, path: SitePath, request: Request, setting: AnswerSetting, *, is_asked_for: bool
    ) -> Response:
        """The answer with what a path stands for."""
        accepted = request.field("accept-encoding")
        content = await self.library.find(path, accepted, is_asked_for=is_asked_for)
        if content == 404 and self.options.fallback and "." not in path.name.rpartition("/")[2]:
            fallback = SitePath(self.options.fallback, False, "")
            content = await self.library.find(fallback, accepted, is_asked_for=False)
        if isinstance(content, int):
            return error_answer(content, request, setting), NO_BODY
        if isinstance(content, Moved):
            return error_answer(
                301, request, setting, [("Location", setting.root_path + content.target)]
            ), NO_BODY
        if isinstance(content, Folder):
            return await self.list_of(content, path, request, setting), NO_BODY
        if self.hints is not None:
            setting = msgspec.structs.replace(setting, lines=setting.lines + self.hints_of(path))
        source = content if isinstance(content, StreamedFile) else content.body
        return file_answer(request, content.facts, setting), source

    def hints_of(self, path: SitePath) -> str:
        """The Link fields of a path."""
        return (self.hints.find(path_text(path)[1:]) or "") if self.hints is not None else ""

    def early_hints(self, request: Request) -> bytes:
        """What is said before the answer to a navigation is known; nothing of what asks for a password.

        RFC 8297 3: clients that do not know it may take it for the answer; browsers that navigate do, and say
        that they do so (the Fetch Metadata standard).
        """
        if request.minor == 0 or request.method != "GET" or request.field("sec-fetch-mode") != "navigate":
            return NO_BODY
        path = site_path(request.target, self.options.hidden_files)
        if isinstance(path, int) or (self.guard is not None and self.guard.part_of(path) is not None):
            return NO_BODY
        lines = self.hints_of(path)
        return head_of_lines(103, lines) if lines else NO_BODY

    async def list_of(
        self, folder: Folder, path: SitePath, request: Request, setting: AnswerSetting
    ) -> Answer:
        """The list of a folder."""
        try:
            page = await list_folder(folder, self.library.files, self.options, order_of(path.query))
        except (OSError, BoundExceeded) as error:
            return error_answer(status_of(error), request, setting)
        return page_answer(page, request, setting)

    async def fresh_pages(self) -> Mapping[int, Page]:
        """The site's own pages of errors, as they were within this second."""
        now_us = self.library.clock()
        if now_us >= self.pages_until_us:
            self.pages_until_us = now_us + SECOND_US
            for status, name in self.options.error_pages.items():
                await self.load_page(int(status), name)
        return self.pages

    async def load_page(self, status: int, name: str) -> None:
        """Have the page that a file is now; one that is too large for the cache is none."""
        try:
            found = await self.library.look_up(name)
        except (OSError, BoundExceeded):
            found = None
        if isinstance(found, CachedFile):
            self.pages[status] = Page(found.facts.media_type, found.body)
            return
        self.pages.pop(status, None)
        if isinstance(found, StreamedFile):
            found.file.close()

    def forget(self) -> None:
        """The folder is another one: what was loaded of the one before is loaded again."""
        self.pages_until_us = 0
