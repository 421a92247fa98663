"""Going on elsewhere: what another process needs of a connection whose thread was in the midst of something.

    save:     what the thread was about, as octets, and the files that it reads from
    restore:  the thread that goes on, made of these octets

Owns the values, and what is asked of an application whose connections can go on so. Who asks, and when, is
`core.loop.tcp.moving`; what stands in the octets is the application's alone.
"""

import os
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from gossamer.core.errors import GossamerError
from gossamer.core.threads.thread import Thread
from gossamer.core.wire.text import Extent

Identity = tuple[int, int, int, int, int]
"""What is the same for the same contents of the same file: device, inode, size and both times. While it is
open here, no other file gets its inode."""


class NamedFile(msgspec.Struct, frozen=True, array_like=True):
    """A file as another process can open it again, and know that it is the same."""

    name: str
    """As whoever serves it calls it; "" where nobody knows any more."""
    identity: Identity


class CannotGoOnError(GossamerError):
    """A connection cannot go on here, for the file that it was sent is another, or nobody knows how; the
    message says which."""


class Saved(msgspec.Struct, frozen=True):
    """What a thread was about."""

    state: bytes
    files: tuple[tuple[NamedFile, int], ...] = ()
    """The files that are named in it, with their descriptors here, which whoever saved it closes."""


Announce = Callable[[NamedFile, int], None]
"""Told of each file that a connection needs, and its descriptor, before the connection leaves."""


def unannounced(_named: NamedFile, _fd: int) -> None:
    """Where files are found by their names alone."""


Unsent = bytes | Extent
"""What the SEND in which a thread is blocked has not put into the send buffer yet: octets, or a stretch of
the file that it was given."""
OpenNamed = Callable[[NamedFile], int]
"""Opens a file; whoever gets the descriptor closes it. Raises: CannotGoOnError unless it is the same."""


def opens_none(named: NamedFile) -> int:
    """Of an application that knows no file by its name."""
    raise CannotGoOnError(f"nobody knows the file {named.name!r} here")


def names_none(_identity: Identity) -> str:
    """Of an application that has no names for files."""
    return ""


def goes_nowhere(_stream: Any) -> None:
    """Of an application that need not know what has left."""


class Continuing(msgspec.Struct, frozen=True):
    """How connections of an application go on in another process."""

    save: Callable[[Any, Unsent], Saved | None]
    """Called with a stream whose thread is blocked in a call on it, and with what is unsent of that: what the
    thread is about, now. None where nobody else can go on with it at this point. It changes nothing."""
    restore: Callable[[Any, bytes, OpenNamed], Coroutine[Any, Any, None]]
    """Called with a stream, and what `save` said of it: the thread that goes on. Raises: CannotGoOnError."""
    leave: Callable[[Any], None] = goes_nowhere
    """Called with a stream that goes on elsewhere, before its thread is closed here."""
    name_of: Callable[[Identity], str] = names_none
    """What the application calls a file that it sends; "" where it does not know."""
    open_file: OpenNamed = opens_none
    isolates: bool = False
    """Whether each thread has context variables of its own."""


def identity_in(found: os.stat_result) -> Identity:
    """Which contents of which file these are."""
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def is_same(identity: Identity, found: os.stat_result) -> bool:
    """Whether an open file holds what it held: losing its last name changes the time of its change alone."""
    now = identity_in(found)
    return now == identity or (not found.st_nlink and now[:-1] == identity[:-1])


def only_thread(receiving: Thread[Any] | None, sending: Thread[Any] | None) -> Thread[Any] | None:
    """The thread that is blocked in a connection, where it is the only one, and nobody waits for it or would
    end it: it can be closed here and go on elsewhere."""
    threads = [each for each in (receiving, sending) if each is not None]
    if len(threads) != 1 or threads[0].joiners is not None or threads[0].scope is not None:
        return None
    return threads[0]
