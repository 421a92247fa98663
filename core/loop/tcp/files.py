"""The open files that the send buffers of connections name by number.

Owns one descriptor of its own for each, so that what was given to a connection can be sent, and sent again,
whatever its user does with the file meanwhile. A file stays open while an extent of it waits to be
acknowledged, or for room, on any connection, and a little longer, since what is sent once is often sent
again and the windows into it are worth keeping. Two descriptors of the same file, unchanged, are one.

Bounds: a connection holds at most as many as its send buffer has extents; connections that send the same file
share it. IDLE_MAX that nobody needs, for IDLE_US each.
"""

import errno
import fcntl
import os
import stat
from collections.abc import Callable
from typing import Final

from gossamer.core.clock import NEVER_US, SECOND_US
from gossamer.core.loop.continuing import Identity, identity_in
from gossamer.core.loop.tcp.call import Connection
from gossamer.core.wire.text import Extent

IDLE_MAX: Final = 64
IDLE_US: Final = SECOND_US
"""So long the space of a deleted file stays taken at most, once nobody is sent it any more."""

UNREADABLE: Final = {os.O_WRONLY: errno.EBADF, os.O_DIRECT: errno.EINVAL}
"""Ways to open a file from which nothing can be sent."""


class HeldFiles:
    """Numbers of open files, by who needs them."""

    def __init__(self, forget: Callable[[int], None]) -> None:
        self.expires_at_us: int = NEVER_US
        """When `expire` has something to do."""
        self._idle: dict[int, int] = {}
        """When those that nobody needs are closed, the next first."""
        self._forget = forget
        """Called before a descriptor is closed."""
        self.descriptors: dict[int, int] = {}
        """By number, for whoever reads them."""
        self.held: dict[Connection, dict[int, None]] = {}
        """What each connection needs: only those that need any are in it."""
        self._holders: dict[int, int] = {}
        self._numbers: dict[Identity, int] = {}
        self._identities: dict[int, Identity] = {}
        self._next_number = 0

    def hold(self, connection: Connection, fd: int) -> tuple[int, int]:
        """The number of an open file, which `connection` needs from now on, and how long it is.

        Raises: OSError; EINVAL for anything but a file, and past the page cache, EBADF where it cannot be
        read.
        """
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "only a file can be sent from")
        identity = identity_in(found)
        number = self._numbers.get(identity)
        if number is None:
            number = self._opened(identity, fd)
        needs = self.held.setdefault(connection, {})
        if number not in needs:
            needs[number] = None
            self._holders[number] += 1
            self._idle.pop(number, None)
        return number, found.st_size

    def _opened(self, identity: Identity, fd: int) -> int:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        for flag, number in UNREADABLE.items():
            if flags & flag:
                raise OSError(number, f"nothing can be sent from this file: {os.strerror(number)}")
        self._next_number += 1
        self.descriptors[self._next_number] = os.dup(fd)
        self._numbers[identity] = self._next_number
        self._identities[self._next_number] = identity
        self._holders[self._next_number] = 0
        return self._next_number

    def identity_of(self, number: int) -> Identity:
        """Which file has that number."""
        return self._identities[number]

    def settle(self, connection: Connection, now_us: int) -> None:
        """Let go of what a connection needs no more."""
        needs = self.held.get(connection)
        if needs is None:
            return
        chunks = () if connection.tcb is None else connection.tcb.snd_buf
        if len(needs) == 1 and chunks and isinstance(chunks[-1], Extent):
            return  # Nearly always: the one file is still to be sent from.
        rest = connection.send_rest.data if connection.send_rest is not None else None
        needed = {chunk.file for chunk in (*chunks, rest) if isinstance(chunk, Extent)}
        if len(needed) == len(needs):
            return
        for number in [number for number in needs if number not in needed]:
            del needs[number]
            self._let_go(number, now_us)
        if not needs:
            del self.held[connection]

    def _let_go(self, number: int, now_us: int) -> None:
        self._holders[number] -= 1
        if not self._holders[number]:
            self._idle[number] = now_us + IDLE_US
            self.expires_at_us = min(self.expires_at_us, now_us + IDLE_US)
            if len(self._idle) > IDLE_MAX:
                self._close(next(iter(self._idle)))

    def expire(self, now_us: int) -> None:
        """Close what nobody has needed for long enough."""
        while self._idle:
            number, self.expires_at_us = next(iter(self._idle.items()))
            if self.expires_at_us > now_us:
                return
            self._close(number)
        self.expires_at_us = NEVER_US

    def _close(self, number: int) -> None:
        del self._idle[number], self._holders[number]
        del self._numbers[self._identities.pop(number)]
        self._forget(number)
        os.close(self.descriptors.pop(number))

    def close(self) -> None:
        """Close all that no connection needs any more."""
        self.expire(NEVER_US)
