"""Who may see what: paths that ask for a name and a password.

Owns what a path asks for, and how often a password is tried: a few at once in the pool, since each takes its
time by design, and a right one only once, as long as it is remembered. What is remembered is a digest with a
secret of the process, never a password.

Source: RFC 7617; RFC 9110 15.5.2 (401).
"""

import os
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from gossamer.core.errors import BoundExceeded
from gossamer.core.http.basic import Credentials, credentials_of
from gossamer.core.http.request import Request
from gossamer.core.threads.calls import sys_blio
from gossamer.core.threads.sync import Semaphore
from gossamer.shards.web.passwords import Verify, read_passwords
from gossamer.shards.web.paths import SitePath

TRIED_AT_ONCE: Final = 2
"""Passwords that a worker tries at once; who comes meanwhile waits."""
WAITING_MAX: Final = 64
"""And so many: whoever guesses takes a bounded time from those who know."""
REMEMBERED_MAX: Final = 1024


class Guarded:
    """The part of a site beneath a path."""

    def __init__(self, prefix: str, users: Mapping[str, Verify]) -> None:
        self.name = prefix.strip("/")
        self.users = users
        self.challenge = ("WWW-Authenticate", f'Basic realm="{prefix}", charset="UTF-8"')
        self.anybody = next(iter(users.values()))
        """Tried for names that there are not, so that these take as long."""

    def covers(self, path: SitePath) -> bool:
        """Whether a path is this one or lies beneath it."""
        return not self.name or path.name == self.name or path.name.startswith(self.name + "/")


class Guard:
    """The guarded parts of a site. Bounds: TRIED_AT_ONCE, WAITING_MAX, REMEMBERED_MAX."""

    def __init__(self, table: Mapping[str, str]) -> None:
        """Raises: PasswordFileError."""
        parts = [Guarded(prefix, read_passwords(path)) for prefix, path in table.items()]
        # The longest first: what lies deepest is asked alone.
        self.parts = sorted(parts, key=lambda part: -len(part.name))
        self.places = Semaphore(TRIED_AT_ONCE)
        self.waiting = 0
        self.secret = os.urandom(32)
        self.remembered: OrderedDict[bytes, None] = OrderedDict()

    def part_of(self, path: SitePath) -> Guarded | None:
        """The part that a path lies in; None where everybody may."""
        return next((part for part in self.parts if part.covers(path)), None)

    async def user_of(self, part: Guarded, request: Request) -> str | None:
        """Who asks, by a right password; None where there is none. Raises: BoundExceeded when too many are
        being tried.
        """
        shown = credentials_of(request.field("authorization"))
        if shown is None:
            return None
        key = self.key_of(part, shown)
        if key not in self.remembered and not await self.try_in_turn(part, shown, key):
            return None
        self.remember(key)
        return shown.user

    async def try_in_turn(self, part: Guarded, shown: Credentials, key: bytes) -> bool:
        """Whether a password is right, once it is its turn. Raises: BoundExceeded."""
        if self.waiting >= TRIED_AT_ONCE + WAITING_MAX:
            raise BoundExceeded("too many passwords are being tried")
        self.waiting += 1
        try:
            async with self.places:
                # Whoever waited may have waited for the same.
                return key in self.remembered or await is_right(part, shown)
        finally:
            self.waiting -= 1

    def key_of(self, part: Guarded, shown: Credentials) -> bytes:
        """What stands for credentials in memory."""
        text = "\0".join((part.name, *shown)).encode("utf-8")
        return blake2b(text, key=self.secret, digest_size=32).digest()

    def remember(self, key: bytes) -> None:
        """Credentials were right."""
        self.remembered[key] = None
        self.remembered.move_to_end(key)
        if len(self.remembered) > REMEMBERED_MAX:
            self.remembered.popitem(last=False)


async def is_right(part: Guarded, shown: Credentials) -> bool:
    """Whether the password is that of the user. Raises: BoundExceeded."""
    verify = part.users.get(shown.user)
    matches = await sys_blio(verify or part.anybody, shown.password)
    return verify is not None and matches
